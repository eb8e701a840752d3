package identity

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/cadenas-gateway/cadenas/access"
)

// Source is an identity source that needs no watching. It returns nobody
// (and no error) where it has nothing to say; an error means that what it
// was told cannot be believed, and refuses the request.
type Source interface {
	Identify(r *http.Request) (access.Person, error)
}

// First returns the person whom the first source names, the watched login
// before all. Where two name different users it returns ErrDisagree: one of
// them was forged, or is left over from another sign-in.
func First(r *http.Request, watched access.Person, sources ...Source) (access.Person, error) {
	first := watched
	for _, source := range sources {
		p, err := source.Identify(r)
		if err != nil {
			return access.Person{}, err
		}
		switch {
		case p.Nobody():
		case first.Nobody():
			first = p
		case p.User != first.User:
			return access.Person{}, fmt.Errorf("%w: %s and %s", ErrDisagree, sourceName(first), sourceName(p))
		}
	}
	return first, nil
}

func sourceName(p access.Person) string {
	if p.Source == "" {
		return "login"
	}
	return p.Source
}

// Header takes the user from a request header that a proxy in front sets.
// The header is believed as it is: whoever can reach the gate round that
// proxy can write it, which is why a handler that has no such source strips
// it (Aliases).
type Header struct {
	// Name is the header ("Remote-User").
	Name string
	// Groups, FullName and Email are headers for the rest; empty for none.
	Groups, FullName, Email string
}

// Identify implements Source. Two values of the header are an error: which
// one the proxy meant cannot be told (threat L1).
func (h Header) Identify(r *http.Request) (access.Person, error) {
	values := r.Header.Values(h.Name)
	if len(values) > 1 {
		return access.Person{}, fmt.Errorf("header %s came %d times: %w", h.Name, len(values), ErrName)
	}
	if len(values) == 0 || strings.TrimSpace(values[0]) == "" {
		return access.Person{}, nil
	}
	user, err := Canonical(values[0])
	if err != nil {
		return access.Person{}, fmt.Errorf("header %s: %w", h.Name, err)
	}
	p := access.Person{User: user, Source: "header"}
	if h.Groups != "" {
		p.Groups = groups(r.Header.Get(h.Groups))
	}
	if h.FullName != "" {
		p.Name, _ = Canonical(r.Header.Get(h.FullName))
	}
	if h.Email != "" {
		p.Email, _ = Canonical(r.Header.Get(h.Email))
	}
	return p, nil
}

// groups reads a list separated by commas, or by | as some proxies have it;
// what is no clean name is no group.
func groups(list string) []string {
	var names []string
	for _, g := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '|' }) {
		if name, err := Canonical(g); err == nil {
			names = append(names, name)
		}
	}
	return names
}

// Placeholder takes the user from whatever Value returns, such as a Caddy
// placeholder ("{http.auth.user.id}").
type Placeholder struct {
	Value func(r *http.Request) string
	// Groups likewise, separated by commas; nil for none.
	Groups func(r *http.Request) string
}

// Identify implements Source.
func (p Placeholder) Identify(r *http.Request) (access.Person, error) {
	text := p.Value(r)
	if strings.TrimSpace(text) == "" {
		return access.Person{}, nil
	}
	user, err := Canonical(text)
	if err != nil {
		return access.Person{}, fmt.Errorf("placeholder: %w", err)
	}
	person := access.Person{User: user, Source: "placeholder"}
	if p.Groups != nil {
		person.Groups = groups(p.Groups(r))
	}
	return person, nil
}

// Basic takes the user from basic authentication. Verify says whether the
// password is right (Caddy's own authentication, or the backend); without it
// the name is believed, which is right only behind a handler that has
// verified it.
type Basic struct {
	Verify func(r *http.Request, user, password string) bool
}

// Identify implements Source.
func (b Basic) Identify(r *http.Request) (access.Person, error) {
	if len(r.Header.Values("Authorization")) > 1 {
		return access.Person{}, fmt.Errorf("several Authorization headers: %w", ErrName)
	}
	name, password, ok := r.BasicAuth()
	if !ok {
		return access.Person{}, nil
	}
	user, err := Canonical(name)
	if err != nil {
		return access.Person{}, fmt.Errorf("basic authentication: %w", err)
	}
	if b.Verify != nil && !b.Verify(r, name, password) {
		return access.Person{}, nil
	}
	return access.Person{User: user, Source: "basic"}, nil
}

// DevicePrefix begins the user name of a device that stands for itself; no
// source lets a person have such a name (Canonical).
const DevicePrefix = "device:"

// DevicePerson is the device itself as the user: nobody signs in, and what
// is decided is decided about the device. The name somebody gives on the
// waiting page is for display only. Without an identifier it is nobody.
func DevicePerson(id string) access.Person {
	if id == "" {
		return access.Person{}
	}
	return access.Person{User: DevicePrefix + id, Source: "device"}
}

// Aliases are header names that no backend must read from a browser, and all
// that some backend would read as one of them: in other case, with "_" or "."
// for "-", with spaces and tabs at its ends (threats L1, L2).
type Aliases struct {
	names, kept []string
	lengths     uint64 // of the names, a bit each; the last one is for longer ones
	firsts      uint64 // their first letters, a bit each
}

// NewAliases returns the names to be removed, and among the names those kept
// that stay where they are written as HTTP writes them: a header that a proxy
// sets and we believe.
func NewAliases(names, kept []string) *Aliases {
	a := &Aliases{names: append(slices.Clone(names), kept...)}
	for _, name := range kept {
		a.kept = append(a.kept, http.CanonicalHeaderKey(name))
	}
	for _, name := range a.names {
		if name = trim(name); name == "" {
			continue
		}
		a.lengths |= lengthBit(name)
		a.firsts |= letterBit(name[0])
	}
	return a
}

func lengthBit(name string) uint64 { return 1 << min(len(name), 63) }
func letterBit(c byte) uint64      { return 1 << (foldHeader(c) & 63) }

// Has reports whether a header is to be removed.
func (a *Aliases) Has(key string) bool {
	// This is asked of every header of every request: most are told apart by
	// their length and first letter. Spaces at the ends do not count.
	if key != "" && key[0] > ' ' && key[len(key)-1] > ' ' && (a.lengths&lengthBit(key) == 0 || a.firsts&letterBit(key[0]) == 0) {
		return false
	}
	return aliasOf(key, a.names) && !slices.Contains(a.kept, key)
}

// StripLists takes the names out of Connection, Trailer and Proxy-Connection,
// the headers that name others, so that none of ours is taken off on the way.
func (a *Aliases) StripLists(h http.Header) { stripLists(h, a.names) }

func stripLists(h http.Header, names []string) {
	for _, list := range []string{"Connection", "Trailer", "Proxy-Connection"} {
		lines, ok := h[list]
		if !ok {
			continue
		}
		var kept []string
		changed := false
		for _, line := range lines {
			var tokens []string
			for token := range strings.SplitSeq(line, ",") {
				if aliasOf(strings.TrimSpace(token), names) {
					changed = true
					continue
				}
				tokens = append(tokens, strings.TrimSpace(token))
			}
			if len(tokens) > 0 {
				kept = append(kept, strings.Join(tokens, ", "))
			}
		}
		switch {
		case !changed:
		case len(kept) == 0:
			delete(h, list)
		default:
			h[list] = kept
		}
	}
}

// StripTrailers does the work of Aliases on the trailers of a request, whose
// values come after its body: a name that is not announced cannot come.
func StripTrailers(r *http.Request, names ...string) {
	for key := range r.Trailer {
		if aliasOf(key, names) {
			delete(r.Trailer, key)
		}
	}
}

func aliasOf(key string, names []string) bool {
	for _, name := range names {
		if sameHeader(key, name) {
			return true
		}
	}
	return false
}

// sameHeader compares two header names as CGI and its heirs fold them.
func sameHeader(a, b string) bool {
	a, b = trim(a), trim(b)
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if foldHeader(a[i]) != foldHeader(b[i]) {
			return false
		}
	}
	return true
}

func foldHeader(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	case c == '_' || c == '.' || c == ' ':
		return '-'
	}
	return c
}
