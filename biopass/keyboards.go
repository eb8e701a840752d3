package biopass

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/store"
)

// MaxKeyboardName is how long the name of a keyboard may be, in characters.
const MaxKeyboardName = 60

var (
	// ErrNoKeyboard says that no such keyboard is kept of somebody.
	ErrNoKeyboard = errors.New("no such keyboard is kept")
	// ErrNoName says that a keyboard's name has nothing in it.
	ErrNoName = errors.New("a keyboard needs a name")
)

// Called returns the keyboards that a word means: the one with that identifier,
// else all of that name, in whatever case. Two keyboards may have one name.
func (a Account) Called(word string) []AccountKeyboard {
	var named []AccountKeyboard
	for _, k := range a.Keyboards {
		if k.ID == word {
			return []AccountKeyboard{k}
		}
		if strings.EqualFold(k.Name, word) {
			named = append(named, k)
		}
	}
	return named
}

// EraseKeyboard forgets the prints of one keyboard, and returns what it was
// called. The others stay, and so do the consent and the counts: where it was
// the last one, its owner is asked to type again at their next sign-in. Note
// is who does it. ErrNoKeyboard where it is not kept.
func (s *Service) EraseKeyboard(ctx context.Context, application, user, id string, note books.Entry) (name string, err error) {
	err = s.onKeyboard(ctx, application, user, id, func(p *person, i int) (books.Entry, bool) {
		name = p.Keyboards[i].Name
		p.Keyboards = slices.Delete(p.Keyboards, i, i+1)
		note.What, note.Detail = "biopass.keyboard.erase", map[string]string{"keyboard": name}
		return note, true
	})
	return name, err
}

// RenameKeyboard calls one keyboard something else, and returns what it was
// called and what it is called now. Errors are ErrNoKeyboard and ErrNoName.
func (s *Service) RenameKeyboard(ctx context.Context, application, user, id, name string, note books.Entry) (before, now string, err error) {
	if now = strings.TrimSpace(lang.Inert(name, MaxKeyboardName)); now == "" {
		return "", "", ErrNoName
	}
	err = s.onKeyboard(ctx, application, user, id, func(p *person, i int) (books.Entry, bool) {
		before = p.Keyboards[i].Name
		p.Keyboards[i].Name = now
		note.What, note.Detail = "biopass.keyboard.rename", map[string]string{"keyboard": now, "before": before}
		return note, before != now
	})
	return before, now, err
}

// onKeyboard changes one keyboard and writes it down in one batch: nothing is
// erased that the activity does not tell of.
func (s *Service) onKeyboard(ctx context.Context, application, user, id string, change func(p *person, i int) (books.Entry, bool)) error {
	_, err := s.book.write(ctx, application, user, func(p *person) (bool, []store.Write, error) {
		i := slices.IndexFunc(p.Keyboards, func(k keyboard) bool { return k.ID == id })
		if i < 0 {
			return false, nil, ErrNoKeyboard
		}
		e, ok := change(p, i)
		if !ok {
			return false, nil, nil
		}
		e.At, e.Application, e.Subject = s.conf.Clock(), application, user
		return true, []store.Write{s.conf.Books.Audit.Write(e)}, nil
	})
	return err
}
