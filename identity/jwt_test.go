package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// issuer is an issuer of tokens with a page of keys.
type issuer struct {
	key     *ecdsa.PrivateKey
	id      string
	fetched atomic.Int64
	down    atomic.Bool
	*httptest.Server
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key, id: "one"}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.fetched.Add(1)
		if i.down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: i.id, Algorithm: "ES256", Use: "sig"}}})
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) token(t *testing.T, kid string, c claims) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: i.key}, (&jose.SignerOptions{}).WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(s).Claims(map[string]any(c)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

type claims map[string]any

func good(change ...func(claims)) claims {
	c := claims{"iss": "https://id.example.com", "aud": "gate", "sub": "julie", "exp": time.Now().Add(time.Hour).Unix(), "groups": []string{"staff", "night"}, "name": "Julie T."}
	for _, f := range change {
		f(c)
	}
	return c
}

func TestJWT(t *testing.T) {
	i, other := newIssuer(t), newIssuer(t)
	j, err := NewJWT(JWTConfig{JWKS: i.URL, Issuer: "https://id.example.com", Audience: "gate", Groups: "groups"})
	if err != nil {
		t.Fatal(err)
	}
	shared, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: make([]byte, 32)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	hmac, err := jwt.Signed(shared).Claims(map[string]any(good())).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, header, user string }{
		{"a good token names its user", "Bearer " + i.token(t, "one", good()), "julie"},
		{"a good token a second time", "bearer " + i.token(t, "one", good()), "julie"},
		{"no token names nobody", "", ""},
		{"somebody else's key names nobody", "Bearer " + other.token(t, "one", good()), ""},
		{"a token that is over names nobody", "Bearer " + i.token(t, "one", good(func(c claims) { c["exp"] = time.Now().Add(-time.Minute).Unix() })), ""},
		{"a token for another audience names nobody", "Bearer " + i.token(t, "one", good(func(c claims) { c["aud"] = "mail" })), ""},
		{"a token of another issuer names nobody", "Bearer " + i.token(t, "one", good(func(c claims) { c["iss"] = "https://evil.example.com" })), ""},
		{"a token without user names nobody", "Bearer " + i.token(t, "one", good(func(c claims) { delete(c, "sub") })), ""},
		{"a shared secret is not believed", "Bearer " + hmac, ""},
		{"a token without signature is not believed", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJqdWxpZSJ9.", ""},
		{"basic authentication is no token", "Basic anVsaWU6eA==", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			p, err := j.Identify(r)
			if err != nil || p.User != c.user {
				t.Fatalf("user %q, %v", p.User, err)
			}
			if c.user != "" && !slices.Equal(p.Groups, []string{"staff", "night"}) {
				t.Errorf("groups %v", p.Groups)
			}
		})
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+i.token(t, "one", good(func(c claims) { c["sub"] = "ju\x00lie" })))
	if p, err := j.Identify(r); err == nil {
		t.Errorf("a name with a control character: %v", p)
	}
}

func TestJWTInACookieAndTwoOfThem(t *testing.T) {
	i := newIssuer(t)
	j, err := NewJWT(JWTConfig{JWKS: i.URL, Cookie: "token"})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: "token", Value: i.token(t, "one", good())})
	if p, err := j.Identify(r); err != nil || p.User != "julie" {
		t.Errorf("%v %v", p, err)
	}
	r.AddCookie(&http.Cookie{Name: "token", Value: i.token(t, "one", good(func(c claims) { c["sub"] = "marie" }))})
	if p, err := j.Identify(r); err != nil || !p.Nobody() {
		t.Errorf("two tokens: %v %v", p, err)
	}
}

func TestThreat_L4_KeysThatCannotBeFetchedLetNobodyIn(t *testing.T) {
	i := newIssuer(t)
	i.down.Store(true)
	j, err := NewJWT(JWTConfig{JWKS: i.URL})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+i.token(t, "one", good()))
	for range 5 {
		if p, err := j.Identify(r); err == nil || !p.Nobody() {
			t.Errorf("%v %v", p, err)
		}
	}
	if n := i.fetched.Load(); n != 1 {
		t.Errorf("asked %d times in a moment", n)
	}
}

func TestMadeUpKeyIdentifiersDoNotMakeUsAsk(t *testing.T) {
	i, now := newIssuer(t), time.Now()
	j, err := NewJWT(JWTConfig{JWKS: i.URL, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(kid string) string {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+i.token(t, kid, good()))
		p, _ := j.Identify(r)
		return p.User
	}
	if ask("one") != "julie" {
		t.Fatal("the first token")
	}
	for _, kid := range []string{"a", "b", "c", "d"} {
		ask(kid)
	}
	if n := i.fetched.Load(); n > 2 {
		t.Errorf("asked %d times in a moment", n)
	}
	i.id = "two"
	now = now.Add(11 * time.Second)
	if ask("two") != "julie" {
		t.Error("a rotated key is not learnt")
	}
}

func TestJWTConfigurationsThatCannotWork(t *testing.T) {
	for name, c := range map[string]JWTConfig{
		"no keys":             {},
		"keys from a file":    {JWKS: "/etc/keys"},
		"a shared secret":     {JWKS: "https://id.example.com", Algorithms: []string{"HS256"}},
		"no algorithm at all": {JWKS: "https://id.example.com", Algorithms: []string{"none"}},
		"cookie and header":   {JWKS: "https://id.example.com", Cookie: "a", Header: "b"},
	} {
		if _, err := NewJWT(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
