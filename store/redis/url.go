package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Parse reads the URLs that name one Redis:
//
//	redis://user:password@host:6379/0             a single server
//	rediss://…                                    the same by TLS
//	unix:///run/redis/redis.sock?db=0             by a Unix socket
//	redis://…@sentinel:26379/0?master_name=name   Sentinels; more URLs name more of them
//	redis://a:6379 redis://b:6379                 several without master_name: nodes of a cluster
//	redis://a:6379?cluster=true                   a cluster by one of its nodes
//
// User, password, database and parameters are those of the first URL; further
// ones give addresses only. Parameters besides go-redis's own: master_name,
// sentinel_username, sentinel_password, cluster, tls_ca (a PEM file that is
// trusted instead of the system's), tls_cert and tls_key (a client
// certificate), tls_server_name. Errors never contain the URL, which may hold
// a password.
func Parse(urls ...string) (*redis.UniversalOptions, error) {
	if len(urls) == 0 {
		return nil, errors.New("no URL of a Redis was given")
	}
	var u *redis.UniversalOptions
	for i, raw := range urls {
		o, err := parseOne(raw)
		if err != nil {
			return nil, fmt.Errorf("URL %d of Redis: %w", i+1, err)
		}
		if i == 0 {
			u = o
			continue
		}
		if strings.HasPrefix(o.Addrs[0], "/") || strings.HasPrefix(u.Addrs[0], "/") {
			return nil, fmt.Errorf("URL %d of Redis: a Unix socket is a single server and stands alone", i+1)
		}
		if (o.TLSConfig == nil) != (u.TLSConfig == nil) {
			return nil, fmt.Errorf("URL %d of Redis: redis:// and rediss:// cannot be mixed", i+1)
		}
		if o.MasterName != "" && o.MasterName != u.MasterName {
			return nil, fmt.Errorf("URL %d of Redis: its master_name differs from the first one's", i+1)
		}
		u.Addrs = append(u.Addrs, o.Addrs...)
	}
	if u.DB != 0 && u.MasterName == "" && (len(u.Addrs) > 1 || u.IsClusterMode) {
		return nil, errors.New("a Redis cluster has database 0 only")
	}
	return u, nil
}

func parseOne(raw string) (*redis.UniversalOptions, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// url.Error quotes the whole text, password and all.
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, fmt.Errorf("not a URL: %w", err)
	}
	if u.Scheme != "redis" && u.Scheme != "rediss" && u.Scheme != "unix" {
		return nil, fmt.Errorf("scheme %q: want redis, rediss or unix", u.Scheme)
	}
	q := u.Query()
	own := func(name string) string {
		v := q.Get(name)
		q.Del(name)
		return v
	}
	opts := &redis.UniversalOptions{
		MasterName:       own("master_name"),
		SentinelUsername: own("sentinel_username"),
		SentinelPassword: own("sentinel_password"),
	}
	switch c := own("cluster"); c {
	case "", "false":
	case "true":
		opts.IsClusterMode = true
	default:
		return nil, fmt.Errorf("cluster=%q: want true or false", c)
	}
	if opts.IsClusterMode && opts.MasterName != "" {
		return nil, errors.New("cluster and master_name exclude each other")
	}
	ca, cert, key, name := own("tls_ca"), own("tls_cert"), own("tls_key"), own("tls_server_name")
	if u.Scheme != "rediss" && ca+cert+key+name != "" {
		return nil, errors.New("tls_ca, tls_cert, tls_key and tls_server_name want rediss://")
	}
	u.RawQuery = q.Encode()
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, err
	}
	if u.Scheme == "rediss" {
		if opts.TLSConfig, err = tlsConfig(ca, cert, key, name); err != nil {
			return nil, err
		}
	}
	opts.Addrs = []string{o.Addr}
	opts.DB, opts.Username, opts.Password = o.DB, o.Username, o.Password
	opts.Protocol, opts.ClientName = o.Protocol, o.ClientName
	opts.MaxRetries, opts.MinRetryBackoff, opts.MaxRetryBackoff = o.MaxRetries, o.MinRetryBackoff, o.MaxRetryBackoff
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout = o.DialTimeout, o.ReadTimeout, o.WriteTimeout
	opts.PoolSize, opts.PoolTimeout, opts.PoolFIFO = o.PoolSize, o.PoolTimeout, o.PoolFIFO
	opts.MinIdleConns, opts.MaxIdleConns, opts.MaxActiveConns = o.MinIdleConns, o.MaxIdleConns, o.MaxActiveConns
	opts.ConnMaxIdleTime, opts.ConnMaxLifetime = o.ConnMaxIdleTime, o.ConnMaxLifetime
	defaults(opts)
	return opts, nil
}

// defaults are shorter than go-redis's: a person waits at the gate.
func defaults(o *redis.UniversalOptions) {
	if o.DialTimeout == 0 {
		o.DialTimeout = 2 * time.Second
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = 3 * time.Second
	}
	o.DialerRetries = 1 // each command is tried again anyway
	o.ContextTimeoutEnabled = true
	o.DisableIdentity = true // one command less at each connection
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// tlsConfig leaves ServerName empty unless it is given: each node of a
// cluster, and the master that a Sentinel names, is then checked by its own
// address.
func tlsConfig(ca, cert, key, name string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	if ca != "" {
		pem, err := os.ReadFile(ca) //nolint:gosec // named by whoever configures the server
		if err != nil {
			return nil, fmt.Errorf("tls_ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls_ca: %s holds no certificate in PEM", ca)
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("tls_cert and tls_key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
