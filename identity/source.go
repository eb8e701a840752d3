package identity

import (
	"net/http"

	"github.com/cadenas-gateway/cadenas/access"
)

// Source is an identity source that needs no watching. It returns nobody
// (and no error) where it has nothing to say; an error means that what it
// was told cannot be believed, and refuses the request.
type Source interface {
	Identify(r *http.Request) (access.Person, error)
}

// First returns the person whom the first source names. Where two name
// different users it returns ErrDisagree: one of them was forged or is left
// over from another sign-in.
func First(r *http.Request, watched access.Person, sources ...Source) (access.Person, error) {
	return watched, nil
}

// StripAliases removes from h every header that some backend would read as
// one of names: other case, "_" or "." for "-", spaces and tabs at its ends;
// those named in Connection, and trailers too (threats L1, L2).
func StripAliases(h http.Header, names ...string) {}

// OurCookie reports whether a cookie's name is one of ours: "cadenas" with
// anything after it, behind a __Host- or __Secure- prefix or none.
func OurCookie(name string) bool { return false }

// Canonical is the one form of a user name: spaces at its ends trimmed, NFC.
// Control characters, bidirectional controls and zero-width characters are
// refused with ErrName, so is what is empty or longer than 256 bytes
// (threats L14, L25).
func Canonical(name string) (string, error) { return name, nil }

// MixedScripts reports whether a name mixes scripts as a forgery would
// ("аdmin" with a Cyrillic a), so that pages can say it (threat L25).
func MixedScripts(name string) bool { return false }
