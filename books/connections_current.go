package books

import (
	"context"

	"github.com/cadenas-gateway/cadenas/store"
)

// Current reads connections of one application as they are in store now, by
// identifier, in one journey there; those that are gone are not among them. An
// instance whose store others write to as well asks before it writes a visit:
// the line of the index that has to go is that of the last visit anywhere.
func (b Connections) Current(ctx context.Context, application string, list []Connection) (map[string]Connection, error) {
	if len(list) == 0 {
		return nil, nil
	}
	queries := make([]store.Query, len(list))
	for i, c := range list {
		queries[i] = store.One(connectionKey(application, c.User, c.mark()))
	}
	found, err := store.Ranges(ctx, b.st, queries...)
	if err != nil {
		return nil, err
	}
	current := make(map[string]Connection, len(list))
	for i, c := range list {
		if len(found[i]) == 0 || found[i][0].Key != queries[i].Prefix {
			continue
		}
		now, err := b.read(ctx, application, c.User, c.mark(), found[i][0].Value)
		if err != nil {
			return nil, err
		}
		current[c.ID] = now
	}
	return current, nil
}
