package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/cadenas-gateway/cadenas/access"
)

// JWTConfig says where a token stands and what makes it good.
type JWTConfig struct {
	// Cookie or Header bears the token; one of them. In Authorization it is
	// behind "Bearer".
	Cookie, Header string
	// JWKS is the address of the issuer's keys. They are fetched at first
	// need, kept, and fetched again when a token names one that is not there.
	JWKS string
	// Issuer and Audience must be those of the token. Both are required: a
	// token made for another application of the same issuer is nobody's.
	Issuer, Audience string
	// Algorithms are those accepted; nil means RS256, ES256 and EdDSA. None
	// that is symmetric can be chosen: the keys are public.
	Algorithms []string
	// User and Groups are the claims that name them; "" means "sub" for the
	// user and no groups.
	User, Groups string
	// Client fetches the keys; nil means one with a timeout of ten seconds.
	Client *http.Client
	// Clock tells the time; nil means time.Now.
	Clock func() time.Time
}

// JWT takes the user from a signed token.
type JWT struct {
	cfg        JWTConfig
	keys       oidc.KeySet
	algorithms []jose.SignatureAlgorithm
}

// leeway is how far clocks may be apart.
const leeway = time.Minute

// NewJWT checks cfg and makes the source. It fetches nothing.
func NewJWT(cfg JWTConfig) (*JWT, error) {
	switch {
	case (cfg.Cookie == "") == (cfg.Header == ""):
		return nil, errors.New("identity jwt: name the cookie or the header that bears the token")
	case !strings.HasPrefix(cfg.JWKS, "https://") && !strings.HasPrefix(cfg.JWKS, "http://"):
		return nil, fmt.Errorf("identity jwt: %q is no address of keys (JWKS)", cfg.JWKS)
	case cfg.Issuer == "" || cfg.Audience == "":
		return nil, errors.New("identity jwt: issuer and audience are required")
	}
	if cfg.User == "" {
		cfg.User = "sub"
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if cfg.Algorithms == nil {
		cfg.Algorithms = []string{string(jose.RS256), string(jose.ES256), string(jose.EdDSA)}
	}
	j := &JWT{cfg: cfg}
	for _, name := range cfg.Algorithms {
		switch a := jose.SignatureAlgorithm(name); a {
		case jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512, jose.EdDSA:
			j.algorithms = append(j.algorithms, a)
		default:
			return nil, fmt.Errorf("identity jwt: algorithm %q is not accepted", name)
		}
	}
	j.keys = oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), cfg.Client), cfg.JWKS)
	return j, nil
}

// Identify implements Source. A request without a token names nobody; one
// whose token is not good is an error, and so is one with two tokens.
func (j *JWT) Identify(r *http.Request) (access.Person, error) {
	raw, err := j.token(r)
	if err != nil || raw == "" {
		return access.Person{}, err
	}
	p, err := j.verify(r.Context(), raw)
	if err != nil {
		return access.Person{}, fmt.Errorf("identity jwt: %w", err)
	}
	return p, nil
}

func (j *JWT) token(r *http.Request) (string, error) {
	var found []string
	if j.cfg.Cookie != "" {
		for _, c := range r.CookiesNamed(j.cfg.Cookie) {
			found = append(found, c.Value)
		}
	} else {
		for _, v := range r.Header.Values(j.cfg.Header) {
			if strings.EqualFold(j.cfg.Header, "Authorization") {
				scheme, rest, _ := strings.Cut(strings.TrimSpace(v), " ")
				if !strings.EqualFold(scheme, "bearer") {
					continue
				}
				v = rest
			}
			found = append(found, strings.TrimSpace(v))
		}
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("identity jwt: %d tokens in one request: %w", len(found), ErrDisagree)
}

func (j *JWT) verify(ctx context.Context, raw string) (access.Person, error) {
	// The algorithm is checked before a key is looked for: "none" and the
	// symmetric ones never get there.
	token, err := jwt.ParseSigned(raw, j.algorithms)
	if err != nil {
		return access.Person{}, fmt.Errorf("reading the token: %w", err)
	}
	if _, err := j.keys.VerifySignature(ctx, raw); err != nil {
		return access.Person{}, fmt.Errorf("checking the signature: %w", err)
	}
	var standard jwt.Claims
	var claims map[string]any
	// "Unsafe" is the library's word for a signature it has not checked
	// itself; the line above has.
	if err := token.UnsafeClaimsWithoutVerification(&standard, &claims); err != nil {
		return access.Person{}, fmt.Errorf("reading the claims: %w", err)
	}
	if standard.Expiry == nil {
		return access.Person{}, errors.New("the token has no end")
	}
	if err := standard.ValidateWithLeeway(jwt.Expected{
		Issuer: j.cfg.Issuer, AnyAudience: jwt.Audience{j.cfg.Audience}, Time: j.cfg.Clock(),
	}, leeway); err != nil {
		return access.Person{}, err
	}
	user, err := Canonical(claimText(claims, j.cfg.User))
	if err != nil {
		return access.Person{}, fmt.Errorf("claim %s: %w", j.cfg.User, err)
	}
	p := access.Person{User: user, Source: "jwt"}
	p.Name, _ = Canonical(claimText(claims, "name"))
	p.Email, _ = Canonical(claimText(claims, "email"))
	if j.cfg.Groups != "" {
		p.Groups = claimList(member(claims, j.cfg.Groups))
	}
	return p, nil
}

func claimText(claims map[string]any, path string) string {
	switch v := member(claims, path).(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

func claimList(v any) []string {
	switch t := v.(type) {
	case string:
		return groups(t)
	case []any:
		var names []string
		for _, x := range t {
			if s, ok := x.(string); ok {
				if name, err := Canonical(s); err == nil {
					names = append(names, name)
				}
			}
		}
		return names
	}
	return nil
}
