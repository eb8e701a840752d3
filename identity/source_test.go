package identity_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/identity"
)

func TestX4_TwoSourcesThatDisagreeAreAnError(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Remote-User", " ann ")
	r.SetBasicAuth("bob", "x")
	header, basic := identity.Header{Name: "Remote-User"}, identity.Basic{}
	if p, err := identity.First(r, access.Person{}, header); err != nil || p.User != "ann" {
		t.Errorf("%+v %v", p, err)
	}
	if _, err := identity.First(r, access.Person{}, header, basic); !errors.Is(err, identity.ErrDisagree) {
		t.Errorf("%v", err)
	}
	if _, err := identity.First(r, access.Person{User: "eve"}, header); !errors.Is(err, identity.ErrDisagree) {
		t.Errorf("%v", err)
	}
	if p, err := identity.First(r, access.Person{User: "ann"}, header); err != nil || p.User != "ann" {
		t.Errorf("%+v %v", p, err)
	}
	r.Header.Add("Remote-User", "bob")
	if _, err := header.Identify(r); err == nil {
		t.Error("two values were accepted")
	}
	wrong := identity.Basic{Verify: func(*http.Request, string, string) bool { return false }}
	if p, err := wrong.Identify(r); err != nil || !p.Nobody() {
		t.Errorf("%+v %v", p, err)
	}
	placed := identity.Placeholder{Value: func(*http.Request) string { return "ann" }, Groups: func(*http.Request) string { return "staff, ,b" }}
	if p, err := placed.Identify(r); err != nil || p.User != "ann" || len(p.Groups) != 2 {
		t.Errorf("%+v %v", p, err)
	}
	if !identity.DevicePerson("").Nobody() || identity.DevicePerson("x").User != "device:x" {
		t.Error("the device alone")
	}
}
