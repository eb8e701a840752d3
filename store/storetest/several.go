package storetest

import (
	"errors"
	"reflect"
	"testing"

	"github.com/cadenas-gateway/cadenas/store"
)

// several asks queries of many shapes, one by one and at once.
func several(t *testing.T, st store.Store) {
	for _, key := range []string{"app/a/1", "app/a/2", "app/a/3", "app/ab", "app/b", "other/a/1", "_/user/marie", "_/user/marie2"} {
		put(t, st, key, "value of "+key)
	}
	queries := []store.Query{
		store.One("_/user/marie"),
		store.One("_/user/mari"),
		store.One("_/user/nobody"),
		{Prefix: "app/a/"},
		{Prefix: "app/a/", Reverse: true, Limit: 2},
		{Prefix: "app/", After: "app/a/2", KeysOnly: true},
		{Prefix: "other/"},
		{Prefix: "nothing/"},
		{Prefix: "app/a/", After: "app/b"},
	}
	for range 2 { // a server knows the script the second time
		all, err := store.Ranges(t.Context(), st, queries...)
		if err != nil || len(all) != len(queries) {
			t.Fatalf("%d answers to %d queries: %v", len(all), len(queries), err)
		}
		for i, q := range queries {
			if one := list(t, st, q); len(one)+len(all[i]) > 0 && !reflect.DeepEqual(all[i], one) {
				t.Errorf("%+v: %v at once, %v alone", q, all[i], one)
			}
		}
		if len(all[0]) != 1 || all[0][0].Key != "_/user/marie" || string(all[0][0].Value) != "value of _/user/marie" {
			t.Errorf("the query for one key: %v", all[0])
		}
		if len(all[2]) != 0 {
			t.Errorf("the query for a key that is not there: %v", all[2])
		}
	}
	if none, err := store.Ranges(t.Context(), st); err != nil || len(none) != 0 {
		t.Errorf("no queries: %v, %v", none, err)
	}
	if _, err := store.Ranges(t.Context(), st, queries[0], store.Query{Prefix: "app"}); !errors.Is(err, store.ErrPartition) {
		t.Errorf("a query without a partition among others: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Ranges(t.Context(), st, queries[0]); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
