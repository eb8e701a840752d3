package books

import (
	"context"
	"errors"
	"fmt"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/store"
)

// changeAtOnce is how many rules Change writes in one batch.
const changeAtOnce = 100

// Change changes those rules of an application ("" for those about all) that
// change says yes to; what it changes of them must not be what their key is made
// of. A rule that ends or is edited meanwhile is read again: none comes back that
// somebody ended.
func (b Rules) Change(ctx context.Context, application string, change func(r *access.Rule) bool) error {
	prefix := Prefix(application, "rule")
	q := store.Query{Prefix: prefix, Limit: changeAtOnce}
	for try := 0; ; {
		entries, err := b.st.Range(ctx, q)
		if err != nil {
			return fmt.Errorf("reading the rules: %w", err)
		}
		var batch store.Batch
		for _, e := range entries {
			var r access.Rule
			if err := Decode(e.Value, &r); err != nil {
				return fmt.Errorf("%s: %w", e.Key, err)
			}
			if change(&r) {
				batch.Checks = append(batch.Checks, store.Check{Key: e.Key, Value: e.Value})
				batch.Writes = append(batch.Writes, b.Put(r)...)
			}
		}
		if len(batch.Writes) > 0 {
			err := b.st.Apply(ctx, batch)
			if errors.Is(err, store.ErrConflict) && try < 50 {
				try++
				continue // this piece again
			}
			if err != nil {
				return fmt.Errorf("changing the rules: %w", err)
			}
		}
		if len(entries) < q.Limit {
			return nil
		}
		q.After, try = entries[len(entries)-1].Key, 0
	}
}
