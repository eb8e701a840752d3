package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/cadenas-gateway/cadenas/identity"
)

// issuer is an issuer of tokens with its page of keys.
type issuer struct {
	key     *ecdsa.PrivateKey
	id      string
	fetched atomic.Int32
	server  *httptest.Server
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	i.rotate(t, "first")
	i.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.fetched.Add(1)
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: i.id, Algorithm: "ES256", Use: "sig"}}})
	}))
	t.Cleanup(i.server.Close)
	return i
}

func (i *issuer) rotate(t *testing.T, id string) {
	t.Helper()
	var err error
	if i.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	i.id = id
}

func (i *issuer) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: i.id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func good() map[string]any {
	return map[string]any{
		"iss": "https://id.example", "aud": []string{"shop"}, "sub": "ann", "exp": time.Now().Add(time.Hour).Unix(),
		"groups": []string{"staff", "admins"}, "email": "ann@example.com",
	}
}

func jwtSource(t *testing.T, i *issuer) *identity.JWT {
	t.Helper()
	j, err := identity.NewJWT(identity.JWTConfig{
		Header: "Authorization", JWKS: i.server.URL, Issuer: "https://id.example", Audience: "shop", Groups: "groups",
	})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func bearing(token string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

func TestX4_AJWTNamesTheUser(t *testing.T) {
	i := newIssuer(t)
	j := jwtSource(t, i)
	p, err := j.Identify(bearing(i.sign(t, good())))
	if err != nil || p.User != "ann" || len(p.Groups) != 2 || p.Email != "ann@example.com" {
		t.Fatalf("%+v, %v", p, err)
	}
	for range 5 {
		if _, err := j.Identify(bearing(i.sign(t, good()))); err != nil {
			t.Fatal(err)
		}
	}
	if n := i.fetched.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
	i.rotate(t, "second")
	if p, err := j.Identify(bearing(i.sign(t, good()))); err != nil || p.User != "ann" {
		t.Fatalf("after a rotation: %+v, %v", p, err)
	}
	if p, err := j.Identify(bearing("")); err != nil || !p.Nobody() {
		t.Fatalf("without a token: %+v, %v", p, err)
	}
}

func TestAJWTThatIsNotGoodIsAnError(t *testing.T) {
	i, other := newIssuer(t), newIssuer(t)
	j := jwtSource(t, i)
	with := func(name string, v any) string {
		c := good()
		if v == nil {
			delete(c, name)
		} else {
			c[name] = v
		}
		return i.sign(t, c)
	}
	symmetric := func() string {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(strings.Repeat("k", 32))}, nil)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := jwt.Signed(s).Claims(good()).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	parts := strings.Split(i.sign(t, good()), ".")
	for name, token := range map[string]string{
		"another issuer":             with("iss", "https://evil.example"),
		"another audience":           with("aud", "bank"),
		"no audience":                with("aud", nil),
		"it is over":                 with("exp", time.Now().Add(-time.Hour).Unix()),
		"it has no end":              with("exp", nil),
		"it has not begun":           with("nbf", time.Now().Add(time.Hour).Unix()),
		"it names nobody":            with("sub", nil),
		"a name with a control":      with("sub", "ann\x00"),
		"a device's name":            with("sub", "device:laptop"),
		"signed by another":          other.sign(t, good()),
		"a symmetric signature":      symmetric(),
		"no signature":               parts[0] + "." + parts[1] + ".",
		"the algorithm none":         "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"no token at all":            "hello",
		"its payload was exchanged":  parts[0] + "." + strings.Split(i.sign(t, map[string]any{"sub": "eve"}), ".")[1] + "." + parts[2],
		"its header was made longer": parts[0] + "A." + parts[1] + "." + parts[2],
	} {
		if p, err := j.Identify(bearing(token)); err == nil {
			t.Errorf("%s: accepted as %+v", name, p)
		}
	}
	r := bearing(i.sign(t, good()))
	r.Header.Add("Authorization", "Bearer "+i.sign(t, good()))
	if _, err := j.Identify(r); err == nil {
		t.Error("two tokens were accepted")
	}
	i.server.Close()
	fresh := jwtSource(t, i)
	if _, err := fresh.Identify(bearing(i.sign(t, good()))); err == nil {
		t.Error("without its keys a token was accepted")
	}
}

func TestAJWTSourceIsCheckedWhenItIsMade(t *testing.T) {
	base := identity.JWTConfig{Header: "X", JWKS: "https://id.example/keys", Issuer: "i", Audience: "a"}
	for name, change := range map[string]func(c *identity.JWTConfig){
		"nowhere to look":         func(c *identity.JWTConfig) { c.Header = "" },
		"two places to look":      func(c *identity.JWTConfig) { c.Cookie = "c" },
		"no keys":                 func(c *identity.JWTConfig) { c.JWKS = "keys.json" },
		"no issuer":               func(c *identity.JWTConfig) { c.Issuer = "" },
		"no audience":             func(c *identity.JWTConfig) { c.Audience = "" },
		"a symmetric algorithm":   func(c *identity.JWTConfig) { c.Algorithms = []string{"HS256"} },
		"the algorithm none":      func(c *identity.JWTConfig) { c.Algorithms = []string{"none"} },
		"an unknown one, besides": func(c *identity.JWTConfig) { c.Algorithms = []string{"RS256", "XX"} },
	} {
		c := base
		change(&c)
		if _, err := identity.NewJWT(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := identity.NewJWT(base); err != nil {
		t.Error(err)
	}
}
