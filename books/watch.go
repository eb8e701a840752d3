package books

import (
	"context"
	"sync"

	"github.com/cadenas-gateway/cadenas/store"
)

// Watch sends the events of several applications, "" for what is shared, into
// one channel until ctx ends, when it closes. Events of one application keep
// their order.
func Watch(ctx context.Context, st store.Store, applications ...string) (<-chan store.Event, error) {
	all := make(chan store.Event)
	ctx, cancel := context.WithCancel(ctx)
	var feeds []<-chan store.Event
	for _, app := range applications {
		feed, err := st.Watch(ctx, Partition(app)+"/")
		if err != nil {
			cancel()
			return nil, err
		}
		feeds = append(feeds, feed)
	}
	var open sync.WaitGroup
	for _, feed := range feeds {
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
		cancel()
		close(all)
	}()
	return all, nil
}
