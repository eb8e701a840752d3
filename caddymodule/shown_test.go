package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/fingerprint"
	"github.com/cadenas-gateway/cadenas/identity"
)

// arriving is a request with some headers, written as they are given.
func arriving(t *testing.T, lines ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.example.com/", nil)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header[name] = append(r.Header[name], value)
	}
	return r
}

func TestOneWalkReadsWhatEachHeaderSays(t *testing.T) {
	h := &Handler{aliases: identity.NewAliases([]string{explainHeader, reasonHeader}, nil)}
	r := arriving(t, "User-Agent: agent", "User-Agent: another", "Sec-Ch-Ua: brands", "Sec-Ch-Ua-Mobile: ?1", "Sec-Ch-Ua-Platform: platform", "Sec-Ch-Ua-Model: model",
		"X-Requested-With: org.example", "Cookie: a=1", "Cookie: b=2", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2", "X-Forwarded-Proto: https", "Sec-Fetch-Mode: navigate")
	want := fingerprint.ShownBy(r.Header)
	for i := range reflect.TypeFor[fingerprint.Shown]().NumField() {
		if reflect.ValueOf(want).Field(i).String() == "" {
			t.Fatalf("this test sends nothing for %s", reflect.TypeFor[fingerprint.Shown]().Field(i).Name)
		}
	}
	got := h.show(r)
	if got.Shown != want {
		t.Errorf("the walk reads %+v, a look for each %+v", got.Shown, want)
	}
	if !slices.Equal(got.cookies, []string{"a=1", "b=2"}) || !slices.Equal(got.forwarded, []string{"192.0.2.1", "192.0.2.2"}) || got.proto != "https" || got.mode != "navigate" {
		t.Errorf("%+v", got)
	}
	if got.token || got.explain != "" {
		t.Errorf("a token where none is: %+v", got)
	}
	for _, name := range identity.TokenHeaders() {
		if !h.show(arriving(t, name+": x")).token {
			t.Errorf("%s is not taken for a token", name)
		}
	}
}

func TestTheWalkTakesOffWhatNoBackendMayRead(t *testing.T) {
	h := &Handler{aliases: identity.NewAliases([]string{explainHeader, reasonHeader, "Remote-Groups"}, []string{"remote-user"})}
	r := arriving(t, "Cadenas-Explain: token", "cadenas_reason: forged", "Remote-User: marie", "REMOTE_USER: forged", " Remote-User: forged", "Remote.Groups: forged",
		"Connection: Remote-User, keep-alive", "Accept: */*")
	if got := h.show(r); got.explain != "token" {
		t.Errorf("the token of explain is %q", got.explain)
	}
	want := http.Header{"Remote-User": {"marie"}, "Connection": {"keep-alive"}, "Accept": {"*/*"}}
	if !reflect.DeepEqual(r.Header, want) {
		t.Errorf("left: %v, want %v", r.Header, want)
	}
	forged := arriving(t, "CADENAS-EXPLAIN: token")
	if got := h.show(forged); got.explain != "" || len(forged.Header) != 0 {
		t.Errorf("%q, %v", got.explain, forged.Header)
	}
}
