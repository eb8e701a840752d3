package adminui

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/cadenas-gateway/cadenas/pages"
)

// manifest is the web app manifest: the console installs as an app.
func manifest(v *visit) error {
	h := v.w.Header()
	h.Set("Content-Type", "application/manifest+json")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	type icon struct {
		Src     string `json:"src"`
		Sizes   string `json:"sizes"`
		Type    string `json:"type"`
		Purpose string `json:"purpose,omitempty"`
	}
	return json.NewEncoder(v.w).Encode(map[string]any{
		"name": "Cadenas", "short_name": "Cadenas", "id": "/", "start_url": "/", "scope": "/", "display": "standalone",
		"lang": v.say.HTML(), "background_color": "#f6f6f1", "theme_color": "#f6f6f1",
		"icons": []icon{
			{Src: pages.Asset("console-icon.svg"), Sizes: "any", Type: "image/svg+xml"},
			{Src: pages.Asset("console-icon-192.png"), Sizes: "192x192", Type: "image/png"},
			{Src: pages.Asset("console-icon-512.png"), Sizes: "512x512", Type: "image/png"},
			{Src: pages.Asset("console-icon-512.png"), Sizes: "512x512", Type: "image/png", Purpose: "maskable"},
		},
	})
}

// worker is the service worker: it keeps assets, whose names change with what
// they hold, and never a page or anything else that says who came from where.
func worker(v *visit) error {
	h := v.w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; script-src 'self'")
	v.w.WriteHeader(http.StatusOK)
	_, err := v.w.Write(slices.Concat(pages.Bytes("worker.js"), pages.Bytes("push-worker.js")))
	if err != nil {
		return nil //nolint:nilerr // the browser went away
	}
	return nil
}
