package books

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/store"
)

// placeWords is what a place says besides its address. Many connections share
// it, so it is kept once in an application and named in records by its code.
type placeWords struct {
	Name      string  `cbor:"1,keyasint,omitempty"`
	NameFor   string  `cbor:"2,keyasint,omitempty"`
	City      string  `cbor:"3,keyasint,omitempty"`
	Region    string  `cbor:"4,keyasint,omitempty"`
	Country   string  `cbor:"5,keyasint,omitempty"`
	Owner     string  `cbor:"6,keyasint,omitempty"`
	Located   bool    `cbor:"7,keyasint,omitempty"`
	Latitude  float32 `cbor:"8,keyasint,omitempty"`
	Longitude float32 `cbor:"9,keyasint,omitempty"`
}

// placeCode names words of a place: the beginning of their SHA-256. Two
// instances give one code to the same words, and need not ask each other. The
// words come from geo files and admins, never from strangers.
type placeCode [8]byte

func wordsOf(p access.Place) placeWords {
	w := placeWords{Name: p.Name, NameFor: p.NameFor, City: p.City, Region: p.Region, Country: p.Country, Owner: p.Owner}
	if p.Located {
		w.Located, w.Latitude, w.Longitude = true, float32(p.Latitude), float32(p.Longitude)
	}
	return w
}

func (w placeWords) onto(p *access.Place) {
	p.Name, p.NameFor, p.City, p.Region, p.Country, p.Owner = w.Name, w.NameFor, w.City, w.Region, w.Country, w.Owner
	p.Located, p.Latitude, p.Longitude = w.Located, float64(w.Latitude), float64(w.Longitude)
}

func placeKey(application string, code placeCode) string {
	return Prefix(application, placeKind) + string(code[:])
}

// placeKind is the kind of the words' keys. They are never deleted, also not
// by Restore: whoever has written them relies on that.
const placeKind = "place"

// isPlace reports whether a key is one of words.
func isPlace(key string) bool {
	_, rest, _ := strings.Cut(key, "/")
	return strings.HasPrefix(rest, placeKind+"/")
}

// placeTable remembers words and their codes, and which of them an application
// is known to have in store.
type placeTable struct {
	mu    sync.RWMutex
	codes map[placeWords]placeCode
	words map[placeCode]placeWords
	kept  map[string]struct{} // keys
}

// placesKept bounds the table; a full one begins anew.
const placesKept = 20_000

func (t *placeTable) begin() {
	t.codes, t.words, t.kept = map[placeWords]placeCode{}, map[placeCode]placeWords{}, map[string]struct{}{}
}

// code returns the code of words.
func (t *placeTable) code(w placeWords) placeCode {
	t.mu.RLock()
	code, ok := t.codes[w]
	t.mu.RUnlock()
	if !ok {
		code = codeOf(w)
		t.learn(code, w)
	}
	return code
}

func codeOf(w placeWords) placeCode {
	sum := sha256.Sum256(Encode(w))
	return placeCode(sum[:])
}

func (t *placeTable) learn(code placeCode, w placeWords) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.codes == nil || len(t.codes) >= placesKept {
		t.begin()
	}
	t.codes[w], t.words[code] = code, w
}

// keep notes that a key of words is in store.
func (t *placeTable) keep(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept == nil || len(t.kept) >= placesKept {
		t.begin()
	}
	t.kept[key] = struct{}{}
}

func (t *placeTable) isKept(key string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, ok := t.kept[key]
	return ok
}

func (t *placeTable) known(code placeCode) (placeWords, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	w, ok := t.words[code]
	return w, ok
}

// forget makes the table ask the store again.
func (t *placeTable) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begin()
}

// placeOf fills in the words of a code. Where the store has lost them the place
// has its address alone, which makes it less like others and lets nobody in.
func (b Connections) placeOf(ctx context.Context, application string, code placeCode, p *access.Place) error {
	w, ok := b.places.known(code)
	if !ok {
		key := placeKey(application, code)
		var err error
		w, err = Get[placeWords](ctx, b.st, key)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		b.places.learn(code, w)
		b.places.keep(key)
	}
	w.onto(p)
	return nil
}
