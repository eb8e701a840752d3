// Package seal closes small boxes: AES-256-GCM under named keys that rotate.
// Device cookies, session stamps, held answers and prints are kept in them.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// overhead is a key's number, a nonce and a tag, in bytes.
const overhead = 1 + 12 + 16

// ErrOpen says that a box was not closed by us, for this purpose, under a
// key we still have.
var ErrOpen = errors.New("sealed value cannot be opened")

// Ring seals under its newest key and opens under any it holds. It is
// immutable; rotation makes a new ring. All methods may be called by several
// goroutines at once.
type Ring struct {
	newest byte
	boxes  [256]cipher.AEAD
}

// NewRing makes a ring of keys by number. The newest seals.
func NewRing(keys map[byte][]byte, newest byte) (*Ring, error) {
	r := &Ring{newest: newest}
	for number, key := range keys {
		if len(key) != KeySize {
			return nil, fmt.Errorf("key %d has %d bytes, not %d", number, len(key), KeySize)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("making key %d: %w", number, err)
		}
		if r.boxes[number], err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("making key %d: %w", number, err)
		}
	}
	if r.boxes[newest] == nil {
		return nil, fmt.Errorf("key %d, the newest, is missing", newest)
	}
	return r, nil
}

// NewKey returns a fresh random key.
func NewKey() []byte {
	key := make([]byte, KeySize)
	rand.Read(key) // never fails since Go 1.24
	return key
}

// Seal appends a box holding plain to dst. Purpose separates uses, so that a
// box made for one cannot be passed off as another; context (an application,
// a device) must be the same on opening.
func (r *Ring) Seal(dst, plain []byte, purpose string, context ...string) []byte {
	dst = append(dst, r.newest)
	start := len(dst)
	dst = append(dst, make([]byte, 12)...)
	nonce := dst[start : start+12]
	rand.Read(nonce)
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	*room = label((*room)[:0], purpose, context)
	return r.boxes[r.newest].Seal(dst, nonce, plain, *room)
}

// Open appends what a box holds to dst, or returns ErrOpen. With room in dst
// it allocates nothing. Dst and box must not overlap.
func (r *Ring) Open(dst, box []byte, purpose string, context ...string) ([]byte, error) {
	if len(box) < overhead || r.boxes[box[0]] == nil {
		return nil, ErrOpen
	}
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	*room = label((*room)[:0], purpose, context)
	plain, err := r.boxes[box[0]].Open(dst, box[1:13], box[13:], *room)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// Newest reports whether a box was sealed under the newest key; one that was
// not is sealed again when there is occasion.
func (r *Ring) Newest(box []byte) bool { return len(box) > 0 && box[0] == r.newest }

// SealText is Seal in the alphabet of cookies and URLs.
func (r *Ring) SealText(plain []byte, purpose string, context ...string) string {
	return base64.RawURLEncoding.EncodeToString(r.Seal(nil, plain, purpose, context...))
}

// OpenText opens what SealText made.
func (r *Ring) OpenText(text, purpose string, context ...string) ([]byte, error) {
	// The decoder skips line ends, even when strict; a box has one text.
	box, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, ErrOpen
	}
	return r.Open(nil, box, purpose, context...)
}

// rooms are where labels are joined: the cipher is behind an interface, so a
// buffer on the stack would be one allocation for each box.
var rooms = sync.Pool{New: func() any { room := make([]byte, 0, 256); return &room }}

// label joins purpose and context unambiguously: each part ends in its
// length.
func label(dst []byte, purpose string, context []string) []byte {
	dst = appendPart(dst, purpose)
	for _, c := range context {
		dst = appendPart(dst, c)
	}
	return dst
}

func appendPart(dst []byte, s string) []byte {
	dst = append(dst, s...)
	return append(dst, byte(len(s)>>16), byte(len(s)>>8), byte(len(s))) //nolint:gosec // three bytes of one number
}
