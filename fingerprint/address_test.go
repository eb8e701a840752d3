package fingerprint_test

import (
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/fingerprint"
)

func TestParseAddress(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"an address", "203.0.113.7", "203.0.113.7"},
		{"with a port", "203.0.113.7:52100", "203.0.113.7"},
		{"IPv6", "2001:db8::1", "2001:db8::1"},
		{"IPv6 in brackets", "[2001:db8::1]", "2001:db8::1"},
		{"IPv6 with a port", "[2001:db8::1]:443", "2001:db8::1"},
		{"IPv4 mapped into IPv6", "::ffff:203.0.113.7", "203.0.113.7"},
		{"mapped, in hexadecimal, with a port", "[::ffff:cb00:7107]:80", "203.0.113.7"},
		{"a zone", "fe80::1%eth0", "fe80::1"},
		{"a zone and a port", "[fe80::1%eth0]:80", "fe80::1"},
		{"spaces", " 203.0.113.7 ", "203.0.113.7"},
		{"nothing", "", "unknown"},
		{"nobody", "0.0.0.0", "unknown"},
		{"nobody in IPv6", "::", "unknown"},
		{"a list", "203.0.113.7, 198.51.100.1", "unknown"},
		{"a name", "localhost", "unknown"},
		{"octal", "0203.0.113.07", "unknown"},
		{"short", "203.0.113", "unknown"},
		{"a number", "3405803783", "unknown"},
		{"a prefix", "203.0.113.0/24", "unknown"},
		{"an empty port", "203.0.113.7:", "unknown"},
		{"a word for nobody", "unknown", "unknown"},
		{"quotes", `"203.0.113.7"`, "unknown"},
		{"a zero byte", "203.0.113.7\x00", "unknown"},
		{"very long", strings.Repeat("1", 100_000), "unknown"},
		{"a very long zone", "fe80::1%" + strings.Repeat("z", 100), "unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := fingerprint.ParseAddress(c.in)
			got := a.String()
			if !a.IsValid() {
				got = "unknown"
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("[::ffff:203.0.113.7%x]:80")
	f.Fuzz(func(t *testing.T, s string) {
		if a := fingerprint.ParseAddress(s); a.IsValid() && (a.Zone() != "" || a.Is4In6() || fingerprint.ParseAddress(a.String()) != a) {
			t.Fatalf("%q is read %s", s, a)
		}
	})
}
