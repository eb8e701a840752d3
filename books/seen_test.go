package books_test

import (
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// TestConnectionsAreFoundByTheirLastVisit follows the index through a visit, a
// line that is no longer true, and a store that has none yet.
func TestConnectionsAreFoundByTheirLastVisit(t *testing.T) {
	ctx, st := t.Context(), memory.New()
	b := books.New(st)
	start := time.Unix(1_800_000_000, 0)
	var list []books.Connection
	name := map[string]string{}
	for i, short := range []string{"a", "b", "c"} {
		id := books.NewConnectionID(start, "julie")
		name[id] = short
		c := books.Connection{ID: id, User: "julie", Application: "files", First: start, Last: start.Add(time.Duration(i) * time.Hour)}
		list = append(list, c)
		apply(t, st, b.Connections.Put(c)...)
	}
	seen := func(since time.Time, after string) string {
		t.Helper()
		var ids string
		err := b.Connections.Seen(ctx, "files", since, after, func(s books.Sighting) bool {
			ids += name[s.ID()]
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	if got := seen(time.Time{}, ""); got != "cba" {
		t.Errorf("newest first: %s", got)
	}
	if got := seen(start.Add(time.Hour), ""); got != "cb" {
		t.Errorf("no older than an hour: %s", got)
	}
	if got := seen(time.Time{}, books.Position(list[2])); got != "ba" {
		t.Errorf("behind the newest: %s", got)
	}

	before := list[0].Last
	list[0].Last = start.Add(5 * time.Hour)
	apply(t, st, b.Connections.Touch(list[0], before)...)
	if got := seen(time.Time{}, ""); got != "acb" {
		t.Errorf("after a visit: %s", got)
	}

	// Another instance did not know of that visit: its line stays behind.
	list[0].Last = start.Add(6 * time.Hour)
	apply(t, st, b.Connections.Touch(list[0], before)...)
	if got := seen(time.Time{}, ""); got != "aacb" {
		t.Fatalf("two lines of one connection: %s", got)
	}
	var stale []books.Sighting
	var fresh books.Sighting
	err := b.Connections.Seen(ctx, "files", time.Time{}, "", func(s books.Sighting) bool {
		if name[s.ID()] == "b" {
			fresh = s
		}
		if _, ok, err := b.Connections.Load(ctx, s); err != nil {
			t.Error(err)
		} else if !ok {
			stale = append(stale, s)
		}
		return true
	})
	if err != nil || len(stale) != 1 {
		t.Fatalf("stale: %v %v", stale, err)
	}
	if err := b.Connections.Mend(ctx, append(stale, fresh)); err != nil {
		t.Fatal(err)
	}
	if got := seen(time.Time{}, ""); got != "acb" {
		t.Errorf("mended: %s", got)
	}

	apply(t, st, b.Connections.Delete(list[1])...)
	if got := seen(time.Time{}, ""); got != "ac" {
		t.Errorf("after forgetting: %s", got)
	}
}
