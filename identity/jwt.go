package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/maypok86/otter/v2"

	"github.com/cadenas-gateway/cadenas/access"
)

// JWTConfig says which tokens are believed (RFC 7519, RFC 7517).
type JWTConfig struct {
	// JWKS is the address of the issuer's keys. Required.
	JWKS string
	// Cookie or Header is where the token is; neither means the Authorization
	// header's bearer token.
	Cookie, Header string
	// Issuer and Audience must be the token's iss and among its aud; empty
	// leaves them unchecked.
	Issuer, Audience string
	// User is the claim with the user; empty means "sub". Groups is the claim
	// with groups, a list or a text with commas; empty for none. Name and
	// Email are claims for people; empty means "name" and "email".
	User, Groups, Name, Email string
	// Algorithms are those believed. Default: RS256, RS384, RS512, PS256,
	// PS384, PS512, ES256, ES384, ES512, EdDSA. Shared secrets and "none" never are.
	Algorithms []string
	// Client fetches the keys; nil means one with a time-out of 10 seconds.
	Client *http.Client
	// Clock is the time; nil means time.Now.
	Clock func() time.Time
}

var asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// maxToken bounds what is taken for a token, in bytes.
const maxToken = 16 << 10

// JWT takes the user from a signed token. A token that is absent, over, or not
// what the configuration wants names nobody; keys that cannot be fetched are
// an error.
type JWT struct {
	conf     JWTConfig
	verifier *oidc.IDTokenVerifier
	fetches  *fetches
	known    *otter.Cache[[sha256.Size]byte, verified]
}

// verified is a token that was good, until when.
type verified struct {
	person access.Person
	until  time.Time
}

// NewJWT checks a configuration. The keys are fetched at the first token.
func NewJWT(conf JWTConfig) (*JWT, error) {
	if !strings.HasPrefix(conf.JWKS, "https://") && !strings.HasPrefix(conf.JWKS, "http://") {
		return nil, fmt.Errorf("jwt: jwks %q is no http(s) address", conf.JWKS)
	}
	if conf.Cookie != "" && conf.Header != "" {
		return nil, errors.New("jwt: the token is in a cookie or in a header, not both")
	}
	if len(conf.Algorithms) == 0 {
		conf.Algorithms = asymmetric
	}
	for _, a := range conf.Algorithms {
		if !contains(asymmetric, a) {
			return nil, fmt.Errorf("jwt: algorithm %q is not believed: use one of %s", a, strings.Join(asymmetric, ", "))
		}
	}
	for _, def := range []struct {
		into *string
		text string
	}{{&conf.User, "sub"}, {&conf.Name, "name"}, {&conf.Email, "email"}} {
		if *def.into == "" {
			*def.into = def.text
		}
	}
	if conf.Clock == nil {
		conf.Clock = time.Now
	}
	if conf.Client == nil {
		conf.Client = &http.Client{Timeout: 10 * time.Second}
	}
	known, err := otter.New(&otter.Options[[sha256.Size]byte, verified]{MaximumSize: 10_000})
	if err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	f := &fetches{next: conf.Client.Transport, clock: conf.Clock}
	client := *conf.Client
	client.Transport = f
	keys := oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), &client), conf.JWKS)
	return &JWT{conf: conf, known: known, fetches: f, verifier: oidc.NewVerifier(conf.Issuer, keys, &oidc.Config{
		ClientID: conf.Audience, SkipClientIDCheck: conf.Audience == "", SkipIssuerCheck: conf.Issuer == "",
		SupportedSigningAlgs: conf.Algorithms, Now: conf.Clock,
	})}, nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// Identify implements Source.
func (j *JWT) Identify(r *http.Request) (access.Person, error) {
	token := j.token(r)
	if token == "" || len(token) > maxToken || strings.Count(token, ".") != 2 {
		return access.Person{}, nil
	}
	key, now := sha256.Sum256([]byte(token)), j.conf.Clock()
	if v, ok := j.known.GetIfPresent(key); ok && now.Before(v.until) {
		return v.person, nil
	}
	t, err := j.verifier.Verify(r.Context(), token)
	if err != nil {
		if failed := j.fetches.trouble(); failed != nil {
			return access.Person{}, fmt.Errorf("jwt: fetching the issuer's keys: %w", failed)
		}
		return access.Person{}, nil
	}
	p, err := j.person(t)
	if err != nil {
		return access.Person{}, err
	}
	if p.User != "" {
		// Not longer than some minutes: the issuer's keys may be withdrawn.
		until := now.Add(5 * time.Minute)
		if t.Expiry.Before(until) {
			until = t.Expiry
		}
		j.known.Set(key, verified{p, until})
	}
	return p, nil
}

// token is the one token of a request; of two nobody can tell which is meant.
func (j *JWT) token(r *http.Request) string {
	switch {
	case j.conf.Cookie != "":
		if c := r.CookiesNamed(j.conf.Cookie); len(c) == 1 {
			return c[0].Value
		}
		return ""
	case j.conf.Header != "":
		if v := r.Header.Values(j.conf.Header); len(v) == 1 {
			return strings.TrimSpace(strings.TrimPrefix(v[0], "Bearer "))
		}
		return ""
	}
	v := r.Header.Values("Authorization")
	if len(v) != 1 || len(v[0]) < 7 || !strings.EqualFold(v[0][:7], "bearer ") {
		return ""
	}
	return strings.TrimSpace(v[0][7:])
}

func (j *JWT) person(t *oidc.IDToken) (access.Person, error) {
	var claims map[string]any
	if err := t.Claims(&claims); err != nil {
		return access.Person{}, fmt.Errorf("jwt: reading claims: %w", err)
	}
	name, _ := claims[j.conf.User].(string)
	if name == "" {
		return access.Person{}, nil
	}
	user, err := Canonical(name)
	if err != nil {
		return access.Person{}, fmt.Errorf("jwt: claim %s: %w", j.conf.User, err)
	}
	p := access.Person{User: user, Source: "jwt"}
	if text, ok := claims[j.conf.Name].(string); ok {
		p.Name, _ = Canonical(text) // for people only
	}
	if text, ok := claims[j.conf.Email].(string); ok {
		p.Email, _ = Canonical(text)
	}
	switch g := claims[j.conf.Groups].(type) {
	case string:
		p.Groups = groups(g)
	case []any:
		for _, one := range g {
			if text, ok := one.(string); ok {
				if name, err := Canonical(text); err == nil {
					p.Groups = append(p.Groups, name)
				}
			}
		}
	}
	return p, nil
}

// fetches keeps tokens with made-up key identifiers from making us ask the
// issuer for each: once in ten seconds is enough for a rotation.
type fetches struct {
	next  http.RoundTripper
	clock func() time.Time

	mu     sync.Mutex
	last   time.Time
	failed error
}

var errTooSoon = errors.New("the keys were fetched a moment ago")

// RoundTrip implements http.RoundTripper.
func (f *fetches) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	now := f.clock()
	if !f.last.IsZero() && now.Sub(f.last) < 10*time.Second {
		err := f.failed
		f.mu.Unlock()
		if err == nil {
			err = errTooSoon
		}
		return nil, err
	}
	f.last = now
	f.mu.Unlock()
	next := f.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(r)
	if err == nil && resp.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4096))
		err = errors.Join(fmt.Errorf("the issuer answered %s", resp.Status), resp.Body.Close())
	}
	f.mu.Lock()
	f.failed = err
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// trouble is why the last fetch failed; nil where it did not.
func (f *fetches) trouble() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}
