package adminui_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
)

// BenchmarkGrid is the rooms that walk, over many connections: a page of the
// grid, filters, the list of people, one person, the places.
func BenchmarkGrid(b *testing.B) {
	for _, n := range []int{1000, 20_000} {
		t := &testing.T{}
		h := build(t, fixture.Marie)
		h.fill(n, 0)
		who := h.signIn(fixture.Marie.Email)
		for _, room := range []struct{ name, path string }{
			{"all", "/connections?app=register&window=all"},
			{"deep", "/connections?app=register&window=all&page=50"},
			{"kind", "/connections?app=register&window=all&kind=phone"},
			{"no such place", "/connections?app=register&window=all&place=Nowhere"},
			{"refused", "/connections?app=register&window=all&state=refused"},
			{"name", "/connections?app=register&window=all&q=person-42"},
			{"most often", "/connections?app=register&window=all&sort=count"},
			{"people", "/people"},
			{"person", "/people/person-42@lucioles.example"},
			{"columns", "/columns?app=register"},
			{"places", "/places"},
		} {
			b.Run(fmt.Sprintf("%d/%s", n, room.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					r := httptest.NewRequest(http.MethodGet, host+room.path, nil)
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
}
