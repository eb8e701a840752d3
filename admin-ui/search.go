package adminui

import (
	"slices"
	"strings"

	"github.com/cadenas-gateway/cadenas/books"
)

const (
	// searchLines is how many lines of the index of names one word of a search
	// reads, searchUsers how many user names that begin with it.
	searchLines = 2000
	searchUsers = 200
	// gridNamed is how many people whom a search finds by name are looked up one
	// by one, wherever in the index of visits they are; searchPeople how many the
	// list of people shows.
	gridNamed    = 100
	searchPeople = 500
)

// search is what was typed into a field of search, and the people it finds by
// name. A word of it may also be one of a place, a device or a browser.
type search struct {
	text  string
	names *people
	// words are those of text as they are compared.
	words []string
	// named are those who fit by name, where they are not too many to be looked
	// up one by one; many says that they are.
	named []string
	many  bool
}

// search finds the people a text names, in the applications given, of whom up
// to limit are wanted. It reads the index of names and never every user.
func (v *visit) search(text string, limit int, apps ...string) (*search, error) {
	s := &search{text: text, names: v.people(), words: strings.Fields(books.Fold(text))}
	var sets [][]string
	var bound []string // the words that somebody's name has
	for word := range strings.FieldsSeq(text) {
		set, err := v.usersOf(word, apps)
		if err != nil {
			return nil, err
		}
		if len(set) > 0 {
			sets, bound = append(sets, set), append(bound, word)
		}
	}
	if len(sets) == 0 {
		return s, nil
	}
	least := slices.MinFunc(sets, func(a, b []string) int { return len(a) - len(b) })
	s.many = len(least) >= searchLines
	for _, user := range least {
		ok, err := s.isNamed(user, bound)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if len(s.named) == limit {
			s.many = true
			break
		}
		s.named = append(s.named, user)
	}
	return s, nil
}

// usersOf are the users whose name has a word that begins with this one, or
// whose user name begins with it.
func (v *visit) usersOf(word string, apps []string) ([]string, error) {
	set, err := v.Books.Users.Named(v.ctx(), books.Fold(word), searchLines)
	if err != nil {
		return nil, err
	}
	for _, app := range apps {
		for _, from := range slices.Compact([]string{word, strings.ToLower(word)}) {
			n := 0
			err := v.Books.Connections.Users(v.ctx(), app, from, func(user string) bool {
				set = append(set, user)
				n++
				return n < searchUsers
			})
			if err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(set)
	return slices.Compact(set), nil
}

// isNamed reports whether all words are in what a user is called.
func (s *search) isNamed(user string, words []string) (bool, error) {
	text, err := s.called(user)
	return err == nil && contains(strings.Join(words, " "), user, text), err
}

// called is a user's name and address.
func (s *search) called(user string) (string, error) {
	u, err := s.names.user(user)
	return u.Name + "\n" + u.Email, err
}

// finds reports whether every word of the search is in one of the texts, or in
// what the user is called.
func (s *search) finds(user string, texts ...string) (bool, error) {
	folded := books.Fold(strings.Join(append(texts, user), "\n"))
	missing := slices.DeleteFunc(slices.Clone(s.words), func(word string) bool { return strings.Contains(folded, word) })
	if len(missing) == 0 {
		return true, nil
	}
	// Only now the record is read: most lines fit without, or not at all.
	text, err := s.called(user)
	if err != nil || text == "\n" {
		return false, err
	}
	folded = books.Fold(text)
	return !slices.ContainsFunc(missing, func(word string) bool { return !strings.Contains(folded, word) }), nil
}

// contains reports whether every word of a search is in one of the texts,
// whatever its accents and the size of its letters.
func contains(search string, texts ...string) bool {
	all := books.Fold(strings.Join(texts, "\n"))
	for word := range strings.FieldsSeq(books.Fold(search)) {
		if !strings.Contains(all, word) {
			return false
		}
	}
	return true
}
