package books

import (
	"context"
	"sync"

	"github.com/cadenas-gateway/cadenas/store"
)

// Watch sends the events of several applications, "" for what is shared, into
// one channel until ctx ends or the store is closed, when it closes. Events of
// one application keep their order. A watch that ends or cannot begin is begun
// again; each beginning comes as an event with store.ErrBegun.
func Watch(ctx context.Context, st store.Store, applications ...string) <-chan store.Event {
	all := make(chan store.Event)
	var open sync.WaitGroup
	for _, app := range applications {
		feed := store.Follow(ctx, st, Partition(app)+"/")
		open.Go(func() {
			for e := range feed {
				select {
				case all <- e:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	go func() {
		open.Wait()
		close(all)
	}()
	return all
}
