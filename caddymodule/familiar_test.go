package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/fingerprint"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/places"
)

// arrives sends the known person's request once more and tells what came of
// it: "signed in" or "bare" at the backend, or the status of a refusal.
func (q *hot) arrives(change func(r *http.Request)) string {
	q.t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(q.t.Context(), http.MethodGet, q.r.URL.String(), nil)
	r.Header = q.r.Header.Clone()
	r.Header["Cookie"] = []string{q.cookie[0]}
	r = arrived(r, w)
	if change != nil {
		change(r)
	}
	came := ""
	err := q.serve(w, r, caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		came = "bare"
		if r.Header.Get("Cookie") == "theme=dark; sid=0123456789abcdef0123456789abcdef" {
			came = "signed in"
		}
		return nil
	}))
	var refused caddyhttp.HandlerError
	if errors.As(err, &refused) {
		return fmt.Sprint(refused.StatusCode)
	}
	if err != nil {
		q.t.Fatal(err)
	}
	if came == "" {
		return fmt.Sprint(w.Code)
	}
	return came
}

// soon waits until something is so: what the store was told reaches the gate
// behind the requests that are asked meanwhile.
func (q *hot) soon(what string, so func() bool) {
	q.t.Helper()
	for end := time.Now().Add(10 * time.Second); !so(); {
		if time.Now().After(end) {
			q.t.Fatalf("not within ten seconds: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// kept returns what is kept of the known person's request.
func (q *hot) kept() *familiar {
	return q.run.familiar.slots[q.run.familiar.sum(q.site, new(shown), q.cookie[0], "198.51.100.7")%familiars].kept.Load()
}

func TestAFamiliarRequestIsJudgedByWhatHoldsNow(t *testing.T) {
	by := gate.By{Who: "marie@example.com", Via: "console"}
	for _, c := range []struct {
		name   string
		change func(q *hot) error
		on     func(r *http.Request)
		want   string
	}{
		{name: "nothing happened", want: "signed in"},
		{name: "a rule refuses the person", want: "403", change: func(q *hot) error {
			_, err := q.run.state.gate.AddRule(t.Context(), access.Rule{User: "marie", Application: "app", Device: q.kept().print.Fingerprint.Device.ID, Effect: access.Refuse}, by)
			return err
		}},
		{name: "the person is locked", want: "403", change: func(q *hot) error {
			_, err := q.run.state.gate.Treat(t.Context(), "marie", "", gate.TreatLocked, "", by)
			return err
		}},
		{name: "the rule that let them in has ended", want: "403", change: func(q *hot) error {
			_, err := q.run.state.gate.EndRule(t.Context(), "app", "r1", by)
			return err
		}},
		{name: "the login has ended", want: "bare", change: func(q *hot) error {
			return q.watching().End(t.Context(), q.kept().cleaned.Session.Login.ID)
		}},
		{name: "the padlock was opened", want: "signed in", change: func(q *hot) error {
			return q.run.state.gate.OpenPadlock(t.Context(), "app", by)
		}},
		{name: "the keys were given up", want: "bare", change: func(q *hot) error {
			for range 10 { // more than are kept
				if _, err := books.RotateKeys(t.Context(), q.run.state.store, q.run.state.wrap, time.Now()); err != nil {
					return err
				}
			}
			return nil
		}},
		{name: "the device's cookie was copied, and the copy is the newer one", want: "bare", change: func(q *hot) error {
			q.reader.Ledger.Learn(q.kept().print.Fingerprint.Device.ID, fingerprint.Mark{Newest: 7, Since: time.Now().Add(-time.Hour)})
			return nil
		}},
		{name: "what was known of device cookies was forgotten", want: "signed in", change: func(q *hot) error {
			q.reader.Ledger.Forget()
			return nil
		}},
		{name: "the network was given a name that is refused", want: "403", change: func(q *hot) error {
			refuse := access.Rule{User: "marie", Place: access.PlaceKey{Name: "Café"}, Effect: access.Refuse, Application: "app", Device: q.kept().print.Fingerprint.Device.ID}
			if _, err := q.run.state.gate.AddRule(t.Context(), refuse, by); err != nil {
				return err
			}
			if got := q.arrives(nil); got != "signed in" {
				return fmt.Errorf("before the name: %s", got)
			}
			return q.run.app.places.SetNetworks([]places.Network{{Name: "Café", Prefixes: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}})
		}},
		{name: "the same cookies in another browser", want: "signed in", on: func(r *http.Request) {
			r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0")
		}},
		{name: "the same cookies and a token that is nobody's", want: "signed in", on: func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer 0123456789")
		}},
		{name: "the same cookies and a session in the path", want: "400", on: func(r *http.Request) {
			r.URL.Path = "/api;jsessionid=1"
		}},
		{name: "a session more, without a stamp", want: "signed in", on: func(r *http.Request) { r.Header["Cookie"][0] += "; sid=another" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newHot(t)
			var before *familiar
			q.soon("a request that came again and again is familiar, and stays so", func() bool {
				for range 3 {
					if got := q.arrives(nil); got != "signed in" {
						t.Fatalf("the known person's request: %s", got)
					}
				}
				was := before
				before = q.kept()
				return before != nil && before == was
			})
			if c.change != nil {
				if err := c.change(q); err != nil {
					t.Fatal(err)
				}
			}
			q.soon("what holds now is "+c.want, func() bool { return q.arrives(c.on) == c.want })
			if got := q.arrives(c.on); got != c.want {
				t.Fatalf("got %s, want %s", got, c.want)
			}
			if c.change == nil && c.on == nil {
				q.soon("it is not judged anew", func() bool {
					was := q.kept()
					return q.arrives(nil) == c.want && q.kept() == was
				})
			}
		})
	}
}

func TestStrangersPushNobodyOutOfMemory(t *testing.T) {
	q := newHot(t)
	q.soon("a request that comes again is familiar", func() bool { q.arrives(nil); return q.kept() != nil })
	before := q.kept()
	for i := range 3 * familiars {
		q.arrives(func(r *http.Request) {
			r.Header["Cookie"][0] = fmt.Sprintf("sid=%d", i/2)
			r.Header.Set("User-Agent", fmt.Sprintf("Mozilla/5.0 (Thing; Device %d) Engine/1.0", i%7))
		})
	}
	if q.kept() != before {
		t.Error("strangers pushed a known person out")
	}
	if got := q.arrives(nil); got != "signed in" {
		t.Errorf("the known person's request: %s", got)
	}
}

// A session that a familiar request shares must not be changed by one of them.
func TestFamiliarRequestsShareWhatNobodyChanges(t *testing.T) {
	q := newHot(t)
	q.soon("a request that comes again is familiar", func() bool { q.arrives(nil); return q.kept() != nil })
	kept := q.kept()
	session, shown := fmt.Sprintf("%+v", kept.cleaned.Session), fmt.Sprintf("%+v", kept.print.Fingerprint)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, q.r.URL.String(), nil)
	r.Header = q.r.Header.Clone()
	r.Header["Cookie"] = []string{q.cookie[0]}
	w := httptest.NewRecorder()
	err := q.serve(w, arrived(r, w), caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Add("Set-Cookie", "sid=rotated; Path=/; HttpOnly")
		w.WriteHeader(http.StatusOK)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	if after := fmt.Sprintf("%+v", kept.cleaned.Session); after != session {
		t.Errorf("the session was %s and is %s", session, after)
	}
	if after := fmt.Sprintf("%+v", kept.print.Fingerprint); after != shown {
		t.Errorf("the fingerprint was %s and is %s", shown, after)
	}
}
