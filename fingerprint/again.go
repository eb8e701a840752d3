package fingerprint

import (
	"net/http"
	"time"

	"github.com/cadenas-gateway/cadenas/seal"
)

// Kept is a fingerprint with all that it was read from, for the next request
// that shows the same.
type Kept struct {
	// Fingerprint is shared by all requests that it is good for: it must not
	// be changed.
	Fingerprint Fingerprint

	from   key
	cookie string
	host   string
	at     Arrival
	ring   *seal.Ring
	mark   *mark
	word   uint64
	until  time.Time // when the cookie is too old
}

// Keep returns f for later requests that show the same, or nil where it is
// not worth it: a copy, a device that could not be looked up, a browser that
// was told under load. It wants r as Read saw it.
func (rd *Reader) Keep(r *http.Request, at Arrival, f Fingerprint) *Kept {
	lines := r.Header["Cookie"]
	if len(lines) > 1 || f.Clone() || f.Unsure || f.Coarse {
		return nil
	}
	k := &Kept{Fingerprint: f, from: keyOf(r.Header), host: r.Host, at: at, ring: rd.Jar.Keys()}
	if len(lines) == 1 {
		k.cookie = lines[0]
	}
	if f.Cookie.ID == "" {
		return k
	}
	k.until = f.Cookie.Issued.Add(MaxAge)
	if rd.Ledger == nil {
		return k
	}
	var ok bool
	if k.mark, ok = rd.Ledger.marks.GetIfPresent(f.Cookie.ID); !ok {
		return nil
	}
	if k.word = k.mark.word.Load(); unpack(k.word).Newest != f.Cookie.Generation {
		return nil // an old generation, which is a copy some minutes later
	}
	return k
}

// Good reports whether Read would say of r what k holds. Shown is what ShownBy
// reads from r; cookie is its only Cookie header, "" where it has none.
func (rd *Reader) Good(k *Kept, r *http.Request, shown *Shown, cookie string, at *Arrival, now time.Time) bool {
	if k.cookie != cookie || k.at != *at || k.host != r.Host || k.from != shown.key() || k.ring != rd.Jar.Keys() {
		return false
	}
	if k.Fingerprint.Cookie.ID == "" {
		return true
	}
	return now.Before(k.until) && (k.mark == nil || !k.mark.gone.Load() && k.mark.word.Load() == k.word)
}
