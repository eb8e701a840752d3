package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/store"
)

// depths holds ranges over keys of every depth, with bytes around the slash,
// against a sorted list: a backend may keep them apart by their parts.
func depths(t *testing.T, st store.Store) {
	var all []string
	for _, key := range []string{
		"", "\x00", "\x00\x00", "\x00/", "\x00/\x00", "/", "//", "/x", "a", "a/", "a/\x00", "a/\x00\x00", "a/\x01", "a/b", "a/b/", "a/b/c",
		"a!", "a!/b", "a.", "a./b", "a0", "a0/b", "aa", "aa/b/c", "b", "b/\xff", "b/\xff\xff", "\xff", "\xff/", "\xff\xff/x",
	} {
		all = append(all, "app/"+key)
		apply(t, st, store.Batch{Writes: []store.Write{{Key: "app/" + key, Value: []byte(key)}}})
	}
	put(t, st, "app!/of another", "partition")
	put(t, st, "app0/of another", "partition")
	slices.Sort(all)
	for _, prefix := range []string{"app/", "app/a", "app/a/", "app/a/b", "app/\x00", "app/\xff", "app/b/", "app/c"} {
		for _, after := range append([]string{"", "app/aaa", "app/a/a", "app!/z"}, all...) {
			for _, reverse := range []bool{false, true} {
				for _, limit := range []int{1, 3, 100} {
					var expected []string
					for _, key := range all {
						if strings.HasPrefix(key, prefix) && (after == "" || (!reverse && key > after) || (reverse && key < after)) {
							expected = append(expected, key)
						}
					}
					if reverse {
						slices.Reverse(expected)
					}
					expected = expected[:min(len(expected), limit)]
					entries := list(t, st, store.Query{Prefix: prefix, After: after, Reverse: reverse, Limit: limit})
					if got := keys(entries); !slices.Equal(got, expected) {
						t.Fatalf("prefix %q, after %q, reverse %t, limit %d:\ngot  %q\nwant %q", prefix, after, reverse, limit, got, expected)
					}
					for _, e := range entries {
						if "app/"+string(e.Value) != e.Key {
							t.Fatalf("%q has value %q", e.Key, e.Value)
						}
					}
				}
			}
		}
	}
	for i, key := range all {
		apply(t, st, store.Batch{Writes: []store.Write{{Key: key}}})
		if got := len(list(t, st, store.Query{Prefix: "app/"})); got != len(all)-i-1 {
			t.Fatalf("%d keys are left after %q was deleted, want %d", got, key, len(all)-i-1)
		}
	}
	names, err := st.Partitions(t.Context())
	if err != nil || fmt.Sprint(names) != "[app! app0]" {
		t.Errorf("partitions %q, %v", names, err)
	}
}
