package adminui

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"math/big"
	"net"
	"net/http"
)

// newSecret is 256 random bits in the alphabet of cookies and URLs (threat
// L15).
func newSecret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// newCode is six digits that one person reads from one screen and types into
// another. It has few tries and a short life, so that it needs no more.
func newCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(900_000))
	if err != nil {
		panic("adminui: no randomness: " + err.Error()) // cannot happen since Go 1.24
	}
	return n.Add(n, big.NewInt(100_000)).String()
}

// hashed is the form in which a secret is kept: whoever reads the store or a
// backup of it cannot use it. It has all its entropy already, so one plain
// hash is enough.
func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// plausible reports whether text can be a secret of newSecret at all; others
// never reach the store.
func plausible(secret string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	return err == nil && len(b) == 32
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// peerAddress is the address of the TCP peer.
func peerAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
