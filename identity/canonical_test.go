package identity

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func mustURL(t *testing.T, target string) *url.URL {
	t.Helper()
	// As net/http reads a request line.
	u, err := url.ParseRequestURI(strings.ReplaceAll(target, "\\", "%5c"))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestL25_AUserHasOneCanonicalName(t *testing.T) {
	for in, want := range map[string]string{
		" ann ": "ann", "Ann": "Ann", "Rene\u0301": "René", "ann@example.com": "ann@example.com", "山田": "山田", "o'brien, j.": "o'brien, j.",
		"a@b@c": "a@b@c",
	} {
		if got, err := Canonical(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for name, in := range map[string]string{
		"nothing": "", "spaces": " \t ", "NUL": "a\x00b", "a line end": "a\nb", "an escape": "a\x1bb", "DEL": "a\x7fb", "C1": "a\u0085b",
		"right to left override": "a\u202eb", "an isolate": "a\u2066b", "zero width space": "a\u200bb", "zero width joiner": "a\u200db",
		"a byte order mark": "\ufeffa", "soft hyphen": "a\u00adb", "a filler": "a\u3164b", "a tag": "a\U000e0041b", "private use": "a\ue000b",
		"a variation selector": "a\ufe0fb", "no UTF-8": "a\xffb", "too long": strings.Repeat("a", 257), "line separator": "a\u2028b",
		"a device's": "device:x", "a device's in capitals": "DEVICE:x",
	} {
		if got, err := Canonical(in); err == nil {
			t.Errorf("%s: accepted as %q", name, got)
		}
	}
}

func TestThreat_L1_AliasesOfAHeaderAreTakenOff(t *testing.T) {
	h := http.Header{
		"Remote-User": {"a"}, "Remote_user": {"b"}, "Remote.user": {"c"}, "remote_USER": {"d"}, "Remote-User ": {"e"}, "REMOTE-USER\t": {"f"},
		"Remote-Users": {"kept"}, "X-Remote-User": {"kept"}, "Other": {"kept"},
	}
	strip(NewAliases([]string{"Remote-User"}, nil), h)
	if len(h) != 3 {
		t.Errorf("left: %v", h)
	}
	for key, v := range h {
		if v[0] != "kept" {
			t.Errorf("%q is left", key)
		}
	}
}

func TestThreat_L1_OfABelievedHeaderTheAliasesAreTakenOff(t *testing.T) {
	h := http.Header{"Remote-User": {"by the proxy"}, "Remote_user": {"b"}, "Cadenas-Factors": {"login"}, "Cadenas.factors": {"login"}, "": {"kept"}}
	strip(NewAliases([]string{"Cadenas-Factors"}, []string{"remote-user"}), h)
	if len(h) != 2 || h.Get("Remote-User") != "by the proxy" {
		t.Errorf("left: %v", h)
	}
}

func TestThreat_L2_AHeaderNominatedInConnectionIsTakenOut(t *testing.T) {
	for in, want := range map[string]string{
		"close, Remote-User": "close", "Remote-User": "", "upgrade, remote_user, X": "upgrade, X", "keep-alive": "keep-alive",
	} {
		h := http.Header{"Connection": {in}, "Trailer": {"Remote-User, Digest"}}
		strip(NewAliases([]string{"Remote-User"}, nil), h)
		if got := h.Get("Connection"); got != want {
			t.Errorf("%q: %q", in, got)
		}
		if got := h.Get("Trailer"); got != "Digest" {
			t.Errorf("trailer %q", got)
		}
	}
	r := &http.Request{Trailer: http.Header{"Remote_user": nil, "Digest": nil}}
	StripTrailers(r, "Remote-User")
	if len(r.Trailer) != 1 {
		t.Errorf("trailers %v", r.Trailer)
	}
}

// strip removes what is to be removed.
func strip(a *Aliases, h http.Header) {
	for key := range h {
		if a.Has(key) {
			delete(h, key)
		}
	}
	a.StripLists(h)
}
