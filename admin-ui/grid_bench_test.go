package adminui_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
)

// BenchmarkGrid is one page of the grid over many connections.
func BenchmarkGrid(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"1k", 1000}, {"100k", 100_000}} {
		b.Run(size.name, func(b *testing.B) {
			t := &testing.T{}
			h := build(t, fixture.Marie)
			h.fill(size.n, 0)
			who := h.signIn(fixture.Marie.Email)
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, host+"/connections?app=register&window=all", nil)
				for name, value := range who.cookies {
					r.AddCookie(&http.Cookie{Name: name, Value: value})
				}
				w := httptest.NewRecorder()
				h.console.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
