package books_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

func TestUsersAreFoundByTheWordsOfTheirName(t *testing.T) {
	b := books.New(memory.New())
	for _, u := range []books.User{
		{User: "julie.tremblay@lucioles.example", Name: "Julie Tremblay-Archambault", Email: "julie.tremblay@lucioles.example"},
		{User: "u7", Name: "Isabelle Côté", Email: "icote@lucioles.example"},
		{User: "hostile", Name: strings.Repeat("Ω../ ", 200)},
		{User: "u8"},
	} {
		apply(t, b.Store, b.Users.Put(u, books.User{})...)
	}
	find := func(word string) string {
		t.Helper()
		users, err := b.Users.Named(t.Context(), books.Fold(word), 100)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(users, " ")
	}
	for word, want := range map[string]string{
		"tremb": "julie.tremblay@lucioles.example", "ARCH": "julie.tremblay@lucioles.example", "julie.tremblay@": "julie.tremblay@lucioles.example",
		"cote": "u7", "CÔTÉ": "u7", "icote": "u7", "u7": "u7", "lucioles": "", "remblay": "", "": "", "u8": "", "ω": "hostile",
	} {
		if got := find(word); got != want {
			t.Errorf("%q finds %q, want %q", word, got, want)
		}
	}
	_, err := b.Users.Update(t.Context(), "u7", func(u *books.User) ([]store.Write, bool, error) {
		u.Name = "Isabelle Gagnon"
		return nil, true, nil
	})
	if err != nil || find("cote") != "" || find("gagnon") != "u7" || find("icote") != "u7" {
		t.Errorf("renamed: %q, %q, %q, %v", find("cote"), find("gagnon"), find("icote"), err)
	}
	u, err := b.Users.Get(t.Context(), "u7")
	if err != nil {
		t.Fatal(err)
	}
	apply(t, b.Store, b.Users.Delete(u)...)
	if find("gagnon")+find("icote")+find("isabelle") != "" {
		t.Error("forgotten, and still found")
	}
}

func TestRulesAreReadByWhenTheyWereMade(t *testing.T) {
	b := books.New(memory.New())
	start := time.Date(2026, 11, 3, 8, 15, 0, 123_456_789, time.UTC)
	var rules []access.Rule
	for i, id := range []string{"a", "b", "c"} {
		r := access.Rule{ID: id, User: []string{"zoé/x", "", "anne"}[i], Application: "register", Effect: access.Allow, Created: start.Add(time.Duration(i) * time.Hour)}
		if id == "b" {
			r.Place.Name, r.Until = "Office", start.Add(24*time.Hour)
		}
		rules = append(rules, r)
		apply(t, b.Store, b.Rules.Put(r)...)
	}
	lines := func() (ids string, all []books.Made) {
		t.Helper()
		err := b.Rules.Newest(t.Context(), "register", func(m books.Made) bool {
			ids += m.ID
			all = append(all, m)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		return ids, all
	}
	ids, all := lines()
	if ids != "cba" || all[1].Place != "Office" || all[2].User != "zoé/x" || !all[0].Until.IsZero() {
		t.Fatalf("newest first: %s, %+v", ids, all)
	}
	if m := all[1]; m.Ended(start.Add(23*time.Hour)) || !m.Ended(start.Add(24*time.Hour)) {
		t.Errorf("it ends at %v", m.Until)
	}
	for _, m := range all {
		if r, ok, err := b.Rules.Load(t.Context(), m); err != nil || !ok || r.ID != m.ID || r.User != m.User {
			t.Errorf("%+v leads to %+v, %v, %v", m, r, ok, err)
		}
	}
	// Made anew under its name: the former line is no longer true.
	again := rules[0]
	again.Created = start.Add(5 * time.Hour)
	apply(t, b.Store, b.Rules.Put(again)...)
	ids, all = lines()
	if ids != "acba" {
		t.Errorf("after it was made anew: %s", ids)
	}
	for i, want := range []bool{true, true, true, false} {
		if _, ok, err := b.Rules.Load(t.Context(), all[i]); err != nil || ok != want {
			t.Errorf("line %d is true: %v, %v", i, ok, err)
		}
	}
	if r, err := b.Rules.Find(t.Context(), "register", "a"); err != nil || r.Created.Sub(again.Created).Abs() > time.Microsecond {
		t.Errorf("found %+v, %v", r, err)
	}
	apply(t, b.Store, b.Rules.Delete(rules[2])...)
	if ids, _ = lines(); ids != "aba" {
		t.Errorf("after one ended: %s", ids)
	}
}

func TestARulesLineIsFoundWhateverTheClock(t *testing.T) {
	b := books.New(memory.New())
	start := time.Unix(1_800_000_000, 0)
	for ms := range 1000 {
		r := access.Rule{ID: "r", User: "julie", Application: "register", Effect: access.Allow, Created: start.Add(time.Duration(ms) * time.Millisecond)}
		apply(t, b.Store, b.Rules.Put(r)...)
		kept, err := b.Rules.Find(t.Context(), "register", "r")
		if err != nil {
			t.Fatal(err)
		}
		apply(t, b.Store, b.Rules.Delete(kept)...)
		err = b.Rules.Newest(t.Context(), "register", func(m books.Made) bool {
			t.Errorf("made at %d ms, it left its line behind", ms)
			return false
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// endsMeanwhile is a store in which a rule ends between being read and written.
type endsMeanwhile struct {
	store.Store
	before func()
}

func (s *endsMeanwhile) Apply(ctx context.Context, b store.Batch) error {
	if do := s.before; do != nil {
		s.before = nil
		do()
	}
	return s.Store.Apply(ctx, b)
}

func TestAChangeOfManyRulesBringsNoneBackThatEnded(t *testing.T) {
	st := &endsMeanwhile{Store: memory.New()}
	b := books.New(st)
	var list []access.Rule
	for i := range 250 {
		r := access.Rule{ID: fmt.Sprintf("r%03d", i), User: "julie", Application: "register", Effect: access.Allow, Place: access.PlaceKey{Name: "Ofice"}, Created: time.Unix(1_800_000_000, 0)}
		list = append(list, r)
		apply(t, st, b.Rules.Put(r)...)
	}
	st.before = func() { apply(t, st, b.Rules.Delete(list[7])...) }
	err := b.Rules.Change(t.Context(), "register", func(r *access.Rule) bool {
		changed := r.Place.Name == "Ofice"
		r.Place.Name = "Office"
		return changed
	})
	if err != nil {
		t.Fatal(err)
	}
	now, err := b.Rules.Of(t.Context(), "register", "julie")
	if err != nil || len(now) != 249 {
		t.Fatalf("%d rules, %v", len(now), err)
	}
	for _, r := range now {
		if r.ID == "r007" || r.Place.Name != "Office" {
			t.Errorf("%+v", r)
		}
	}
}
