package identity

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
	"unsafe"

	"github.com/cadenas-gateway/cadenas/seal"
)

// stampPurpose separates stamps from all else under the same keys.
const stampPurpose = "stamp"

// mark is what a stamp says of the session value it stands behind.
type mark byte

const (
	// markNobody: born under a closed padlock; nobody signed in.
	markNobody mark = 'n'
	// markUnproved: born under an open padlock or on an exempt path, or the
	// sign-in in it could not be judged.
	markUnproved mark = 'u'
	// markOlder: unproved, and descended from a session older than the gate.
	markOlder mark = 'o'
	// markCopied: a copy of a login's session, on another device, padlock
	// open. It is its user's there, whom a lock keeps out, and worth nothing
	// once the padlock is closed.
	markCopied mark = 'c'
	// markLogin: part of a login, whose row says the rest.
	markLogin mark = 'l'
)

// nobodyLife is how long a stamp without a login is good, whatever the
// configuration says of idle logins: what is in the store rests on it.
const nobodyLife = 30 * 24 * time.Hour

// stamp is one opened stamp.
type stamp struct {
	mark mark
	// login is the row's ID, for markLogin; its device is in the row. It lies
	// in the caller's scratch memory: whoever keeps it makes a copy.
	login string
	// device and made are for the other marks.
	device string
	made   time.Time
}

// The seal also covers the cookie's folded name and the value itself: else
// one's own stamp, cut off and put behind somebody else's stolen value,
// would carry that value in (X3).

// appendStamp appends "value~stamp" to dst.
func appendStamp(dst []byte, ring *seal.Ring, application, name, value string, s stamp) []byte {
	var plain [80]byte
	p := append(plain[:0], byte(s.mark))
	if s.mark == markLogin || s.mark == markCopied {
		p = append(p, s.login...)
	} else {
		p = binary.BigEndian.AppendUint32(p, uint32(s.made.Unix())) //nolint:gosec // seconds since 1970: room until 2106
		p = append(p, s.device...)
	}
	var room [160]byte
	box := ring.Seal(room[:0], p, stampPurpose, application, foldName(name), value)
	dst = append(dst, value...)
	dst = append(dst, '~')
	return base64.RawURLEncoding.AppendEncode(dst, box)
}

// splitStamp cuts a value at its stamp.
func splitStamp(value string) (plain, text string, ok bool) {
	i := strings.LastIndexByte(value, '~')
	if i < 0 {
		return value, "", false
	}
	return value[:i], value[i+1:], true
}

// stampRoom is the longest stamp text that is looked at: a login's or a
// device's identifier of 64 bytes, sealed, and some to spare.
const stampRoom = 176

// openStamp opens the stamp text behind a plain value. The scratch memory is
// the caller's: a seal is behind an interface, so memory of our own would be
// an allocation for every cookie.
func openStamp(ring *seal.Ring, application, name, plain, text string, scratch *[2][stampRoom]byte) (stamp, bool) {
	if len(text) > stampRoom {
		return stamp{}, false
	}
	copy(scratch[0][:], text)
	// The decoder skips line ends, which no cookie can hold.
	n, err := base64.RawURLEncoding.Strict().Decode(scratch[1][:], scratch[0][:len(text)])
	if err != nil {
		return stamp{}, false
	}
	p, err := ring.Open(scratch[0][:0], scratch[1][:n], stampPurpose, application, foldName(name), plain)
	if err != nil || len(p) == 0 {
		return stamp{}, false
	}
	switch m := mark(p[0]); m {
	case markLogin, markCopied:
		// No copy: it is asked for in memory and let go of.
		if len(p) < 2 {
			return stamp{}, false
		}
		return stamp{mark: m, login: unsafe.String(&p[1], len(p)-1)}, true //nolint:gosec // p lies in scratch: see stamp.login
	case markNobody, markUnproved, markOlder:
		if len(p) < 5 {
			return stamp{}, false
		}
		made := time.Unix(int64(binary.BigEndian.Uint32(p[1:5])), 0)
		return stamp{mark: m, made: made, device: string(p[5:])}, true
	}
	return stamp{}, false
}
