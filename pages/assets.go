// Package pages is what all pages of ours share: tokens, styles, icons,
// layouts and partials, assets under hashed names, and the one way a page is
// written, with its Content-Security-Policy. It knows no domain word.
package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cadenas-gateway/cadenas/pages/worldmap"
)

// AssetPath is where assets are served, on every host that a page of ours
// stands on: pages never link to another host.
const AssetPath = "/.cadenas/assets/"

//go:embed assets
var ownAssets embed.FS

// bundle is what ui.css is made of, in order. One file, so that a page needs
// one request before it is painted.
var bundle = []string{"tokens", "ground", "controls", "lock", "blocks", "last"}

// shelving holds the registered files until the first use, and the finished
// assets after it.
type shelving struct {
	sync.Mutex
	raw    map[string][]byte
	done   bool
	byName map[string]*asset
	byHash map[string]*asset
}

var shelf = shelving{raw: map[string][]byte{}}

type asset struct {
	hashed string // "waiting.Xk3v9aQp.js"
	mime   string
	body   []byte
	packed []byte // gzip; nil where it does not pay
	etag   string
}

// Register adds the files at the root of files to the assets of the whole
// process, under their own names; one name may be taken once. Packages call it
// while they are initialised:
//
//	var _ = pages.Register(sub)
//
// A module may import another registered module as "./other.js": the name is
// replaced by the hashed one. It returns true so that it can stand in a var.
func Register(files fs.FS) bool {
	shelf.Lock()
	defer shelf.Unlock()
	if shelf.done {
		panic("pages: assets registered after their first use")
	}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		panic(fmt.Sprintf("pages: reading assets: %v", err))
	}
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		if _, taken := shelf.raw[entry.Name()]; taken {
			panic("pages: two assets named " + entry.Name())
		}
		data, err := fs.ReadFile(files, entry.Name())
		if err != nil {
			panic(fmt.Sprintf("pages: reading asset: %v", err))
		}
		shelf.raw[entry.Name()] = data
	}
	return true
}

// Sub is fs.Sub for embedded folders, whose names are known to be right.
func Sub(files fs.FS, dir string) fs.FS {
	sub, err := fs.Sub(files, dir)
	if err != nil {
		panic(fmt.Sprintf("pages: %v", err))
	}
	return sub
}

var (
	_ = Register(Sub(ownAssets, "assets"))
	_ = Register(worldmap.Files)
)

// Asset returns the address of an asset on the host of the page: "ui.css" is
// "/.cadenas/assets/ui.Xk3v9aQp.css". An unknown name panics in tests.
func Asset(name string) string {
	if a := finished().byName[name]; a != nil {
		return AssetPath + a.hashed
	}
	if testing.Testing() {
		panic("pages: no asset " + name)
	}
	return AssetPath + name
}

// Bytes returns an asset's content, for those that go out otherwise than over
// HTTP (the logo in a mail); nil for an unknown name.
func Bytes(name string) []byte {
	if a := finished().byName[name]; a != nil {
		return a.body
	}
	return nil
}

func finished() *shelving {
	shelf.Lock()
	defer shelf.Unlock()
	if shelf.done {
		return &shelf
	}
	for _, part := range bundle {
		data, err := ownAssets.ReadFile("assets/css/" + part + ".css")
		if err != nil {
			panic(fmt.Sprintf("pages: %v", err))
		}
		shelf.raw["ui.css"] = append(shelf.raw["ui.css"], data...)
	}
	for _, own := range []string{"door", "console"} {
		data, err := ownAssets.ReadFile("assets/css/" + own + ".css")
		if err != nil {
			panic(fmt.Sprintf("pages: %v", err))
		}
		shelf.raw[own+".css"] = data
	}
	shelf.byName = make(map[string]*asset, len(shelf.raw))
	shelf.byHash = make(map[string]*asset, len(shelf.raw))
	for name := range shelf.raw {
		finish(name, nil)
	}
	shelf.done = true
	return &shelf
}

var moduleImport = regexp.MustCompile(`((?:from|import)\s*\(?\s*["'])\./([\w.-]+)(["'])`)

// finish makes one asset, after those that it imports: its hash covers theirs.
// The caller holds the lock.
func finish(name string, above []string) *asset {
	if a := shelf.byName[name]; a != nil {
		return a
	}
	body, ok := shelf.raw[name]
	if !ok {
		panic("pages: " + strings.Join(above, ", ") + " imports " + name + ", which is not there")
	}
	for _, upper := range above {
		if upper == name {
			panic("pages: assets import each other in a circle: " + strings.Join(above, ", "))
		}
	}
	ext := path.Ext(name)
	if ext == ".js" {
		body = moduleImport.ReplaceAllFunc(body, func(match []byte) []byte {
			part := moduleImport.FindSubmatch(match)
			other := finish(string(part[2]), append(above, name))
			return bytes.Join([][]byte{part[1], []byte("./" + other.hashed), part[3]}, nil)
		})
	}
	sum := sha256.Sum256(body)
	hash := base64.RawURLEncoding.EncodeToString(sum[:])[:12]
	a := &asset{
		hashed: strings.TrimSuffix(name, ext) + "." + hash + ext,
		mime:   mimeOf(ext),
		body:   body,
		packed: pack(ext, body),
		etag:   `"` + hash + `"`,
	}
	shelf.byName[name], shelf.byHash[a.hashed] = a, a
	return a
}

// mimeOf does not ask the machine's own tables first: with nosniff a wrong
// answer there would stop every script.
func mimeOf(ext string) string {
	switch ext {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".webmanifest":
		return "application/manifest+json"
	}
	if byExt := mime.TypeByExtension(ext); byExt != "" {
		return byExt
	}
	return "application/octet-stream"
}

func pack(ext string, body []byte) []byte {
	if ext == ".png" || len(body) < 1024 {
		return nil
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(fmt.Sprintf("pages: %v", err))
	}
	if _, err := z.Write(body); err != nil {
		panic(fmt.Sprintf("pages: %v", err))
	}
	if err := z.Close(); err != nil {
		panic(fmt.Sprintf("pages: %v", err))
	}
	if b.Len() > len(body)*9/10 {
		return nil
	}
	return b.Bytes()
}

// Assets serves all registered assets under AssetPath. Their names carry a
// hash, so they are kept for good; any other name is 404 and not stored.
func Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		a := finished().byHash[strings.TrimPrefix(r.URL.Path, AssetPath)]
		if a == nil || !strings.HasPrefix(r.URL.Path, AssetPath) {
			h.Set("Cache-Control", "no-store")
			http.Error(w, "not found", http.StatusNotFound)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			h.Set("Cache-Control", "no-store")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		a.serve(w, r)
	})
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// An asset opened by itself (an SVG) is a document too.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("Content-Type", a.mime)
	body, etag := a.body, a.etag
	if a.packed != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			body, etag = a.packed, strings.TrimSuffix(a.etag, `"`)+`-gz"`
		}
	}
	h.Set("ETag", etag)
	if match := r.Header.Get("If-None-Match"); match != "" && (match == "*" || strings.Contains(match, etag)) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(body) // the client went away: nobody left to tell
}

func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q := strings.ReplaceAll(params, " ", "")
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}
