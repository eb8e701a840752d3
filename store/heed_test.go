package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

type full struct {
	store.Store
	err error
}

func (f *full) Apply(ctx context.Context, b store.Batch) error {
	if f.err != nil {
		return f.err
	}
	return f.Store.Apply(ctx, b)
}

type fullFar struct{ *full }

func (fullFar) Heard() time.Time { return time.Unix(1, 0) }

func TestAStoreThatCannotBeWrittenIsHeeded(t *testing.T) {
	under := &full{Store: memory.New()}
	st := store.Heed(under, nil)
	heed, ok := st.(store.Troubled)
	if !ok {
		t.Fatal("it tells nothing")
	}
	write := store.Batch{Writes: []store.Write{{Key: "app/k", Value: []byte("v")}}}
	for _, c := range []struct {
		name    string
		fails   error
		trouble bool
	}{
		{"all is well", nil, false},
		{"somebody else was first", store.ErrConflict, false},
		{"the disk is full", errors.New("no space left on device"), true},
		{"a precondition fails meanwhile", store.ErrConflict, true},
		{"there is room again", nil, false},
	} {
		under.err = c.fails
		if err := st.Apply(t.Context(), write); !errors.Is(err, c.fails) {
			t.Errorf("%s: %v", c.name, err)
		}
		if since, err := heed.Trouble(); (err != nil) != c.trouble || since.IsZero() == c.trouble {
			t.Errorf("%s: since %s, %v", c.name, since, err)
		}
	}
	under.err = errors.New("no space left on device")
	if err := heed.Try(t.Context()); err == nil {
		t.Error("trying succeeds")
	}
	under.err = nil
	if err := heed.Try(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := heed.Trouble(); err != nil {
		t.Errorf("it is over, and not heeded: %v", err)
	}
	if _, far := st.(store.Remote); far {
		t.Error("a store here can lose sight of its server")
	}
	if far, ok := store.Heed(fullFar{under}, nil).(store.Remote); !ok || far.Heard() != time.Unix(1, 0) {
		t.Error("what Remote says is lost")
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}
