package approvals

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

// WaitPath is where the waiting page is had by GET on its host; its forms and
// its event stream are below it.
const WaitPath = "/.cadenas/wait"

// DevicePath is where a page tells what only a script can see of a device.
const DevicePath = "/.cadenas/device"

// WaitingPage is what the waiting page is made of. Ask and Application are
// needed; a refused newcomer who holds no request gets the page of a made-up
// one, so that both look alike from outside (threat L17).
type WaitingPage struct {
	Ask AccessRequest
	// Application is its name for people.
	Application string
	// Languages are those of the configuration.
	Languages []string
	// Here is the page's own address for GET on this host; default WaitPath.
	Here string
	// Biopass is where four words are typed instead; empty where that is not
	// offered.
	Biopass string
	// Code says by which second channel the person got a code with which they
	// let themself in; nil where there is no such way.
	Code *CodeSent
	// Release is set once approved while the login's answer is held.
	Release *Release
	// Continue is where an approved person goes when no answer is held, and
	// where one asks again: a path on this host, or an http(s) URL, from the
	// server's own memory (threat L13). Empty means "/".
	Continue string
	// SignInAgain says that the login answered a script with a token, or that
	// the held answer is gone: approved, but to be signed in again at SignIn.
	// TooLate tells the second from the first.
	SignInAgain, TooLate bool
	SignIn               string
	// Said is what the last form brought: "note", "name", "pass" and "code" (a
	// code that is not good), "tries" (too many of these), "again" (another is
	// on its way), "none" (none is sent now), "long" (too long); empty for
	// nothing.
	Said string
	// Limits are those in force; zero fields take the defaults.
	Limits Limits
	// Now is the time; zero means time.Now.
	Now time.Time
}

// CodeSent is where a code went: Channel is "sms" or "email", Hint the last
// digits of a number, as its holder knows them, Life how long it is good.
type CodeSent struct {
	Channel, Hint string
	Life          time.Duration
}

// Release is the form that fetches a held answer: posted to the login's own
// address, where the backend's cookies and relative links are right.
type Release struct {
	// Action is the login's address: a path, or an origin and a path where the
	// page stands on another host.
	Action string
	// Ticket is good once, for this device.
	Ticket string
	// Redirects are origins other than Action's to which the held answer leads:
	// Chromium holds a form's redirects against the page's policy.
	Redirects []string
}

// waitingView is what waiting.html reads.
type waitingView struct {
	pages.Door
	// State is "waiting", "approved", "refused", "cancelled" or "expired": what
	// the script compares with what the stream says.
	State string
	// Scene is what is drawn: State, but for "name", "again" and "late".
	Scene string
	Ask   AccessRequest
	Five  pages.Five
	// PasswordGood says that a sign-in of the backend's was seen to succeed.
	PasswordGood bool
	Unverified   bool
	Waited       time.Duration
	// Today says that it was asked less than 12 hours ago: a time of day tells.
	Today        bool
	AskAgain     time.Time
	Release      *Release
	Continue     string
	SignIn       string
	Biopass      string
	Code         *CodeSent
	Said         string
	NoteLimit    int
	Base, Device string
	Now          time.Time
}

// View is the page's state as its template reads it.
func (p WaitingPage) view(c *lang.Catalogue) waitingView {
	if p.Now.IsZero() {
		p.Now = time.Now()
	}
	if p.Here == "" {
		p.Here = WaitPath
	}
	v := waitingView{
		Door: pages.Door{
			Application: p.Application, Reference: p.Ask.Reference, Here: p.Here, Languages: p.Languages,
			Styles: []string{"waiting.css"}, Scripts: []string{"waiting.js"},
		},
		Ask: p.Ask, PasswordGood: p.Ask.LoginID != "", Unverified: p.Ask.Person.Source == sourceDevice,
		Waited: max(0, p.Now.Sub(p.Ask.Opened)), Today: p.Now.Sub(p.Ask.Opened) < 12*time.Hour, AskAgain: p.Ask.Decision.At.Add(p.Limits.complete().Refused),
		Release: p.Release, Continue: local(p.Continue, "/"), SignIn: local(p.SignIn, local(p.Continue, "/")),
		Biopass: local(p.Biopass, ""), Code: p.Code, Said: p.Said, NoteLimit: NoteLimit,
		Base: WaitPath, Device: DevicePath, Now: p.Now,
	}
	drawn := parts(c, p.Ask, p.Application, p.Now)
	drawn.You = true
	switch p.Ask.State {
	case Approved:
		v.State, v.Scene = "approved", "approved"
		drawn.Authorised = p.Ask.Decision.At
		if p.TooLate {
			v.Scene = "late"
		} else if p.SignInAgain {
			v.Scene = "again"
		}
	case Refused:
		v.State, v.Scene = "refused", "refused"
	case Cancelled:
		v.State, v.Scene = "cancelled", "cancelled"
	case Expired:
		v.State, v.Scene = "expired", "expired"
	case Waiting, Deciding:
		v.State, v.Scene = "waiting", "waiting"
	default: // no state is no outcome
		v.State, v.Scene = "waiting", "waiting"
	}
	if v.State == "waiting" {
		v.Reload = 15
		if v.Unverified && p.Ask.Person.Name == "" {
			v.Scene = "name"
			v.Reload = 0 // it would wipe what is being typed
		}
	}
	if v.Unverified && p.Ask.Person.Name == "" {
		drawn.User = c.Text("waiting.no_name")
	}
	v.Five = drawn.Five(c, "h-new")
	return v
}

// local lets through a path on this host and an http(s) URL, and nothing that a
// browser would take for something else (threat L13).
func local(address, otherwise string) string {
	if strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") && !strings.HasPrefix(address, `/\`) {
		return address
	}
	if u, err := url.Parse(address); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		return address
	}
	return otherwise
}

// WriteWaiting answers with the waiting page in the catalogue's language. The
// status is 403 as long as nothing is open.
func WriteWaiting(w http.ResponseWriter, r *http.Request, c *lang.Catalogue, status int, p WaitingPage, options ...pages.Option) error {
	if p.Release != nil {
		options = append(options, pages.FormsTo(append([]string{p.Release.Action}, p.Release.Redirects...)...))
	}
	return pageSet().Write(w, r, c, status, "waiting", p.view(c), options...)
}
