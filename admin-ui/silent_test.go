package adminui_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// silent is a store that cannot be reached for a while.
type silent struct {
	store.Store
	away atomic.Bool
}

func (s *silent) Range(ctx context.Context, q store.Query) ([]store.Entry, error) {
	if s.away.Load() && !strings.Contains(q.Prefix, "admin") { // the house itself reads its admins
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	return s.Store.Range(ctx, q)
}

func TestAStoreThatIsNotReachedForAMomentIsNoMistakeOfTheConsole(t *testing.T) {
	st := &silent{Store: memory.New()}
	h := buildOn(t, st, fixture.Marie)
	b := h.signIn(fixture.Marie.Email)
	st.away.Store(true)
	a := b.get("/connections")
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || !strings.Contains(a.body, "does not answer just now") {
		t.Errorf("%d: %s", a.StatusCode, a.body)
	}
	st.away.Store(false)
	if a := b.get("/connections"); a.StatusCode != http.StatusOK {
		t.Errorf("with the store there again: %d", a.StatusCode)
	}
}
