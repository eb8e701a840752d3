package books_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// grown is a stored record with fields of a version to come.
func grown(t *testing.T, b []byte, more map[any]any) []byte {
	t.Helper()
	all := map[any]any{}
	if err := cbor.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	maps.Copy(all, more)
	return books.Encode(all)
}

func field(t *testing.T, st store.Store, key string, name any) any {
	t.Helper()
	b, err := st.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	all := map[any]any{}
	if err := cbor.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all[name]
}

func put(t *testing.T, st store.Store, key string, value []byte) {
	t.Helper()
	if err := st.Apply(t.Context(), store.Batch{Writes: []store.Write{{Key: key, Value: value}}}); err != nil {
		t.Fatal(err)
	}
}

// A rolling upgrade: an older instance changes what a newer one wrote, and
// takes nothing of it away.
func TestWhatANewerVersionWroteSurvivesAnOlderOne(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	hours := map[any]any{"Hours": "08-17", "Nested": map[any]any{"Deep": []any{"a", uint64(2)}}}
	for name, try := range map[string]struct {
		key    func(b *books.Books) string
		record any
		change func(t *testing.T, b *books.Books) error
	}{
		"a user who is locked": {
			func(b *books.Books) string { return b.Users.Key("anne") },
			books.User{User: "anne", Name: "Anne"},
			func(t *testing.T, b *books.Books) error {
				_, err := b.Users.Update(t.Context(), "anne", func(u *books.User) ([]store.Write, bool, error) {
					u.Locked = map[string]books.Mark{"": {By: "marie", At: now}}
					return nil, true, nil
				})
				return err
			},
		},
		"a device that is named": {
			func(b *books.Books) string { return b.Devices.Key("d1") },
			books.Device{ID: "d1"},
			func(t *testing.T, b *books.Books) error {
				_, err := b.Devices.Update(t.Context(), "d1", func(d *books.Device) bool { d.Name = "the tablet"; return true })
				return err
			},
		},
		"a padlock that is closed": {
			func(b *books.Books) string { return b.Padlocks.Key("sdg") },
			books.Padlock{Application: "sdg"},
			func(t *testing.T, b *books.Books) error {
				_, err := b.Padlocks.Update(t.Context(), "sdg", func(p *books.Padlock) ([]store.Write, bool, error) {
					p.Closed = true
					return nil, true, nil
				})
				return err
			},
		},
		"an admin who is edited": {
			func(b *books.Books) string { return b.Admins.Key("marie@example.com") },
			books.Admin{Email: "marie@example.com", Name: "Marie"},
			func(t *testing.T, b *books.Books) error {
				a, err := b.Admins.Get(t.Context(), "marie@example.com")
				if err != nil {
					return err
				}
				a.Name = "Marie Roy"
				return b.Admins.Save(t.Context(), a, a.Email, false, books.Entry{What: "admin.edit"})
			},
		},
		"a login that is used": {
			func(b *books.Books) string { return b.Logins.Key("sdg", "l1") },
			books.Login{ID: "l1", Application: "sdg", State: books.LoginBound},
			func(t *testing.T, b *books.Books) error {
				l, err := b.Logins.Get(t.Context(), "sdg", "l1")
				if err != nil {
					return err
				}
				before := books.Encode(l)
				l.Last = now
				return b.Store.Apply(t.Context(), store.Batch{
					Checks: []store.Check{{Key: b.Logins.Key("sdg", "l1"), Value: before}}, Writes: b.Logins.Put(l, 0),
				})
			},
		},
		"a rule that is taken back": {
			func(b *books.Books) string {
				return b.Rules.Key(access.Rule{ID: "r1", Application: "sdg", User: "anne"})
			},
			access.Rule{ID: "r1", Application: "sdg", User: "anne", Effect: access.Allow, Created: now},
			func(t *testing.T, b *books.Books) error {
				r, err := b.Rules.Find(t.Context(), "sdg", "r1")
				if err != nil {
					return err
				}
				return b.Store.Apply(t.Context(), store.Batch{Writes: append(b.Rules.Delete(r), b.Rules.Put(r)...)})
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := books.New(memory.New())
			key := try.key(b)
			before := grown(t, books.Encode(try.record), hours)
			put(t, b.Store, key, before)
			if err := try.change(t, b); err != nil {
				t.Fatal(err)
			}
			if got := field(t, b.Store, key, "Hours"); got != "08-17" {
				t.Errorf("a text became %v", got)
			}
			if got, ok := field(t, b.Store, key, "Nested").(map[any]any); !ok || len(got["Deep"].([]any)) != 2 {
				t.Errorf("a map became %v", got)
			}
			if after, err := b.Store.Get(t.Context(), key); err != nil || name != "a rule that is taken back" && bytes.Equal(before, after) {
				t.Errorf("nothing was changed: %v", err)
			}
		})
	}
}

func TestAConnectionKeepsItsNewerFieldsWhenItIsSeenAgain(t *testing.T) {
	b := books.New(memory.New())
	now := time.Unix(1_800_000_000, 0)
	c := books.Connection{ID: books.NewConnectionID(now, "anne"), User: "anne", Application: "sdg", First: now, Last: now, Count: 1}
	writes := b.Connections.Put(c)
	newer := string(books.Encode(map[int]string{99: "of a version to come"}))
	writes[0].Value = append(writes[0].Value, newer...)
	put := func(writes []store.Write) {
		if err := b.Store.Apply(t.Context(), store.Batch{Writes: writes}); err != nil {
			t.Fatal(err)
		}
	}
	put(writes)
	got, err := b.Connections.Get(t.Context(), "sdg", c.ID)
	if err != nil {
		t.Fatal(err)
	}
	before := got.Last
	got.Last, got.Count = now.Add(time.Hour), 2
	put(b.Connections.Touch(got, before))
	if got, err = b.Connections.Get(t.Context(), "sdg", c.ID); err != nil || got.Newer() != newer || got.Count != 2 {
		t.Errorf("it became %q, %v", got.Newer(), err)
	}
}

// What a record says itself goes before what it carries: a lock that was taken
// away must not come back with the fields of a newer version.
func TestANewerVersionsFieldsBringNothingBack(t *testing.T) {
	b := books.New(memory.New())
	user := books.User{User: "anne", Locked: map[string]books.Mark{"": {By: "marie"}}}
	put(t, b.Store, b.Users.Key("anne"), grown(t, books.Encode(user), map[any]any{"Hours": "08-17"}))
	got, err := b.Users.Update(t.Context(), "anne", func(u *books.User) ([]store.Write, bool, error) {
		u.Locked = nil
		return nil, true, nil
	})
	if err != nil || got.IsLocked("sdg") {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err = b.Users.Get(t.Context(), "anne"); err != nil || got.IsLocked("sdg") || field(t, b.Store, b.Users.Key("anne"), "Hours") != "08-17" {
		t.Errorf("read again: %+v, %v", got, err)
	}
}

func TestEqualRecordsWithNewerFieldsAreEqualBytes(t *testing.T) {
	raw := grown(t, books.Encode(books.User{User: "anne", Name: "Anne", Created: time.Unix(1_800_000_000, 0)}),
		map[any]any{"A": uint64(1), "zz": "last", "Middle": []any{true}})
	var u books.User
	if err := books.Decode(raw, &u); err != nil {
		t.Fatal(err)
	}
	if again := books.Encode(u); !bytes.Equal(raw, again) {
		t.Errorf("a precondition on what was read would never hold:\n%x\n%x", raw, again)
	}
}

// Kinds of records that are not known stay where they are, and are in a
// backup.
func TestKindsOfANewerVersionStay(t *testing.T) {
	b := books.New(memory.New())
	key := books.Key("sdg", "kind-to-come", "x")
	put(t, b.Store, key, []byte("v"))
	var file bytes.Buffer
	if _, err := books.Backup(t.Context(), b.Store, &file, time.Now()); err != nil {
		t.Fatal(err)
	}
	into := memory.New()
	if _, err := books.Restore(t.Context(), into, &file); err != nil {
		t.Fatal(err)
	}
	if got, err := into.Get(t.Context(), key); err != nil || string(got) != "v" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAStoreThatIsTooNewIsRefusedInWords(t *testing.T) {
	st := memory.New()
	if newer, err := books.Agree(t.Context(), st); err != nil || newer {
		t.Fatalf("an empty store: %v, %v", newer, err)
	}
	put(t, st, books.FormatKey(), books.Encode(map[string]any{"Format": 2, "Least": 1, "Note": "from afar"}))
	if newer, err := books.Agree(t.Context(), st); err != nil || !newer {
		t.Errorf("the version after this one shares the store: %v, %v", newer, err)
	}
	if got := field(t, st, books.FormatKey(), "Note"); got != "from afar" {
		t.Errorf("its word became %v", got)
	}

	needs := books.Encode(map[string]any{"Format": 3, "Least": 2})
	put(t, st, books.FormatKey(), needs)
	_, err := books.Agree(t.Context(), st)
	if !errors.Is(err, books.ErrTooNew) || !strings.Contains(err.Error(), "format 2") || !strings.Contains(err.Error(), "backup") {
		t.Errorf("got %v", err)
	}
	if kept, err := st.Get(t.Context(), books.FormatKey()); err != nil || !slices.Equal(kept, needs) {
		t.Errorf("what the newer version said was changed: %x, %v", kept, err)
	}

	var file bytes.Buffer
	if _, err := books.Backup(t.Context(), st, &file, time.Now()); err != nil {
		t.Fatal(err)
	}
	into := memory.New()
	if _, err := books.Restore(t.Context(), into, &file); !errors.Is(err, books.ErrTooNew) {
		t.Errorf("a backup of it is restored: %v", err)
	}
	if left, err := into.Partitions(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("and left %q, %v", left, err)
	}
}

func TestARuleThatANewerVersionNarrowedAllowsNothing(t *testing.T) {
	b := books.New(memory.New())
	now := time.Unix(1_800_000_000, 0)
	visit := access.Visit{User: "anne", Application: "sdg", Device: access.Device{ID: "d"}}
	for _, c := range []struct {
		effect access.Effect
		more   map[any]any
		step   access.Step
		answer access.Answer
	}{
		{access.Allow, nil, access.StepRule, access.LetIn},
		{access.Allow, map[any]any{"Hours": "08-17"}, access.StepPolicy, access.Approval},
		{access.Refuse, map[any]any{"Hours": "08-17"}, access.StepRule, access.Deny},
	} {
		r := access.Rule{ID: "r", Application: "sdg", User: "anne", Effect: c.effect, Created: now}
		put(t, b.Store, b.Rules.Key(r), grown(t, books.Encode(r), c.more))
		rules, err := b.Rules.For(t.Context(), "sdg", "anne")
		if err != nil {
			t.Fatal(err)
		}
		got := access.Decide(visit, access.Standing{Closed: true, Rules: rules}, now)
		if got.Step != c.step || got.Answer != c.answer {
			t.Errorf("%s with %v: %s by %s", c.effect, c.more, got.Answer, got.Step)
		}
	}
}
