package books_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// between is a store of one instance; what another instance does between its
// reading and its writing is done first.
type between struct {
	store.Store
	first func()
}

func (s *between) Apply(ctx context.Context, b store.Batch) error {
	if do := s.first; do != nil {
		s.first = nil
		do()
	}
	return s.Store.Apply(ctx, b)
}

// C7: whatever two admins do to each other at the same moment, on two instances,
// one stays who looks after all applications, and so after the admins.
func TestC7_OneAdminOfAllApplicationsStays(t *testing.T) {
	const marie, paul, ana = "marie@example.com", "paul@example.com", "ana@example.com"
	narrow := func(b *books.Books, email string) error {
		a, err := b.Admins.Get(t.Context(), email)
		if err != nil {
			return err
		}
		a.Applications = []string{"register"}
		return b.Admins.Save(t.Context(), a, email, false, books.Entry{What: "admin.edit"})
	}
	remove := func(b *books.Books, email string) error {
		return b.Admins.Remove(t.Context(), email, false, books.Entry{What: "admin.remove"})
	}
	for _, c := range []struct {
		name        string
		here        func(b *books.Books, email string) error
		there       func(b *books.Books, email string) error
		whom, other string // whom the one here changes, and whom the one there
		err         error
		left        []string
	}{
		{"each removes the other", remove, remove, marie, paul, books.ErrLastAdmin, []string{ana, marie}},
		{"each narrows the other", narrow, narrow, marie, paul, books.ErrLastAdmin, []string{ana, marie, paul}},
		{"one is removed while they narrow the other", remove, narrow, marie, paul, books.ErrLastAdmin, []string{ana, marie, paul}},
		{"one is narrowed while they remove the other", narrow, remove, marie, paul, books.ErrLastAdmin, []string{ana, marie}},
		{"who was removed meanwhile does not come back by being edited", narrow, remove, paul, paul, store.ErrNotFound, []string{ana, marie}},
		{"who was removed meanwhile is not there to be removed", remove, remove, paul, paul, store.ErrNotFound, []string{ana, marie}},
		{"an admin of one application can go", remove, narrow, ana, ana, nil, []string{marie, paul}},
	} {
		shared := memory.New()
		st := &between{Store: shared}
		here, there := books.New(st), books.New(shared)
		for _, a := range []books.Admin{{Email: marie}, {Email: paul}, {Email: ana, Applications: []string{"register"}}} {
			if err := there.Admins.Save(t.Context(), a, "", false, books.Entry{What: "admin.add"}); err != nil {
				t.Fatal(err)
			}
		}
		st.first = func() {
			if err := c.there(there, c.other); err != nil {
				t.Errorf("%s: the other: %v", c.name, err)
			}
		}
		if err := c.here(here, c.whom); !errors.Is(err, c.err) {
			t.Errorf("%s: %v", c.name, err)
		}
		list, err := there.Admins.All(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		whole := 0
		for _, a := range list {
			left = append(left, a.Email)
			if len(a.Applications) == 0 {
				whole++
			}
		}
		slices.Sort(left)
		if !slices.Equal(left, c.left) || whole == 0 {
			t.Errorf("%s: %v are left, %d of them for all applications", c.name, left, whole)
		}
	}
}

func TestTheConfigurationsAdminIsEnough(t *testing.T) {
	b := books.New(memory.New())
	if err := b.Admins.Save(t.Context(), books.Admin{Email: "marie@example.com"}, "", false, books.Entry{What: "admin.add"}); err != nil {
		t.Fatal(err)
	}
	if err := b.Admins.Remove(t.Context(), "marie@example.com", true, books.Entry{What: "admin.remove"}); err != nil {
		t.Error(err)
	}
	if list, err := b.Admins.All(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}
