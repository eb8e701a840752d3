// Package fingerprint reads one request into what it shows of itself: the
// device (by our sealed cookie), the browser (by user agent and client hints)
// and the client's address. It decides nothing and keeps nothing but bounded
// caches; a known device in a known browser costs no lock and no store.
package fingerprint

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

// Arrival is how a request came, as Caddy knows it.
type Arrival struct {
	// HTTPS says that the browser spoke https, to us or to a trusted proxy.
	HTTPS bool
	// ClientIP is Caddy's client_ip, or the socket's remote address.
	ClientIP string
	// Domain is the site's cookie_domain; empty keeps the cookie to the host.
	Domain string
}

// Fingerprint is what one request shows. The place is not part of it: it is
// looked up from Address.
type Fingerprint struct {
	Device  access.Device
	Browser access.Browser
	// Address is the client's, unmapped and without zone; invalid when it
	// could not be read.
	Address netip.Addr
	// Cookie is the device cookie that was found; zero when there was none
	// that counts.
	Cookie Cookie
	// CloneOf is the device whose cookie came back in an old generation: a
	// copy. Device.ID is then empty, as for a device never seen, and the gate
	// asks for approval whatever the policy says about new devices.
	CloneOf string
	// Unsure says that the cookie is ours and its generation could not be
	// checked because the store is away: the device counts as not known, and
	// the cookie is left alone.
	Unsure bool
	// Program says that no browser is behind the request: curl, a robot.
	Program bool
	// Coarse says that the browser was too unusual to be told at once under
	// the present load; another request may tell more.
	Coarse bool

	agent  Agent
	name   string
	domain string
	fresh  bool // the memory changed, or an old key sealed the cookie
}

// Clone reports whether the device cookie was a copy.
func (f *Fingerprint) Clone() bool { return f.CloneOf != "" }

// Reader reads requests. Ledger may be nil: copies are then not looked for.
type Reader struct {
	Jar    *Jar
	Agents *Agents
	Ledger *Ledger
}

// Read returns what r shows. It changes nothing and never fails: what cannot
// be read is unknown, and what is unknown is never known to the gate.
func (rd *Reader) Read(r *http.Request, at Arrival, now time.Time) Fingerprint {
	f := rd.Glance(r, at, now)
	rd.Complete(r, &f)
	return f
}

// Complete tells a coarse fingerprint's browser whole, where it can be told
// now. It is asked for once there is somebody: strangers, who are asked to
// sign in whatever their browser is, cost no more than a glance.
func (rd *Reader) Complete(r *http.Request, f *Fingerprint) {
	if f.Coarse {
		f.agent = rd.Agents.Parse(r.Context(), r.Header)
		f.told()
		f.show()
	}
}

// Glance is Read, but for browsers so unusual that to tell them costs
// milliseconds: what it returns is then Coarse, and Complete tells the rest.
func (rd *Reader) Glance(r *http.Request, at Arrival, now time.Time) Fingerprint {
	f := Fingerprint{
		Address: ParseAddress(at.ClientIP),
		name:    CookieName(at.HTTPS, r.Host, at.Domain),
		domain:  at.Domain,
		agent:   rd.Agents.Glance(r.Header),
	}
	cookie, ok := rd.Jar.Find(r.Header["Cookie"], f.name, now)
	if ok && rd.Ledger != nil {
		clone, err := rd.Ledger.Check(r.Context(), cookie.ID, cookie.Generation, now)
		switch {
		case err != nil:
			ok, f.Unsure = false, true
		case clone:
			ok, f.CloneOf = false, cookie.ID
		}
	}
	if ok {
		f.Cookie, f.Device.ID, f.fresh = cookie, cookie.ID, cookie.oldKey
		f.told()
	}
	f.show()
	return f
}

// told remembers what client hints told of a known device.
func (f *Fingerprint) told() {
	if f.Cookie.ID == "" || f.agent.Coarse || !f.agent.hinted || f.agent.told.sameHints(f.Cookie.Memory) {
		return
	}
	f.Cookie.Memory.Family, f.Cookie.Memory.Platform, f.Cookie.Memory.Kind = f.agent.told.Family, f.agent.told.Platform, f.agent.told.Kind
	f.fresh = true
}

// show fills what is read off the agent and the memory.
func (f *Fingerprint) show() {
	a := f.agent
	if f.Cookie.ID != "" {
		a = f.Cookie.Memory.over(a)
	}
	f.Browser, f.Device.Kind, f.Device.Label = a.Browser, a.Kind, a.Label
	f.Program, f.Coarse = a.Program, a.Coarse
}

// Due reports whether the answer should bring the device cookie: there is
// none that counts, it is a day old, an older key sealed it, or there is more
// to remember. The caller asks on navigations and login answers only, and
// sends Cache-Control: private with it; on a public asset a shared cache
// would make strangers one device.
func (f *Fingerprint) Due(now time.Time) bool {
	if f.Unsure {
		return false
	}
	age := now.Sub(f.Cookie.Issued)
	return f.Cookie.ID == "" || f.fresh || age >= RenewAfter || age < -RenewAfter
}

// Issue returns the Set-Cookie value that gives the browser its device
// cookie, and makes f show it: a new device where there was none, else the
// same one, in its next generation when the present one is a day old.
func (rd *Reader) Issue(f *Fingerprint, now time.Time) string {
	age := now.Sub(f.Cookie.Issued)
	switch {
	case f.Cookie.ID == "":
		f.Cookie = Cookie{ID: newID(), Memory: f.agent.told}
	case age >= RenewAfter || age < -RenewAfter:
		f.Cookie.Generation++
	}
	f.Cookie.Issued, f.Cookie.oldKey = now.Truncate(time.Second), false
	f.Device.ID, f.fresh = f.Cookie.ID, false
	f.show()
	return rd.Jar.Header(f.Cookie, f.name, f.domain)
}

// Rotate is Issue with the next generation whatever the present one's age: at
// an approval and when another user signs in, so that a copy that was planted
// or taken before is an old one soon (threat L9).
func (rd *Reader) Rotate(f *Fingerprint, now time.Time) string {
	if f.Cookie.ID != "" {
		f.Cookie.Generation++
		f.Cookie.Issued = now
	}
	return rd.Issue(f, now)
}

// Remember takes in what a page script of ours reported, and reports whether
// that changed what f shows or what the cookie has to keep; the caller then
// issues the cookie. An access request should be opened after the report, or
// shown anew: the kind of the device may be another one.
func (f *Fingerprint) Remember(rep Report) bool {
	if f.Cookie.ID == "" {
		return false
	}
	m := f.Cookie.Memory.noted(rep, f.agent)
	if m == f.Cookie.Memory {
		return false
	}
	f.Cookie.Memory, f.fresh = m, true
	f.show()
	return true
}

// Name is the name of the device cookie on this request.
func (f *Fingerprint) Name() string { return f.name }

// Navigation reports whether r asks for a page to be shown: a person waits in
// front of it, and a page of ours can be answered. Browsers say so since 2023
// in Sec-Fetch-Mode; without it, a GET that asks for HTML counts.
func Navigation(r *http.Request) bool {
	if mode := r.Header["Sec-Fetch-Mode"]; len(mode) > 0 {
		if mode[0] != "navigate" {
			return false
		}
		dest := r.Header.Get("Sec-Fetch-Dest")
		return dest == "" || dest == "document" || dest == "iframe" || dest == "frame"
	}
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		strings.Contains(r.Header.Get("Accept"), "text/html") &&
		r.Header.Get("X-Requested-With") != "XMLHttpRequest" && r.Header.Get("Upgrade") == ""
}

func (m Memory) sameHints(o Memory) bool {
	return m.Family == o.Family && m.Platform == o.Platform && m.Kind == o.Kind
}
