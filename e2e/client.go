package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// User agents as their browsers send them, for clients and browsers of tests.
const (
	ChromeLinux   = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
	EdgeWindows   = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0"
	FirefoxLinux  = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
	SafariMac     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15"
	SafariIPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1"
	ChromeAndroid = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36"
	ChromeTablet  = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)

// Client is somebody's browser without the browser: cookies, headers and an
// address of its own, for stories in which nobody looks at a page. Each one
// is a device of its own. A transport error fails the test.
type Client struct {
	t testing.TB
	// Header goes out with every request: User-Agent, Accept-Language and
	// what a test adds.
	Header http.Header
	// Bearer is sent as a token where it is set.
	Bearer string
	// Basic is the name and password that the browser has for basic
	// authentication.
	Basic [2]string
	// From is the address requests come from, for example "127.0.0.9"; empty
	// leaves it to the system. All of 127.0.0.0/8 works on Linux.
	From string
	// TLS is what the client trusts; nil means the system's authorities.
	TLS *tls.Config
	// Jar holds the cookies; a test may replace or share it.
	Jar http.CookieJar

	http *http.Client
}

// NewClient returns a client of a new device: a Chrome on Linux in English.
func NewClient(t testing.TB) *Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{t: t, Jar: trustworthy{jar}, Header: http.Header{
		"User-Agent":      {ChromeLinux},
		"Accept-Language": {"en"},
	}}
	transport := &http.Transport{
		DialContext: c.dial,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			plain, err := c.dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			config := &tls.Config{MinVersion: tls.VersionTLS12}
			if c.TLS != nil {
				config = c.TLS.Clone()
			}
			if config.ServerName == "" {
				config.ServerName = host
			}
			secured := tls.Client(plain, config)
			if err := secured.HandshakeContext(ctx); err != nil {
				return nil, fmt.Errorf("shaking hands with %s: %w", host, err)
			}
			return secured, nil
		},
		// What arrives is what a test looks at.
		DisableCompression: true,
	}
	c.http = &http.Client{
		Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return c
}

// dial resolves names under .localhost by itself, as browsers do and libc
// does not everywhere.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".test") {
		host = "127.0.0.1"
	}
	dialer := net.Dialer{Timeout: patience}
	if c.From != "" {
		from := net.ParseIP(c.From)
		dialer.LocalAddr = &net.TCPAddr{IP: from}
		if from.To4() == nil && host == "127.0.0.1" {
			host = "::1"
		}
	}
	return dialer.DialContext(ctx, network, net.JoinHostPort(host, port))
}

// trustworthy is a jar that takes Secure cookies on http://*.localhost and
// sends them there, as browsers do: loopback counts as a secure context.
type trustworthy struct{ http.CookieJar }

func (j trustworthy) secure(u *url.URL) *url.URL {
	if host := u.Hostname(); host == "localhost" || strings.HasSuffix(host, ".localhost") {
		moved := *u
		moved.Scheme = "https"
		return &moved
	}
	return u
}

func (j trustworthy) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.CookieJar.SetCookies(j.secure(u), cookies)
}

func (j trustworthy) Cookies(u *url.URL) []*http.Cookie { return j.CookieJar.Cookies(j.secure(u)) }

// Answer is one response, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// URL is what was asked for, after any redirects that were followed.
	URL *url.URL
	// Cookies are those that the response sets.
	Cookies []*http.Cookie

	t testing.TB
}

// Text is the body as text.
func (a *Answer) Text() string { return string(a.Body) }

// Location is where a redirect leads, as the header says it.
func (a *Answer) Location() string { return a.Header.Get("Location") }

// Type is the media type, without parameters.
func (a *Answer) Type() string {
	kind, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	return strings.TrimSpace(kind)
}

// JSON reads the body into v.
func (a *Answer) JSON(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil {
		a.t.Fatalf("%s: %v in %s", a.URL, err, a.Body)
	}
}

// Expect fails the test when the status is another one.
func (a *Answer) Expect(status int) *Answer {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("%s answered %d, not %d:\n%.2000s", a.URL, a.Status, status, a.Body)
	}
	return a
}

// Cookie returns the cookie of a name that the response sets, or nil.
func (a *Answer) Cookie(name string) *http.Cookie {
	for _, cookie := range a.Cookies {
		if cookie.Name == name {
			return cookie
		}
	}
	return nil
}

// Request makes a request as it stands, the client's headers and cookies
// aside: Do adds them.
func (c *Client) Request(method, address string, body io.Reader) *http.Request {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, address, body)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// Do sends a request and reads the answer. Redirects are not followed.
func (c *Client) Do(r *http.Request) *Answer {
	c.t.Helper()
	response := c.Send(r)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatalf("%s %s: reading the answer: %v", r.Method, r.URL, err)
	}
	return &Answer{response.StatusCode, response.Header, body, r.URL, response.Cookies(), c.t}
}

// Send is Do for an answer that does not end, or is too large to keep: the
// test reads and closes the body.
func (c *Client) Send(r *http.Request) *http.Response {
	c.t.Helper()
	response, err := c.Try(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return response
}

// Try is Send for a request that may fail on the way.
func (c *Client) Try(r *http.Request) (*http.Response, error) {
	c.prepare(r.Header)
	for _, cookie := range c.Jar.Cookies(r.URL) {
		r.AddCookie(cookie)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	c.Jar.SetCookies(r.URL, response.Cookies())
	return response, nil
}

// prepare adds the client's headers where the request has none of its own.
func (c *Client) prepare(h http.Header) {
	for name, values := range c.Header {
		if _, ok := h[name]; !ok {
			h[name] = values
		}
	}
	if c.Bearer != "" && h.Get("Authorization") == "" {
		h.Set("Authorization", "Bearer "+c.Bearer)
	}
}

// navigation marks a request as one of somebody who goes to a page.
func navigation(r *http.Request, site string) *http.Request {
	r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", site)
	r.Header.Set("Sec-Fetch-User", "?1")
	r.Header.Set("Upgrade-Insecure-Requests", "1")
	return r
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// Open goes to a page as typed into the address bar, and follows redirects.
func (c *Client) Open(address string) *Answer {
	c.t.Helper()
	return c.Follow(c.Visit(address))
}

// Visit is Open without following redirects.
func (c *Client) Visit(address string) *Answer {
	c.t.Helper()
	return c.Do(navigation(c.Request(http.MethodGet, address, nil), "none"))
}

// Follow follows the redirects of an answer, ten at most.
func (c *Client) Follow(a *Answer) *Answer {
	c.t.Helper()
	for range 10 {
		switch a.Status {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		default:
			return a
		}
		next, err := a.URL.Parse(a.Location())
		if err != nil {
			c.t.Fatalf("%s leads to %q: %v", a.URL, a.Location(), err)
		}
		a = c.Do(navigation(c.Request(http.MethodGet, next.String(), nil), "same-origin"))
	}
	c.t.Fatalf("%s: redirects without end", a.URL)
	return nil
}

// Submit posts a form of a page of the same site. Redirects are not followed.
func (c *Client) Submit(address string, form url.Values) *Answer {
	c.t.Helper()
	r := navigation(c.Request(http.MethodPost, address, strings.NewReader(form.Encode())), "same-origin")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin(r.URL))
	return c.Do(r)
}

// Fetch sends what a script of a page of the same site sends; contentType is
// that of the body, empty without one.
func (c *Client) Fetch(method, address, contentType string, body []byte) *Answer {
	c.t.Helper()
	r := c.Request(method, address, bytes.NewReader(body))
	r.Header.Set("Accept", "*/*")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if method != http.MethodGet && method != http.MethodHead {
		r.Header.Set("Origin", origin(r.URL))
	}
	return c.Do(r)
}

// Socket opens a WebSocket as a script of a page of the site does. Where it is
// refused, the answer that came instead is returned.
func (c *Client) Socket(address string) (*websocket.Conn, *http.Response) {
	c.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		c.t.Fatal(err)
	}
	header := http.Header{"Origin": {origin(u)}, "Sec-Fetch-Mode": {"websocket"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"same-origin"}}
	c.prepare(header)
	for _, cookie := range c.Jar.Cookies(u) {
		header.Add("Cookie", cookie.Name+"="+cookie.Value)
	}
	if values := header.Values("Cookie"); len(values) > 1 {
		header.Set("Cookie", strings.Join(values, "; "))
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	socket, response, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		HTTPClient: c.http, HTTPHeader: header,
	})
	if err != nil {
		if response == nil {
			c.t.Fatalf("%s: %v", address, err)
		}
		return nil, response
	}
	c.Jar.SetCookies(u, response.Cookies())
	c.t.Cleanup(func() { _ = socket.CloseNow() })
	return socket, response
}

// Cookie returns the value of a cookie the client would send to an address,
// empty when there is none.
func (c *Client) Cookie(address, name string) string {
	c.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, cookie := range c.Jar.Cookies(u) {
		if cookie.Name == name {
			return cookie.Value
		}
	}
	return ""
}

// Steal copies another client's cookies for an address, as somebody does who
// reads them in a log or by a script of the application: all but the gate's
// own, which no script sees and no backend gets. With names, those and no
// other: a copy of everything, the device cookie too, is that device.
func (c *Client) Steal(from *Client, address string, names ...string) {
	c.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		c.t.Fatal(err)
	}
	var taken []*http.Cookie
	for _, cookie := range from.Jar.Cookies(u) {
		ours := strings.Contains(cookie.Name, "cadenas")
		if slices.Contains(names, cookie.Name) || len(names) == 0 && !ours {
			//nolint:gosec // a request's cookie has a name and a value only
			taken = append(taken, &http.Cookie{Name: cookie.Name, Value: cookie.Value, Path: "/", Secure: strings.HasPrefix(cookie.Name, "__")})
		}
	}
	if len(taken) == 0 {
		c.t.Fatalf("no cookie to take for %s", address)
	}
	c.Jar.SetCookies(u, taken)
}

// Eventually calls check until it returns nil, and fails the test with its
// last error when it does not within patience.
func Eventually(t testing.TB, check func() error) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-end.C:
			t.Fatal(errors.Join(errors.New("never came true"), err))
		case <-tick.C:
		}
	}
}
