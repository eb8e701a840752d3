package identity

import (
	"slices"
	"testing"
)

// Chromium holds the redirects of a form against the page's policy: the page
// that releases a held answer has to know where it leads.
func TestAHeldAnswerTellsWhereItLeadsAway(t *testing.T) {
	for name, c := range map[string]struct {
		status   int
		location string
		want     []string
	}{
		"a path of the application":     {303, "/home", nil},
		"another host":                  {302, "https://sso.example.com/next?a=b", []string{"https://sso.example.com"}},
		"another port":                  {307, "http://app.example.com:8080/", []string{"http://app.example.com:8080"}},
		"by the scheme of the page":     {302, "//cdn.example.com/x", []string{"https://cdn.example.com", "http://cdn.example.com"}},
		"no redirect":                   {200, "https://sso.example.com/", nil},
		"what cannot be read":           {302, "http://[::1", nil},
		"no location":                   {302, "", nil},
		"a path that looks like a host": {302, "/\\evil.example", nil},
	} {
		got := kept{Status: c.status, Header: map[string][]string{"Location": {c.location}}}.redirects()
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
