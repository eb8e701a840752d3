package store

import "context"

// Several is what a store can do that answers many queries at less cost than
// one after the other: in one transaction, or in one journey to a server.
type Several interface {
	// Ranges returns the entries of each query, as Range does. Whether they are
	// of one moment is the backend's to say: bolt's are, redis's need not be.
	Ranges(ctx context.Context, queries []Query) ([][]Entry, error)
}

// Ranges asks a store several queries, at once where it can.
func Ranges(ctx context.Context, st Store, queries ...Query) ([][]Entry, error) {
	if s, ok := st.(Several); ok {
		return s.Ranges(ctx, queries)
	}
	all := make([][]Entry, len(queries))
	for i, q := range queries {
		var err error
		if all[i], err = st.Range(ctx, q); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// One is the query for what Get returns: the entries of its answer are none, or
// one under another key, or the one under this.
func One(key string) Query { return Query{Prefix: key, Limit: 1} }
