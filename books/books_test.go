package books_test

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

func apply(t *testing.T, st store.Store, writes ...store.Write) {
	t.Helper()
	if err := st.Apply(t.Context(), store.Batch{Writes: writes}); err != nil {
		t.Fatal(err)
	}
}

func TestNoNameReachesIntoAnothersRange(t *testing.T) {
	b := books.New(memory.New())
	now := time.Now()
	names := []string{"julie", "julie/", "julie%2f", "../julie", "", "ju lie", "é", "a/b/c", "_"}
	for _, app := range []string{"register", "register/x", "_x"} {
		for _, user := range names {
			apply(t, b.Store, b.Rules.Put(access.Rule{ID: books.NewID(now), User: user, Application: app, Effect: access.Allow})...)
		}
	}
	for _, user := range names {
		rules, err := b.Rules.For(t.Context(), "register", user)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rules {
			if r.User != user && r.User != "" {
				t.Errorf("rules for %q hold one for %q", user, r.User)
			}
		}
		if want := 2; user != "" && len(rules) != want { // theirs and everybody's
			t.Errorf("%d rules for %q", len(rules), user)
		}
	}
}

func TestIdentifiersSortByTime(t *testing.T) {
	at := time.Date(2026, 11, 3, 8, 15, 0, 0, time.UTC)
	var ids []string
	for i := range 100 {
		ids = append(ids, books.NewID(at.Add(time.Duration(i)*time.Millisecond)))
	}
	if !slices.IsSorted(ids) {
		t.Error("identifiers do not sort by their time")
	}
	if got, ok := books.IDTime(ids[7]); !ok || !got.Equal(at.Add(7*time.Millisecond)) {
		t.Errorf("made at %v", got)
	}
	if _, ok := books.IDTime("nonsense"); ok {
		t.Error("nonsense has a time")
	}
}

func TestAConnectionComesBackAsItWas(t *testing.T) {
	b := books.New(memory.New())
	at := time.Unix(1_795_000_000, 0)
	c := books.Connection{
		ID: books.NewConnectionID(at, "julie"), User: "julie", Application: "register", First: at, Last: at.Add(time.Hour), Count: 7,
		Device:  access.Device{ID: "d1", Kind: access.Tablet, Label: "Android tablet"},
		Browser: access.Browser{Family: "Chrome", Platform: "Android", Version: "140"},
		Place: access.Place{
			Name: "Office", City: "Laval", Region: "Quebec", Country: "CA", Owner: "Bell", Private: true,
			Address: netip.MustParseAddr("2001:db8::7"), Located: true, Latitude: 45.5, Longitude: -73.75,
		},
		Answer: access.LetIn, Shadow: access.Approval, Step: access.StepPadlock, New: []access.Part{access.PartDevice}, Adopted: true,
	}
	apply(t, b.Store, b.Connections.Put(c)...)
	got, err := b.Connections.Get(t.Context(), "register", c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !got.First.Equal(c.First) || !got.Last.Equal(c.Last) {
		t.Errorf("times %v %v", got.First, got.Last)
	}
	got.First, got.Last = c.First, c.Last
	if string(books.Encode(got)) != string(books.Encode(c)) {
		t.Errorf("got  %+v\nwant %+v", got, c)
	}
	apply(t, b.Store, b.Connections.Delete(c)...)
	if list, err := b.Connections.Of(t.Context(), "register", "julie", 10); err != nil || len(list) != 0 {
		t.Errorf("forgotten, and still there: %v %v", list, err)
	}
}

func TestConcurrentUpdatesLoseNothing(t *testing.T) {
	b := books.New(memory.New())
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, err := b.Users.Update(t.Context(), "julie", func(u *books.User) ([]store.Write, bool, error) {
				if u.Locked == nil {
					u.Locked = map[string]books.Mark{}
				}
				u.Locked[books.NewID(time.Now())] = books.Mark{By: "marie"}
				return nil, true, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	u, err := b.Users.Get(t.Context(), "julie")
	if err != nil || len(u.Locked) != 20 {
		t.Errorf("%d of 20 updates are there, %v", len(u.Locked), err)
	}
}

func TestALoginThatIsNotUsedGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := books.New(memory.New())
		l := books.Login{ID: "l1", Application: "register", Person: access.Person{User: "julie"}, State: books.LoginBound}
		apply(t, b.Store, b.Logins.Put(l, 0)...)
		time.Sleep(books.LoginIdle - time.Minute)
		if _, err := b.Logins.Get(t.Context(), "register", "l1"); err != nil {
			t.Errorf("a minute before its end: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if _, err := b.Logins.Get(t.Context(), "register", "l1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after its end: %v", err)
		}
	})
}

func TestKeysRotateAndStaySealed(t *testing.T) {
	st := memory.New()
	now := time.Now()
	first, err := books.Ring(t.Context(), st, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	box := first.Seal(nil, []byte("hello"), "test")
	again, err := books.Ring(t.Context(), st, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Open(nil, box, "test"); err != nil {
		t.Error("a second start has other keys")
	}

	wrap, err := seal.NewRing(map[byte][]byte{0: seal.NewKey()}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := books.Ring(t.Context(), st, wrap, now); err != nil {
		t.Fatal("bare keys are sealed at the first start with `keys`:", err)
	}
	if _, err := books.Ring(t.Context(), st, nil, now); !errors.Is(err, books.ErrKeys) {
		t.Errorf("sealed keys without `keys`: %v", err)
	}
	other, err := seal.NewRing(map[byte][]byte{0: seal.NewKey()}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := books.Ring(t.Context(), st, other, now); !errors.Is(err, books.ErrKeys) {
		t.Errorf("another `keys`: %v", err)
	}
	for i := range 7 {
		ring, err := books.RotateKeys(t.Context(), st, wrap, now)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := ring.Open(nil, box, "test"); err != nil || string(plain) != "hello" {
			t.Fatalf("after %d rotations: %v", i+1, err)
		}
		if ring.Newest(box) {
			t.Error("an old box counts as new")
		}
	}
	ring, err := books.RotateKeys(t.Context(), st, wrap, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Open(nil, box, "test"); err == nil {
		t.Error("the eighth rotation still keeps the first key")
	}
}

func TestABackupHoldsEverythingButKeys(t *testing.T) {
	st := memory.New()
	b := books.New(st)
	if _, err := books.Ring(t.Context(), st, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	rule := access.Rule{ID: "r1", User: "julie", Application: "register", Effect: access.Allow, Author: "marie"}
	apply(t, st, b.Rules.Put(rule)...)
	apply(t, st, store.Write{Key: books.Key("register", "held", "device-1"), Value: []byte("sealed")})
	var file bytes.Buffer
	n, err := books.Backup(t.Context(), st, &file, time.Now())
	if err != nil || n != 2 { // a rule and its line
		t.Fatalf("%d records, %v", n, err)
	}
	if strings.Contains(file.String(), "held") || strings.Contains(file.String(), "_/keys") {
		t.Error("the backup holds what it must not")
	}

	other := memory.New()
	o := books.New(other)
	ring, err := books.Ring(t.Context(), other, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	apply(t, other, o.Rules.Put(access.Rule{ID: "mine", User: "samuel", Application: "register", Effect: access.Refuse})...)
	for cut := 0; cut < file.Len(); cut += 7 {
		if _, err := books.Restore(t.Context(), other, bytes.NewReader(file.Bytes()[:cut])); !errors.Is(err, books.ErrBackup) {
			t.Fatalf("%d of %d bytes: %v", cut, file.Len(), err)
		}
	}
	spoiled := bytes.Clone(file.Bytes())
	spoiled[len(spoiled)/3] ^= 1
	if _, err := books.Restore(t.Context(), other, bytes.NewReader(spoiled)); !errors.Is(err, books.ErrBackup) {
		t.Errorf("a spoiled backup: %v", err)
	}
	if rules, err := o.Rules.All(t.Context(), "register"); err != nil || len(rules) != 1 || rules[0].ID != "mine" {
		t.Fatalf("a bad backup changed something: %v %v", rules, err)
	}
	if _, err := books.Restore(t.Context(), other, &file); err != nil {
		t.Fatal(err)
	}
	if rules, err := o.Rules.All(t.Context(), "register"); err != nil || len(rules) != 1 || rules[0].ID != "r1" {
		t.Errorf("restored: %v %v", rules, err)
	}
	after, err := books.Ring(t.Context(), other, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := after.Open(nil, ring.Seal(nil, nil, "x"), "x"); err != nil {
		t.Error("restoring replaced the keys")
	}
}

func TestTheAuditIsReadNewestFirst(t *testing.T) {
	b := books.New(memory.New())
	at := time.Now()
	for i, what := range []string{"one", "two", "three"} {
		if err := b.Audit.Append(t.Context(), books.Entry{At: at.Add(time.Duration(i) * time.Second), Who: "marie", What: what, Application: "register"}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := b.Audit.Newest(t.Context(), "register", "", 2)
	if err != nil || len(list) != 2 || list[0].What != "three" || list[1].What != "two" {
		t.Fatalf("%v %v", list, err)
	}
	list, err = b.Audit.Newest(t.Context(), "register", list[1].ID, 2)
	if err != nil || len(list) != 1 || list[0].What != "one" {
		t.Errorf("the next page: %v %v", list, err)
	}
}
