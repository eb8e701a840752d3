package store_test

import (
	"testing"

	"github.com/cadenas-gateway/cadenas/store"
)

func TestTheSpanOfAQuery(t *testing.T) {
	for _, c := range []struct {
		name     string
		q        store.Query
		from, to string
	}{
		{"a partition", store.Query{Prefix: "app/"}, "app/", "app0"},
		{"a prefix", store.Query{Prefix: "app/rule/"}, "app/rule/", "app/rule0"},
		{"a prefix that ends in the highest byte", store.Query{Prefix: "app/\xff\xff"}, "app/\xff\xff", "app0"},
		{"behind a key", store.Query{Prefix: "app/", After: "app/k"}, "app/k\x00", "app0"},
		{"behind a key before it all", store.Query{Prefix: "app/", After: "a"}, "app/", "app0"},
		{"backwards from a key", store.Query{Prefix: "app/", After: "app/k", Reverse: true}, "app/", "app/k"},
		{"backwards from behind it all", store.Query{Prefix: "app/", After: "b", Reverse: true}, "app/", "app0"},
	} {
		if from, to, err := c.q.Span(); from != c.from || to != c.to || err != nil {
			t.Errorf("%s: got %q to %q, %v; want %q to %q", c.name, from, to, err, c.from, c.to)
		}
	}
}
