package identity_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cadenas-gateway/cadenas/identity"
)

// The way of a request that a bound login makes: Clean, then Wrap with an
// answer that sets nothing. No store is read.
func BenchmarkBoundRequest(b *testing.B) {
	for _, c := range []struct {
		name string
		kept bool
	}{{"stamped", false}, {"told by its hash", true}} {
		b.Run(c.name, func(b *testing.B) {
			g := newGateway(b, judgeable())
			g.backend.rotates = !c.kept
			br := g.browser("02h7q3b5c9d0e1f2g3h4j5k6m7")
			br.allow("ann")
			br.get("/login")
			br.signIn("ann", passwords["ann"])
			r := br.request("GET", "/home", "", nil)
			line := r.Header.Get("Cookie") + "; theme=dark; lang=fr"
			header := r.Header["Cookie"]
			rec := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				header[0] = line
				r.Header["Cookie"] = header
				s := g.w.Clean(r, "02h7q3b5c9d0e1f2g3h4j5k6m7", identity.Closed)
				if s.Person.User != "ann" {
					b.Fatal(s.State)
				}
				if g.w.Classify(r, &s) != identity.StepOther {
					b.Fatal("step")
				}
				x := g.w.Wrap(rec, r, s, "02h7q3b5c9d0e1f2g3h4j5k6m7", identity.Closed)
				x.WriteHeader(http.StatusOK)
			}
		})
	}
}
