// Package storetest says what every backend of store must do: one suite that
// runs over all of them.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
)

// patience is how long the suite waits for what must come: an event, an
// expiry. It is long so that a busy machine fails nothing.
const patience = 20 * time.Second

// Run holds a backend against the contract of store. Each test opens an empty
// store of its own and closes it.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, st store.Store)
	}{
		{"a value comes back byte for byte", values},
		{"the caller owns the bytes that go in and come out", ownership},
		{"a range is in byte order and inside its prefix", ranges},
		{"a range goes on behind a key in both directions", pages},
		{"a range over all depths is in byte order", depths},
		{"several queries at once answer as one by one", several},
		{"a batch whose checks hold is applied", checks},
		{"a batch that conflicts leaves nothing behind", conflicts},
		{"writes to one key happen in their order", sequence},
		{"a batch stays in one partition", partitions},
		{"too much is refused and leaves nothing behind", limits},
		{"partitions are listed while they hold something", listing},
		{"a key goes when its time is over", expiry},
		{"a write sets the time anew", renewal},
		{"a watch sends writes in their order", watch},
		{"a watch sends nothing of what failed or of another prefix", watchFilter},
		{"a watch sends nothing of quiet writes", watchQuiet},
		{"two watches both get everything", watchTwice},
		{"a watch ends with its context", watchEnd},
		{"a receiver that does not read holds up no writer", watchStalled},
		{"no update is lost among many goroutines", counters},
		{"each watch sees all writes of many goroutines in one order", watchOrder},
		{"what comes after Close is refused", closed},
		{"a context that has ended stops a call", cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := open(t)
			defer func() {
				if err := st.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}()
			c.test(t, st)
		})
	}
}

// RunShared holds two handles on the same data against the contract: open
// returns two that share nothing but the server behind them.
func RunShared(t *testing.T, open func(t *testing.T) (one, other store.Store)) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, one, other store.Store)
	}{
		{"a write through one handle is read through the other", func(t *testing.T, one, other store.Store) {
			put(t, one, "app/k", "v")
			want(t, other, "app/k", "v")
		}},
		{"a write through one handle reaches a watch on the other", func(t *testing.T, one, other store.Store) {
			events := watching(t, other, "app/")
			put(t, one, "app/a", "1")
			put(t, one, "app/b", "2")
			expect(t, events, store.Event{Key: "app/a", Value: []byte("1")}, store.Event{Key: "app/b", Value: []byte("2")})
		}},
		{"a check sees the other handle's write", func(t *testing.T, one, other store.Store) {
			put(t, one, "app/k", "v")
			err := other.Apply(t.Context(), store.Batch{
				Checks: []store.Check{{Key: "app/k"}},
				Writes: []store.Write{{Key: "app/k", Value: []byte("mine")}},
			})
			if !errors.Is(err, store.ErrConflict) {
				t.Errorf("got %v, want ErrConflict", err)
			}
		}},
		{"no update is lost between two handles", func(t *testing.T, one, other store.Store) {
			count(t, "app/n", 10, 10, one, other)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			one, other := open(t)
			c.test(t, one, other)
			for _, st := range []store.Store{one, other} {
				if err := st.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}
		})
	}
}

// binary is every byte there is, in keys and in values.
var binary = func() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}()

func values(t *testing.T, st store.Store) {
	for name, v := range map[string][]byte{
		"app/text":                  []byte("é"),
		"app/empty":                 {},
		"app/binary":                binary,
		"app/" + string(binary):     []byte("under a binary key"),
		"app/large":                 bytes.Repeat([]byte{0, 255}, 1<<19),
		"{app}/braces":              []byte("partition with braces"),
		"}/brace":                   []byte("partition of one brace"),
		"app.example.com:8443/port": []byte("partition of a host"),
		"école/accent":              []byte("partition with an accent"),
		"100%/percent":              []byte("partition with a percent sign"),
		"app/":                      []byte("nothing behind the slash"),
	} {
		apply(t, st, store.Batch{Writes: []store.Write{{Key: name, Value: v}}})
		got, err := st.Get(t.Context(), name)
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if got == nil || !bytes.Equal(got, v) {
			t.Errorf("%q: got %d bytes (nil: %t), want %d", name, len(got), got == nil, len(v))
		}
		entries, err := st.Range(t.Context(), store.Query{Prefix: name})
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if len(entries) == 0 || entries[0].Key != name || entries[0].Value == nil || !bytes.Equal(entries[0].Value, v) {
			t.Errorf("%q: not the first of its range", name)
		}
	}
	missing(t, st, "app/never")
	missing(t, st, "never/never")
	apply(t, st, store.Batch{Writes: []store.Write{{Key: "app/text"}, {Key: "app/never"}}})
	missing(t, st, "app/text")
}

func ownership(t *testing.T, st store.Store) {
	v := []byte("value")
	apply(t, st, store.Batch{Writes: []store.Write{{Key: "app/k", Value: v}}})
	v[0] = '!'
	got, err := st.Get(t.Context(), "app/k")
	if err != nil {
		t.Fatal(err)
	}
	got[1] = '!'
	entries := list(t, st, store.Query{Prefix: "app/"})
	entries[0].Value[2] = '!'
	want(t, st, "app/k", "value")
}

func ranges(t *testing.T, st store.Store) {
	all := []string{"app/", "app/a", "app/a/", "app/a/1", "app/a/10", "app/a/2", "app/a0", "app/b/\x00", "app/b/\x00\x00", "app/b/\xff", "app/b/\xff\xff", "app/é"}
	for _, i := range []int{7, 3, 11, 0, 9, 5, 1, 8, 2, 10, 4, 6} {
		put(t, st, all[i], "v")
	}
	put(t, st, "app0/x", "v")
	put(t, st, "ap/x", "v")
	for _, c := range []struct {
		name string
		q    store.Query
		want []string
	}{
		{"a whole partition", store.Query{Prefix: "app/"}, all},
		{"a prefix is text, not a folder", store.Query{Prefix: "app/a"}, all[1:7]},
		{"a folder", store.Query{Prefix: "app/a/"}, all[2:6]},
		{"the highest bytes", store.Query{Prefix: "app/b/\xff"}, all[9:11]},
		{"zero bytes", store.Query{Prefix: "app/b/\x00"}, all[7:9]},
		{"nothing there", store.Query{Prefix: "app/z"}, nil},
		{"no such partition", store.Query{Prefix: "nobody/"}, nil},
		{"with a limit", store.Query{Prefix: "app/", Limit: 3}, all[:3]},
		{"backwards", store.Query{Prefix: "app/a/", Reverse: true}, []string{"app/a/2", "app/a/10", "app/a/1", "app/a/"}},
		{"backwards with a limit", store.Query{Prefix: "app/", Reverse: true, Limit: 2}, []string{"app/é", "app/b/\xff\xff"}},
		{"behind a key", store.Query{Prefix: "app/a/", After: "app/a/1"}, all[4:6]},
		{"behind a key that is not there", store.Query{Prefix: "app/a/", After: "app/a/11"}, all[5:6]},
		{"behind a key before the prefix", store.Query{Prefix: "app/a/", After: "app/"}, all[2:6]},
		{"behind a key after the prefix", store.Query{Prefix: "app/a/", After: "app/b"}, nil},
		{"backwards from a key", store.Query{Prefix: "app/a/", After: "app/a/10", Reverse: true}, []string{"app/a/1", "app/a/"}},
		{"backwards from a key after the prefix", store.Query{Prefix: "app/a/", After: "app/z", Reverse: true, Limit: 1}, []string{"app/a/2"}},
		{"backwards from a key before the prefix", store.Query{Prefix: "app/a/", After: "app/a", Reverse: true}, nil},
	} {
		if got := keys(list(t, st, c.q)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	for _, e := range list(t, st, store.Query{Prefix: "app/", KeysOnly: true}) {
		if e.Value != nil {
			t.Errorf("%q came with its value, only keys were asked for", e.Key)
		}
	}
	for _, prefix := range []string{"", "app", "/app"} {
		if _, err := st.Range(t.Context(), store.Query{Prefix: prefix}); !errors.Is(err, store.ErrPartition) {
			t.Errorf("prefix %q: got %v, want ErrPartition", prefix, err)
		}
	}
}

func pages(t *testing.T, st store.Store) {
	var all []string
	var b store.Batch
	for i := range 2345 {
		all = append(all, fmt.Sprintf("app/n/%05d", i))
		b.Writes = append(b.Writes, store.Write{Key: all[i], Value: []byte(strconv.Itoa(i))})
	}
	apply(t, st, b)
	if n := len(list(t, st, store.Query{Prefix: "app/n/"})); n != 1000 {
		t.Errorf("a query without a limit returned %d entries, want 1000", n)
	}
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	for _, reverse := range []bool{false, true} {
		var got []string
		q := store.Query{Prefix: "app/n/", Limit: 100, Reverse: reverse}
		for {
			entries := list(t, st, q)
			if len(entries) == 0 {
				break
			}
			for _, e := range entries {
				if string(e.Value) != strconv.Itoa(number(t, e.Key)) {
					t.Fatalf("%q has value %q", e.Key, e.Value)
				}
			}
			got = append(got, keys(entries)...)
			q.After = got[len(got)-1]
		}
		expected := all
		if reverse {
			expected = backwards
		}
		if !slices.Equal(got, expected) {
			t.Errorf("reverse %t: %d keys by pages, not the %d there are in order", reverse, len(got), len(all))
		}
	}
}

func number(t *testing.T, key string) int {
	t.Helper()
	n, err := strconv.Atoi(key[strings.LastIndexByte(key, '/')+1:])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func checks(t *testing.T, st store.Store) {
	put(t, st, "app/a", "1")
	put(t, st, "app/empty", "")
	apply(t, st, store.Batch{
		Checks: []store.Check{
			{Key: "app/a", Value: []byte("1")},
			{Key: "app/empty", Value: []byte{}},
			{Key: "app/b"},
		},
		Writes: []store.Write{
			{Key: "app/a", Value: []byte("2")},
			{Key: "app/b", Value: []byte("new")},
			{Key: "app/empty"},
		},
	})
	want(t, st, "app/a", "2")
	want(t, st, "app/b", "new")
	missing(t, st, "app/empty")
	// Checks alone, and nothing at all.
	apply(t, st, store.Batch{Checks: []store.Check{{Key: "app/a", Value: []byte("2")}, {Key: "app/never"}}})
	apply(t, st, store.Batch{})
}

func conflicts(t *testing.T, st store.Store) {
	put(t, st, "app/a", "1")
	put(t, st, "app/empty", "")
	for name, check := range map[string]store.Check{
		"another value":                  {Key: "app/a", Value: []byte("2")},
		"a longer value":                 {Key: "app/a", Value: []byte("1\x00")},
		"an empty value":                 {Key: "app/a", Value: []byte{}},
		"there, wanted missing":          {Key: "app/a"},
		"empty is there, wanted missing": {Key: "app/empty"},
		"missing, wanted there":          {Key: "app/b", Value: []byte("1")},
		"missing, wanted empty":          {Key: "app/b", Value: []byte{}},
	} {
		err := st.Apply(t.Context(), store.Batch{
			Checks: []store.Check{{Key: "app/empty", Value: []byte{}}, check},
			Writes: []store.Write{{Key: "app/a", Value: []byte("changed")}, {Key: "app/c", Value: []byte("new")}, {Key: "app/empty"}},
		})
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: got %v, want ErrConflict", name, err)
		}
		want(t, st, "app/a", "1")
		want(t, st, "app/empty", "")
		missing(t, st, "app/c")
	}
	err := st.Apply(t.Context(), store.Batch{Checks: []store.Check{{Key: "app/b", Value: []byte("1")}}})
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("a check alone: got %v, want ErrConflict", err)
	}
}

func sequence(t *testing.T, st store.Store) {
	put(t, st, "app/b", "old")
	apply(t, st, store.Batch{
		Checks: []store.Check{{Key: "app/a"}},
		Writes: []store.Write{
			{Key: "app/a", Value: []byte("1")},
			{Key: "app/a", Value: []byte("2")},
			{Key: "app/b"},
			{Key: "app/b", Value: []byte("3")},
			{Key: "app/c", Value: []byte("4")},
			{Key: "app/c"},
		},
	})
	want(t, st, "app/a", "2")
	want(t, st, "app/b", "3")
	missing(t, st, "app/c")
	if got := keys(list(t, st, store.Query{Prefix: "app/"})); !slices.Equal(got, []string{"app/a", "app/b"}) {
		t.Errorf("got %q", got)
	}
}

func partitions(t *testing.T, st store.Store) {
	for name, b := range map[string]store.Batch{
		"two partitions":           {Writes: []store.Write{{Key: "one/a", Value: []byte("1")}, {Key: "two/a", Value: []byte("1")}}},
		"a check elsewhere":        {Checks: []store.Check{{Key: "two/a"}}, Writes: []store.Write{{Key: "one/a", Value: []byte("1")}}},
		"no partition":             {Writes: []store.Write{{Key: "a", Value: []byte("1")}}},
		"an empty partition":       {Writes: []store.Write{{Key: "/a", Value: []byte("1")}}},
		"an empty key":             {Writes: []store.Write{{Key: "", Value: []byte("1")}}},
		"a check of no partition":  {Checks: []store.Check{{Key: "a"}}},
		"one good and one without": {Writes: []store.Write{{Key: "one/a", Value: []byte("1")}, {Key: "a"}}},
	} {
		if err := st.Apply(t.Context(), b); !errors.Is(err, store.ErrPartition) {
			t.Errorf("%s: got %v, want ErrPartition", name, err)
		}
	}
	missing(t, st, "one/a")
	missing(t, st, "two/a")
	if _, err := st.Get(t.Context(), "a"); !errors.Is(err, store.ErrPartition) {
		t.Errorf("get: got %v, want ErrPartition", err)
	}
	if _, err := st.Watch(t.Context(), ""); !errors.Is(err, store.ErrPartition) {
		t.Errorf("watch: got %v, want ErrPartition", err)
	}
}

func limits(t *testing.T, st store.Store) {
	long := "app/" + strings.Repeat("k", store.MaxKey-len("app/"))
	put(t, st, long, "v")
	want(t, st, long, "v")
	for name, b := range map[string]store.Batch{
		"a key":          {Writes: []store.Write{{Key: "app/a", Value: []byte("1")}, {Key: long + "k", Value: []byte("1")}}},
		"a checked key":  {Checks: []store.Check{{Key: long + "k"}}, Writes: []store.Write{{Key: "app/a", Value: []byte("1")}}},
		"a value":        {Writes: []store.Write{{Key: "app/a", Value: []byte("1")}, {Key: "app/b", Value: make([]byte, store.MaxValue+1)}}},
		"a negative TTL": {Writes: []store.Write{{Key: "app/a", Value: []byte("1"), TTL: -1}}},
	} {
		err := st.Apply(t.Context(), b)
		if !errors.Is(err, store.ErrTooLarge) && !errors.Is(err, store.ErrTTL) {
			t.Errorf("%s: got %v, want ErrTooLarge or ErrTTL", name, err)
		}
	}
	missing(t, st, "app/a")
}

func listing(t *testing.T, st store.Store) {
	expectPartitions := func(wanted ...string) {
		t.Helper()
		got, err := st.Partitions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, wanted) {
			t.Errorf("got %q, want %q", got, wanted)
		}
	}
	expectPartitions()
	for _, p := range []string{"é", "two", "{one}", "100%", "two "} {
		put(t, st, p+"/k", "v")
	}
	expectPartitions("100%", "two", "two ", "{one}", "é")
	apply(t, st, store.Batch{Writes: []store.Write{{Key: "two/k"}, {Key: "two/never"}}})
	apply(t, st, store.Batch{Writes: []store.Write{{Key: "never/k"}}})
	expectPartitions("100%", "two ", "{one}", "é")
	put(t, st, "two/again", "")
	expectPartitions("100%", "two", "two ", "{one}", "é")
}

func expiry(t *testing.T, st store.Store) {
	apply(t, st, store.Batch{Writes: []store.Write{
		{Key: "app/1", Value: []byte("stays")},
		{Key: "app/2", Value: []byte("goes"), TTL: 50 * time.Millisecond},
		{Key: "app/3", Value: []byte("goes later"), TTL: time.Hour},
		{Key: "app/4", Value: []byte("goes at once"), TTL: 1},
	}})
	apply(t, st, store.Batch{Writes: []store.Write{{Key: "brief/1", Value: []byte("the only one"), TTL: 50 * time.Millisecond}}})
	want(t, st, "app/3", "goes later")
	for _, k := range []string{"app/2", "app/4", "brief/1"} {
		gone(t, st, k)
	}
	want(t, st, "app/1", "stays")
	want(t, st, "app/3", "goes later")
	for _, reverse := range []bool{false, true} {
		entries := list(t, st, store.Query{Prefix: "app/", Reverse: reverse})
		if reverse {
			slices.Reverse(entries)
		}
		if got := keys(entries); !slices.Equal(got, []string{"app/1", "app/3"}) {
			t.Fatalf("got %q, want what is left", got)
		}
		if entries[0].TTL != 0 {
			t.Errorf("what stays has %s left", entries[0].TTL)
		}
		if left := entries[1].TTL; left <= 0 || left > time.Hour {
			t.Errorf("what goes in an hour has %s left", left)
		}
	}
	// Expired entries count towards no limit.
	if got := keys(list(t, st, store.Query{Prefix: "app/", Limit: 2})); !slices.Equal(got, []string{"app/1", "app/3"}) {
		t.Errorf("with a limit: got %q", got)
	}
	if got, err := st.Partitions(t.Context()); err != nil || !slices.Equal(got, []string{"app"}) {
		t.Errorf("partitions: got %q, %v", got, err)
	}
	err := st.Apply(t.Context(), store.Batch{Checks: []store.Check{{Key: "app/2", Value: []byte("goes")}}})
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("a check of what has expired: got %v, want ErrConflict", err)
	}
	apply(t, st, store.Batch{
		Checks: []store.Check{{Key: "app/2"}},
		Writes: []store.Write{{Key: "app/2", Value: []byte("back")}},
	})
	want(t, st, "app/2", "back")
}

func renewal(t *testing.T, st store.Store) {
	short := 50 * time.Millisecond
	apply(t, st, store.Batch{Writes: []store.Write{
		{Key: "app/for good", Value: []byte("1"), TTL: short},
		{Key: "app/longer", Value: []byte("1"), TTL: short},
		{Key: "app/marker", Value: []byte("1"), TTL: short},
		{Key: "app/shorter", Value: []byte("1"), TTL: time.Hour},
		{Key: "app/again", Value: []byte("1"), TTL: time.Hour},
	}})
	apply(t, st, store.Batch{Writes: []store.Write{
		{Key: "app/for good", Value: []byte("2")},
		{Key: "app/longer", Value: []byte("2"), TTL: time.Hour},
		{Key: "app/shorter", Value: []byte("2"), TTL: short},
		{Key: "app/again"},
		{Key: "app/again", Value: []byte("2")},
	}})
	gone(t, st, "app/marker")
	gone(t, st, "app/shorter")
	want(t, st, "app/for good", "2")
	want(t, st, "app/longer", "2")
	for _, e := range list(t, st, store.Query{Prefix: "app/", KeysOnly: true}) {
		if (e.TTL > 0) != (e.Key == "app/longer") {
			t.Errorf("%q has %s left", e.Key, e.TTL)
		}
	}
}

func counters(t *testing.T, st store.Store) {
	count(t, "app/n", 16, 20, st)
}

// count lets workers add one to a number under key, times each, in turn
// through the stores, and sees that no addition was lost.
func count(t *testing.T, key string, workers, times int, stores ...store.Store) {
	t.Helper()
	var wg sync.WaitGroup
	for w := range workers {
		st := stores[w%len(stores)]
		wg.Go(func() {
			for range times {
				if err := increment(t.Context(), st, key); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	want(t, stores[0], key, strconv.Itoa(workers*times))
}

func increment(ctx context.Context, st store.Store, key string) error {
	for {
		old, err := st.Get(ctx, key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		n, _ := strconv.Atoi(string(old))
		err = st.Apply(ctx, store.Batch{
			Checks: []store.Check{{Key: key, Value: old}},
			Writes: []store.Write{{Key: key, Value: strconv.AppendInt(nil, int64(n+1), 10)}},
		})
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

func closed(t *testing.T, st store.Store) {
	put(t, st, "app/k", "v")
	events := watching(t, st, "app/")
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	ended(t, events)
	if err := st.Close(); err != nil {
		t.Errorf("a second close: %v", err)
	}
	_, err := st.Get(t.Context(), "app/k")
	refused(t, "get", err)
	_, err = st.Range(t.Context(), store.Query{Prefix: "app/"})
	refused(t, "range", err)
	refused(t, "apply", st.Apply(t.Context(), store.Batch{Writes: []store.Write{{Key: "app/k", Value: []byte("v")}}}))
	refused(t, "check", st.Apply(t.Context(), store.Batch{Checks: []store.Check{{Key: "app/k", Value: []byte("v")}}}))
	_, err = st.Watch(t.Context(), "app/")
	refused(t, "watch", err)
	_, err = st.Partitions(t.Context())
	refused(t, "partitions", err)
}

func refused(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrClosed) {
		t.Errorf("%s: got %v, want ErrClosed", what, err)
	}
}

func cancelled(t *testing.T, st store.Store) {
	put(t, st, "app/k", "v")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, get := st.Get(ctx, "app/k")
	_, rng := st.Range(ctx, store.Query{Prefix: "app/"})
	_, wat := st.Watch(ctx, "app/")
	_, par := st.Partitions(ctx)
	apl := st.Apply(ctx, store.Batch{Writes: []store.Write{{Key: "app/k", Value: []byte("changed")}}})
	for what, err := range map[string]error{"get": get, "range": rng, "watch": wat, "partitions": par, "apply": apl} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", what, err)
		}
	}
	want(t, st, "app/k", "v")
}
