package identity

import (
	"net/http"
	"strings"

	"github.com/cadenas-gateway/cadenas/access"
)

// SourceDevice is the Person.Source of a device that stands for itself.
const SourceDevice = "device"

// DevicePerson is the user that a device is where nobody signs in; nobody for
// a request without one.
func DevicePerson(deviceID string) access.Person {
	if deviceID == "" {
		return access.Person{}
	}
	return access.Person{User: DevicePrefix + deviceID, Source: SourceDevice}
}

// Bare takes every credential off a request: what is forwarded in nobody's
// name, or to an error route, bears none.
func Bare(r *http.Request) {
	for _, name := range []string{"Cookie", "Authorization", "Proxy-Authorization"} {
		delete(r.Header, name)
	}
}

// StripOurCookies takes cookies with our names off a request, for sites whose
// login is not watched.
func StripOurCookies(r *http.Request) {
	lines, ok := r.Header["Cookie"]
	if !ok {
		return
	}
	var kept []string
	changed := false
	for _, line := range lines {
		cookiePairs(line, func(name, _, part string, _ bool) {
			if OurCookie(name) {
				changed = true
				return
			}
			kept = append(kept, part)
		})
	}
	switch {
	case !changed:
	case len(kept) == 0:
		delete(r.Header, "Cookie")
	default:
		r.Header["Cookie"] = []string{strings.Join(kept, "; ")}
	}
}
