package books

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// mark is a connection among its user's: 48 bits of the millisecond it was
// first seen in, 48 of chance. Marks sort by time.
type mark [12]byte

// markText is how long a mark is in text.
const markText = 20

// NewConnectionID returns the identifier of a user's connection that is first
// seen now. It holds the user, since that is where the connection is kept; it
// names things and is never a secret.
func NewConnectionID(now time.Time, user string) string {
	var m mark
	ms := now.UnixMilli()
	binary.BigEndian.PutUint16(m[0:2], uint16(ms>>32)) //nolint:gosec // the upper 16 of 48 bits
	binary.BigEndian.PutUint32(m[2:6], uint32(ms))     //nolint:gosec // the lower 32
	rand.Read(m[6:])
	return m.id(user)
}

func (m mark) id(user string) string {
	var room [160]byte // of what most identifiers take
	return string(base64.RawURLEncoding.AppendEncode(idText.AppendEncode(room[:0], m[:]), []byte(user)))
}

// time is the moment of the mark, to the millisecond.
func (m mark) time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint16(m[0:2]))<<32 | int64(binary.BigEndian.Uint32(m[2:6])))
}

// cutID returns what an identifier of NewConnectionID was made of; false for
// any other text.
func cutID(id string) (m mark, user string, ok bool) {
	if len(id) < markText {
		return m, "", false
	}
	raw, err := idText.DecodeString(id[:markText])
	if err != nil || len(raw) != len(m) {
		return m, "", false
	}
	name, err := base64.RawURLEncoding.DecodeString(id[markText:])
	if err != nil {
		return m, "", false
	}
	m = mark(raw)
	// One connection, one text: 20 letters hold four bits more than a mark.
	return m, string(name), m.id(string(name)) == id
}

// mark returns the mark of a connection. One whose identifier is not of
// NewConnectionID, or is another user's, is a mistake in the code.
func (c Connection) mark() mark {
	m, user, ok := cutID(c.ID)
	if !ok || user != c.User {
		panic("books: a connection without an identifier of NewConnectionID for its user")
	}
	return m
}

// Short is the identifier without its user: enough among the connections of
// one.
func (c Connection) Short() string { return c.ID[:min(len(c.ID), markText)] }

// connectionKey is where a connection is kept: by user, then by mark.
func connectionKey(application, user string, m mark) string {
	return key(application, []string{"connection", user}, 1+len(m), "/"+string(m[:]))
}
