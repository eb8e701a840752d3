package approvals

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

// Who is locked comes on what is known; their page must not say so.
func TestThreat_L17_AMadeUpRequestIsToldAndTreatedLikeOneThatWaits(t *testing.T) {
	locked := true
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	s := newService(t, func(c *Config) {
		c.Clock = func() time.Time { return now }
		c.Judge = func(context.Context, access.Visit) (access.Verdict, error) {
			if locked {
				return access.Verdict{Answer: access.Deny, Step: access.StepLocked}, nil
			}
			return access.Verdict{Answer: access.LetIn}, nil
		}
	})
	a := julie()
	a.New = nil
	made := s.Imitate(a)
	if len(made.New) != 3 {
		t.Errorf("new is %v: nobody waits for nothing", made.New)
	}
	ask := func(s *Service, holder Holder, method, path string) Status {
		t.Helper()
		h := s.WaitHandler(func(*http.Request) (Holder, bool) { return holder, true }, nil)
		r := httptest.NewRequest(method, WaitPath+path, strings.NewReader("note=it+is+me&code=ABCD-EFGH"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var st Status
		if err := json.NewDecoder(w.Body).Decode(&st); err != nil {
			t.Fatal(err)
		}
		return st
	}
	d := Holder{Application: a.Application, DeviceID: a.Device.ID}
	real := mustOpen(t, s, Ask{Application: a.Application, Person: access.Person{User: "samuel"}, Device: access.Device{ID: "d2"}, New: made.New, Asked: access.Approval})
	r := Holder{Application: a.Application, DeviceID: real.Device.ID}
	for _, form := range []string{"", "/note", "/note", "/pass", "/cancel"} {
		if form != "" {
			if x, y := ask(s, d, "POST", form), ask(s, r, "POST", form); x.Said != y.Said || x.State != y.State {
				t.Errorf("%q: made up %+v, real %+v", form, x, y)
			}
		}
		x, y := ask(s, d, "GET", "/state"), ask(s, r, "GET", "/state")
		if len(x.Reference) != len(y.Reference) || x.Reference == "" || x.Opened == nil || x.Opened.IsZero() {
			t.Errorf("after %q: %+v", form, x)
		}
		x.Reference, x.Opened, y.Reference, y.Opened, x.Version, y.Version = "", nil, "", nil, 0, 0
		if !reflect.DeepEqual(x, y) {
			t.Errorf("after %q: made up %+v, real %+v", form, x, y)
		}
	}

	// Another instance, told by the ticket, shows the same one; once the lock
	// has ended the page hears of it, though never right after a refusal.
	made = s.Imitate(a)
	other := newService(t, func(c *Config) { c.Clock, c.Judge = s.conf.Clock, s.conf.Judge })
	told := Imitation{Ask: a, Reference: made.Reference, Number: made.Number, Opened: made.Opened, Refused: made.Last}
	if shown := other.Imitated(told); shown.Reference != made.Reference || shown.Number != made.Number {
		t.Errorf("another instance shows %s %s", shown.Reference, shown.Number)
	}
	d.MadeUp = &told
	for _, c := range []struct {
		locked bool
		later  time.Duration
		state  string
	}{{true, time.Minute, "waiting"}, {false, 0, "approved"}, {false, -time.Minute, "waiting"}} {
		locked, now = c.locked, now.Add(c.later)
		if st := ask(other, d, "GET", "/state"); st.State != c.state {
			t.Errorf("locked %v, %v later: %s", c.locked, c.later, st.State)
		}
	}
	grouped := told
	grouped.Grouped, now = true, now.Add(time.Hour)
	d.MadeUp = &grouped
	if st := ask(other, d, "GET", "/state"); st.State != "waiting" {
		t.Errorf("groups are not carried along, and yet: %s", st.State)
	}
}
