package caddymodule

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/redis"
)

func init() {
	caddy.RegisterModule(Redis{})
}

// defaultAway is how long known connections go on without Redis.
const defaultAway = caddy.Duration(time.Minute)

// Redis keeps state in a Redis that several instances share: a single server,
// one that Sentinels watch, or a cluster.
type Redis struct {
	// URL names the server, or several Sentinels or nodes of a cluster:
	// redis://user:password@host:6379/0, rediss:// by TLS, unix:// by a
	// socket. Placeholders are replaced.
	URL []string `json:"url"`
	// Away is how long known connections go on from memory without Redis;
	// nobody unknown is let in meanwhile. 0 closes at once, which is within
	// two seconds. Default: 60s. The longer, the longer a revocation made
	// elsewhere stays unheard of by an instance that is cut off.
	Away *caddy.Duration `json:"away,omitempty"`

	log  *slog.Logger
	urls []string
}

// CaddyModule returns the Caddy module information.
func (Redis) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.stores.redis", New: func() caddy.Module { return new(Redis) }}
}

// UnmarshalCaddyfile reads
//
//	redis <url>... {
//		away <duration>
//	}
func (r *Redis) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	r.URL = d.RemainingArgs()
	if len(r.URL) == 0 {
		return d.Err("store redis needs the URL of a Redis: `store redis redis://localhost:6379`")
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch word := d.Val(); {
		case word == "away" && r.Away != nil:
			return d.Err("away stands twice: keep one")
		case word == "away":
			var text string
			if err := oneArg(d, &text); err != nil {
				return err
			}
			away, err := caddy.ParseDuration(text)
			if err != nil || away < 0 {
				return d.Errf("away %q is no duration: write `away 60s`, or `away 0` to close at once", text)
			}
			r.Away = (*caddy.Duration)(&away)
		default:
			return d.Errf("store redis does not know %q: its one word is away", word)
		}
	}
	return nil
}

// Provision reads the URLs; it reaches nothing.
func (r *Redis) Provision(ctx caddy.Context) error {
	r.log = ctx.Slogger()
	repl := caddy.NewReplacer()
	r.urls = nil
	for _, u := range r.URL {
		r.urls = append(r.urls, repl.ReplaceKnown(u, ""))
	}
	if _, err := redis.Parse(r.urls...); err != nil {
		return fmt.Errorf("store redis: %w", err)
	}
	if r.Away != nil && *r.Away < 0 {
		return fmt.Errorf("store redis: away is negative")
	}
	return nil
}

// keyOfKeys makes Key tell two passwords apart without saying anything of
// them outside this process.
var keyOfKeys = rand.Text()

// Key is the servers' names with a mark of this process for the rest of the
// URLs, which may hold a password.
func (r *Redis) Key() string {
	mac := hmac.New(sha256.New, []byte(keyOfKeys))
	mac.Write([]byte(strings.Join(r.urls, "\n"))) // a hash never fails
	return r.String() + " #" + hex.EncodeToString(mac.Sum(nil)[:4])
}

// String is the servers' names, for people.
func (r *Redis) String() string {
	names := []string{"redis"}
	for _, text := range r.urls {
		if u, err := url.Parse(text); err == nil {
			names = append(names, u.Host+u.Path)
		}
	}
	return strings.Join(names, " ")
}

// AwayFor is how long known connections go on without Redis.
func (r *Redis) AwayFor() time.Duration {
	if r.Away == nil {
		return time.Duration(defaultAway)
	}
	return time.Duration(*r.Away)
}

// Open connects, and warns of settings with which Redis loses what it holds.
func (r *Redis) Open() (store.Store, error) {
	redis.LogTo(r.log)
	opts, err := redis.Parse(r.urls...)
	if err != nil {
		return nil, err
	}
	st, err := redis.Open(context.Background(), opts, redis.Options{})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, warning := range st.Warnings(ctx) {
		r.log.Warn(warning)
	}
	return st, nil
}

// openStore opens what the command line names: the path of a bolt file, or
// one or more URLs of a Redis in one word, apart by spaces.
func openStore(ctx context.Context, name string, mustExist bool) (store.Store, error) {
	if !strings.Contains(name, "://") {
		return openFile(name, mustExist)
	}
	redis.LogTo(slog.New(slog.DiscardHandler))
	opts, err := redis.Parse(strings.Fields(name)...)
	if err != nil {
		return nil, err
	}
	st, err := redis.Open(ctx, opts, redis.Options{})
	if err != nil {
		return nil, errors.Join(err, errors.New("is Redis running, and is the URL right?"))
	}
	return st, nil
}

// Interface guards
var (
	_ Opener                = (*Redis)(nil)
	_ caddy.Provisioner     = (*Redis)(nil)
	_ caddyfile.Unmarshaler = (*Redis)(nil)
)
