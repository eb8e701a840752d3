package fingerprint

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/ua-parser/uap-go/uaparser"

	"github.com/cadenas-gateway/cadenas/access"
)

const (
	// maxAgent is how much of a user agent is read. Real ones stay under it,
	// those of apps inside apps included.
	maxAgent = 512
	// maxHint is how long a client hint may be; a longer one is none.
	maxHint = 256
	// cachedAgents bounds the cache: some 5 MB when strangers fill it with
	// the longest there are.
	cachedAgents = 4096
	// patience is how long a request waits for its turn to be parsed whole.
	patience = 100 * time.Millisecond
)

// Agent is what a user agent and its client hints tell.
type Agent struct {
	Browser access.Browser
	Kind    access.Kind
	// Label is the device in plain words; see LabelCode.
	Label string
	// Program says that no browser is behind it.
	Program bool
	// Coarse says that it was too unusual to be told at once under load.
	Coarse bool

	hinted bool   // client hints were sent
	told   Memory // what they told beyond the user agent
}

// key is all that an Agent is read from. It is compared as it is, so that a
// lookup copies nothing.
type key struct {
	ua, brands, mobile, platform, model, via string
	long                                     bool
}

// Agents reads user agents. The answers are kept in a bounded cache that one
// long series of strangers does not empty; the plain rules answer for what is
// usual; what is left is parsed by uap-go, one at a time.
type Agents struct {
	cache *otter.Cache[key, *Agent]
	turn  chan struct{}
	spent budget
	whole func() (*uaparser.Parser, error)
}

// NewAgents makes a reader of user agents. uap-go's patterns are compiled
// when the first unusual one comes (30 ms, 5 MB), or by Warm.
func NewAgents() *Agents {
	return &Agents{
		cache: otter.Must(&otter.Options[key, *Agent]{MaximumSize: cachedAgents}),
		turn:  make(chan struct{}, 1),
		whole: sync.OnceValues(loadPatterns),
	}
}

// loadPatterns compiles the patterns for browsers and systems. Those for
// device models are two thirds of all and tell nothing that is asked here.
func loadPatterns() (*uaparser.Parser, error) {
	text := uaparser.DefinitionYaml
	if i := bytes.Index(text, []byte("\ndevice_parsers:")); i >= 0 {
		text = text[:i+1]
	}
	//nolint:staticcheck // the only way to choose sections without a YAML library of our own
	p, err := uaparser.NewFromBytes(text)
	if err != nil {
		return nil, fmt.Errorf("compiling user agent patterns: %w", err)
	}
	return p, nil
}

// Warm compiles the patterns ahead of the first request that needs them.
func (s *Agents) Warm() error {
	_, err := s.whole()
	return err
}

// Parse tells what is behind the headers of a request. It never fails: what
// cannot be told is "Other". For what was told before it costs one lookup.
func (s *Agents) Parse(ctx context.Context, h http.Header) Agent {
	k := keyOf(h)
	if a, ok := s.cache.GetIfPresent(k); ok {
		return *a
	}
	a, sure := plain(k.ua)
	if !sure && !k.long {
		a = s.parseWhole(ctx, k.ua, a)
	}
	return s.keep(k, a)
}

// Glance is Parse without what costs milliseconds: where that would tell
// more, the answer is coarse. It is for whoever may be nobody (threat L22).
func (s *Agents) Glance(h http.Header) Agent {
	k := keyOf(h)
	if a, ok := s.cache.GetIfPresent(k); ok {
		return *a
	}
	a, sure := plain(k.ua)
	a.Coarse = !sure && !k.long
	return s.keep(k, a)
}

func (s *Agents) keep(k key, a Agent) Agent {
	a = k.hinted(a)
	if !a.Coarse {
		kept := a
		s.cache.Set(k.clone(), &kept)
	}
	return a
}

// parseWhole asks uap-go, when its turn comes soon; guess is the answer of
// the plain rules.
func (s *Agents) parseWhole(ctx context.Context, ua string, guess Agent) Agent {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-late.C:
		guess.Coarse = true
		return guess
	case <-ctx.Done():
		guess.Coarse = true
		return guess
	}
	p, err := s.whole()
	if err != nil {
		return guess // for good: the patterns are part of the binary
	}
	if !s.spent.take(time.Now()) {
		guess.Coarse = true
		return guess
	}
	ua = strings.Clone(ua) // the parser keeps it
	if u := p.ParseUserAgent(ua); u.Family != "" && u.Family != other {
		guess.Browser.Family, guess.Browser.Version = uapFamily(u.Family), major(u.Major)
	}
	if guess.Browser.Platform == other {
		if o := p.ParseOs(ua); o.Family != "" {
			guess.Browser.Platform, guess.Kind = uapPlatform(o.Family, guess.Kind)
		}
	}
	guess.Label = label(guess.Browser.Platform, guess.Kind, guess.Program)
	return guess
}

// uapFamily gives uap-go's families our names: the same browser has one
// name on all platforms.
func uapFamily(family string) string {
	switch family {
	case "Mobile Safari":
		return safari
	case "Mobile Safari UI/WKWebView", "Chrome Mobile WebView", "Android", "Facebook", "Instagram", "Line", "Snapchat", "Pinterest", "TikTok":
		return webView
	case "HeadlessChrome":
		return headlessChrome
	case "IE":
		return "Internet Explorer"
	case "IE Mobile":
		return "Internet Explorer"
	case "Electron":
		return installedApp
	}
	family = strings.TrimSuffix(strings.TrimSuffix(family, " iOS"), " Mobile")
	return clean(family, maxRemembered)
}

func uapPlatform(family string, kind access.Kind) (string, access.Kind) {
	switch family {
	case "Mac OS X":
		return macOS, access.Computer
	case "Chrome OS":
		return chromeOS, access.Computer
	case "FreeBSD", "OpenBSD", "NetBSD":
		return bsd, access.Computer
	case "Solaris", "Windows", "Linux":
		return family, access.Computer
	case "iOS":
		return ios, access.Phone
	case "BlackBerry OS", "Symbian OS", "Windows Phone", "Firefox OS":
		return clean(family, maxRemembered), access.Phone
	}
	return clean(family, maxRemembered), kind
}

// Shown are the headers that a browser is told by, as they came: the first
// line of each, empty where there is none.
type Shown struct {
	Agent    string // User-Agent
	Brands   string // Sec-CH-UA
	Mobile   string // Sec-CH-UA-Mobile
	Platform string // Sec-CH-UA-Platform
	Model    string // Sec-CH-UA-Model
	Via      string // X-Requested-With
}

// ShownBy reads them from the headers of a request.
func ShownBy(h http.Header) Shown {
	return Shown{
		Agent: first(h, "User-Agent"), Brands: first(h, "Sec-Ch-Ua"), Mobile: first(h, "Sec-Ch-Ua-Mobile"),
		Platform: first(h, "Sec-Ch-Ua-Platform"), Model: first(h, "Sec-Ch-Ua-Model"), Via: first(h, "X-Requested-With"),
	}
}

func keyOf(h http.Header) key {
	shown := ShownBy(h)
	return shown.key()
}

func (s *Shown) key() key {
	k := key{ua: s.Agent, brands: hint(s.Brands), via: s.Via}
	if len(k.ua) > maxAgent {
		k.ua, k.long = k.ua[:maxAgent], true
	}
	if k.via != "" && !packageName(k.via) {
		k.via = ""
	}
	if k.brands != "" {
		k.mobile, k.platform, k.model = hint(s.Mobile), hint(s.Platform), hint(s.Model)
	}
	return k
}

func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func hint(value string) string {
	if len(value) <= maxHint {
		return value
	}
	return ""
}

// clone lets go of the request's memory.
func (k key) clone() key {
	for _, s := range []*string{&k.ua, &k.brands, &k.mobile, &k.platform, &k.model, &k.via} {
		*s = strings.Clone(*s)
	}
	return k
}
