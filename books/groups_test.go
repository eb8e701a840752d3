package books_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

func TestGroupsOfAUserAreKeptAndTakenAway(t *testing.T) {
	st := memory.New()
	b := books.New(st)
	keep := func(user string, names ...string) {
		t.Helper()
		if err := st.Apply(t.Context(), store.Batch{Writes: []store.Write{b.Groups.Put("a/b", user, books.SortGroups(names))}}); err != nil {
			t.Fatal(err)
		}
	}
	keep("julie/x", "staff", "cooks", "staff")
	keep("fatou", "staff")
	keep("marc", "staff")
	keep("marc")
	got, err := b.Groups.Of(t.Context(), "a/b", "julie/x")
	if err != nil || !slices.Equal(got, []string{"cooks", "staff"}) {
		t.Errorf("of julie: %v, %v", got, err)
	}
	var users []string
	err = b.Groups.Each(t.Context(), "a/b", func(user string, _ []string) bool {
		users = append(users, user)
		return true
	})
	if err != nil || !slices.Equal(users, []string{"fatou", "julie/x"}) {
		t.Errorf("those with groups: %v, %v", users, err)
	}
	for _, nobody := range []string{"", "marc", "julie"} {
		if got, err := b.Groups.Of(t.Context(), "a/b", nobody); err != nil || got != nil {
			t.Errorf("of %q: %v, %v", nobody, got, err)
		}
	}
	if some, err := b.Groups.Any(t.Context(), "a"); err != nil || some {
		t.Errorf("in another application: %v, %v", some, err)
	}
}

func TestTheGroupsOfOneUserAreBounded(t *testing.T) {
	var names []string
	for i := range 100_000 {
		names = append(names, fmt.Sprintf("group-%06d", i))
	}
	kept := books.SortGroups(names)
	if len(kept) == 0 || len(kept) > 2000 || kept[0] != names[0] {
		t.Errorf("%d are kept", len(kept))
	}
}
