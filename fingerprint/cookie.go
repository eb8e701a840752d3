package fingerprint

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cadenas-gateway/cadenas/seal"
)

// The names of the device cookie. A browser takes the first from the host
// itself only, over https and for all paths; nobody on a sibling domain or a
// plain-http page can plant it (threat L9).
const (
	hostName   = "__Host-cadenas"
	secureName = "__Secure-cadenas"
	plainName  = "cadenas"
)

const (
	// MaxAge is how long a browser keeps the cookie: 400 days, the most that
	// browsers grant.
	MaxAge = 400 * 24 * time.Hour
	// RenewAfter is the age at which a cookie is renewed, and its generation
	// goes up.
	RenewAfter = 24 * time.Hour

	purpose    = "device"
	layout     = 1
	idSize     = 16
	fixedSize  = 1 + idSize + 4 + 4
	maxPlain   = fixedSize + 3 + 2*maxRemembered
	boxedExtra = 1 + 12 + 16 // what seal adds
)

var (
	minText = base64.RawURLEncoding.EncodedLen(fixedSize + 3 + boxedExtra)
	maxText = base64.RawURLEncoding.EncodedLen(maxPlain + boxedExtra)
)

// CookieName returns the name of the device cookie for a way to arrive. With
// a cookie domain the cookie is shared with other hosts, which __Host- does
// not allow. Chromium and Firefox take Secure cookies from localhost and its
// subdomains over plain http too.
func CookieName(https bool, host, domain string) string {
	switch {
	case domain != "" && https:
		return secureName
	case domain != "":
		return plainName
	case https || isLocalhost(host):
		return hostName
	}
	return plainName
}

// Ours reports whether a cookie name is one of the device cookie's, so that
// the cookie never reaches a backend and a backend never sets it.
func Ours(name string) bool {
	name = strings.TrimSpace(name)
	return strings.EqualFold(name, hostName) || strings.EqualFold(name, secureName) || strings.EqualFold(name, plainName)
}

func isLocalhost(host string) bool {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	host = strings.TrimSuffix(host, ".")
	const local = "localhost"
	if len(host) < len(local) || !strings.EqualFold(host[len(host)-len(local):], local) {
		return false
	}
	return len(host) == len(local) || host[len(host)-len(local)-1] == '.'
}

// Cookie is what one device cookie says.
type Cookie struct {
	// ID names the device: 128 random bits as 22 letters.
	ID string
	// Generation counts renewals.
	Generation uint32
	// Issued is when this generation was handed out, to the second.
	Issued time.Time
	// Memory is what the device once showed.
	Memory Memory

	oldKey bool
}

// Jar seals and opens device cookies. Keys returns the ring in use; it is
// called on every request and may return another one after a rotation.
type Jar struct {
	Keys func() *seal.Ring
}

// buffer is room for one cookie in its three forms.
type buffer struct{ text, box, plain []byte }

var buffers = sync.Pool{New: func() any {
	return &buffer{text: make([]byte, 0, maxText), box: make([]byte, maxText), plain: make([]byte, 0, maxPlain)}
}}

// Find returns the device cookie called name among header lines. Of several
// each is judged by its seal: the bad are dropped, and of the good the newest
// generation counts, so that a planted cookie locks nobody out (threat L9).
func (j *Jar) Find(lines []string, name string, now time.Time) (Cookie, bool) {
	if len(lines) == 0 {
		return Cookie{}, false
	}
	var best Cookie
	tries := 0
	ring := j.Keys()
	eachCookie(lines, name, func(value string) bool {
		if len(value) < minText || len(value) > maxText {
			return true
		}
		tries++
		c, ok := open(ring, value, now)
		if ok && (best.ID == "" || c.Generation > best.Generation ||
			(c.Generation == best.Generation && c.Issued.After(best.Issued))) {
			best = c
		}
		return tries < maxCandidates
	})
	return best, best.ID != ""
}

func open(ring *seal.Ring, value string, now time.Time) (Cookie, bool) {
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	b.text = append(b.text[:0], value...)
	n, err := base64.RawURLEncoding.Strict().Decode(b.box[:cap(b.box)], b.text)
	if err != nil {
		return Cookie{}, false
	}
	box := b.box[:n]
	plain, err := ring.Open(b.plain[:0], box, purpose)
	if err != nil || len(plain) < fixedSize || plain[0] != layout {
		return Cookie{}, false
	}
	c := Cookie{
		Generation: binary.BigEndian.Uint32(plain[1+idSize:]),
		Issued:     time.Unix(int64(binary.BigEndian.Uint32(plain[1+idSize+4:])), 0),
		oldKey:     !ring.Newest(box),
	}
	memory, ok := readMemory(plain[fixedSize:])
	if !ok || now.Sub(c.Issued) > MaxAge {
		return Cookie{}, false
	}
	c.Memory = memory
	c.ID = base64.RawURLEncoding.EncodeToString(plain[1 : 1+idSize])
	return c, true
}

// seal is the cookie's text. The device's identifier is ours, so it always
// decodes; were it not, the cookie would name no device.
func (j *Jar) seal(c Cookie) string {
	plain := make([]byte, fixedSize, maxPlain)
	plain[0] = layout
	id, err := base64.RawURLEncoding.DecodeString(c.ID)
	if err != nil || len(id) != idSize {
		return ""
	}
	copy(plain[1:], id)
	binary.BigEndian.PutUint32(plain[1+idSize:], c.Generation)
	binary.BigEndian.PutUint32(plain[1+idSize+4:], uint32(c.Issued.Unix())) //nolint:gosec // good until 2106
	return j.Keys().SealText(c.Memory.append(plain), purpose)
}

// Header is the Set-Cookie value of c. SameSite=None lets the cookie come
// along when another site posts a form to the application (a SAML answer, a
// payment); over plain http browsers take that from nobody, so it is Lax.
func (j *Jar) Header(c Cookie, name, domain string) string {
	//nolint:gosec // Secure and SameSite=None are set below wherever the connection is https
	out := http.Cookie{
		Name: name, Value: j.seal(c), Path: "/", MaxAge: int(MaxAge / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if name != plainName {
		out.Secure, out.SameSite = true, http.SameSiteNoneMode
	}
	if name != hostName {
		out.Domain = domain
	}
	return out.String()
}

// newID is the identifier of a new device. None begins with a hyphen: on a
// command line that would be read as a flag.
func newID() string {
	var id [idSize]byte
	for {
		rand.Read(id[:]) // never fails since Go 1.24
		if text := base64.RawURLEncoding.EncodeToString(id[:]); text[0] != '-' {
			return text
		}
	}
}
