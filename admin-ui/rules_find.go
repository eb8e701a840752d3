package adminui

import (
	"slices"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
)

// rulesTried is how many of the newest rules are looked at for those that no
// connection fits.
const rulesTried = 1000

// newestRules returns the rules made last, up to rulesTried of each application,
// and how many there are that have not ended.
func (v *visit) newestRules(apps []string) ([]access.Rule, int, error) {
	var lines []books.Made
	count := 0
	for _, app := range apps {
		mine := 0
		err := v.Books.Rules.Newest(v.ctx(), app, func(m books.Made) bool {
			if m.Ended(v.now) {
				return true
			}
			count++
			if mine++; mine <= rulesTried {
				lines = append(lines, m)
			}
			return true
		})
		if err != nil {
			return nil, 0, err
		}
	}
	slices.SortStableFunc(lines, func(a, b books.Made) int { return b.At.Compare(a.At) })
	var list []access.Rule
	for _, m := range lines[:min(len(lines), rulesTried)] {
		r, ok, err := v.Books.Rules.Load(v.ctx(), m)
		if err != nil {
			return nil, 0, err
		}
		if !ok {
			count-- // a line that is no longer true
			continue
		}
		list = append(list, r)
	}
	return list, count, nil
}

// findRules returns the rules in which the words of a search are, the last made
// first: all of those whose people it names, and of the rest those among as many
// as a page looks at.
func (v *visit) findRules(text string, apps []string) ([]access.Rule, error) {
	s, err := v.search(text, gridNamed, v.applications()...)
	if err != nil {
		return nil, err
	}
	var list []access.Rule
	taken := map[string]bool{}
	take := func(r access.Rule) error {
		key := v.Books.Rules.Key(r)
		if r.Ended(v.now) || taken[key] {
			return nil
		}
		ok, err := s.finds(r.User, r.Group, r.Place.String(), r.Browser.String(), string(r.Kind), r.Author, r.Note)
		if ok {
			taken[key] = true
			list = append(list, r)
		}
		return err
	}
	for _, app := range apps {
		for _, user := range s.named {
			theirs, err := v.Books.Rules.Of(v.ctx(), app, user)
			if err != nil {
				return nil, err
			}
			for _, r := range theirs {
				if err := take(r); err != nil {
					return nil, err
				}
			}
		}
		looked := 0
		var failed error
		err := v.Books.Rules.Newest(v.ctx(), app, func(m books.Made) bool {
			r, ok, err := v.Books.Rules.Load(v.ctx(), m)
			if err == nil && ok {
				err = take(r)
			}
			looked++
			failed = err
			return err == nil && looked < gridLook
		})
		if err != nil {
			return nil, err
		}
		if failed != nil {
			return nil, failed
		}
	}
	slices.SortStableFunc(list, func(a, b access.Rule) int { return b.Created.Compare(a.Created) })
	return list, nil
}

// never returns those of the rules that no connection fits.
func (u *ruleUses) never(list []access.Rule) ([]access.Rule, error) {
	var never []access.Rule
	for _, r := range list {
		use, err := u.of(r)
		if err != nil {
			return nil, err
		}
		if use.never() {
			never = append(never, r)
		}
	}
	return never, nil
}
