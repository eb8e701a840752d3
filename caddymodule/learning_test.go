package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// newcomers is a site behind an open padlock, on a file, where a header names
// who comes.
func newcomers(b *testing.B) *site {
	b.Helper()
	b.Setenv("XDG_DATA_HOME", b.TempDir())
	config := fmt.Sprintf(`{
		"admin": {"disabled": true, "config": {"persist": false}},
		"logging": {"logs": {"default": {"level": "ERROR"}}},
		"apps": {
			"cadenas": {"store": {"backend": "bolt", "path": %q}, "places": [{"source": "mmdb", "files": [%q]}]},
			"http": {"servers": {"one": {"listen": ["127.0.0.1:0"], "automatic_https": {"disable": true}, "routes": [{"handle": [
				{"handler": "cadenas", "application": "app", "padlock": "open", "identity": [{"source": "header", "name": "Remote-User"}]}
			]}]}}}
		}
	}`, filepath.Join(b.TempDir(), "learning.db"), geoFile(b))
	if err := caddy.Load([]byte(config), true); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			b.Error(err)
		}
	})
	run, err := current.Load().open()
	if err != nil {
		b.Fatal(err)
	}
	return run.sites[0]
}

// BenchmarkLearning is the gate's share of a request of somebody who never came,
// on a new device, until they are in the file; "again" is the same person once
// more.
func BenchmarkLearning(b *testing.B) {
	for name, c := range map[string]struct {
		mode  string
		again bool
	}{"a page": {mode: "navigate"}, "a script": {mode: "cors"}, "a script again": {"cors", true}} {
		b.Run(name, func(b *testing.B) {
			s := newcomers(b)
			w := &silentWriter{h: http.Header{}}
			r := arrived(httptest.NewRequestWithContext(b.Context(), http.MethodGet, "https://app.example.com/", nil), w)
			b.ReportAllocs()
			used := processorTime(b)
			n := 0
			for b.Loop() {
				if !c.again || n == 0 {
					n++
				}
				r.Header = http.Header{
					"User-Agent": {hotAgent}, "Accept": {"*/*"}, "Accept-Language": {"fr-CA,fr;q=0.9,en;q=0.8"}, "Sec-Fetch-Mode": {c.mode},
					"Remote-User": {fmt.Sprintf("u%07d", n*7919%10_000_000)},
				}
				clear(w.h)
				if err := s.serve(w, r, toBackend); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.run.state.gate.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(processorTime(b)-used)/float64(b.N), "cpu-ns/op")
		})
	}
}
