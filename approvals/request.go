// Package approvals keeps the requests of people who wait at the gate: they
// are opened, told to the approvers, decided and ended here. What is approved
// becomes a rule (or full access) in the same batch that closes the request.
package approvals

import (
	"crypto/rand"
	"math/big"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
)

// State is where a request stands.
type State string

// The states of a request. Deciding lasts for the moment in which full access
// is being written (or until the next start, after a crash in that moment):
// nobody else can decide then, and people are shown it as waiting.
const (
	Waiting   State = "waiting"
	Deciding  State = "deciding"
	Approved  State = "approved"
	Refused   State = "refused"
	Cancelled State = "cancelled"
	Expired   State = "expired"
)

// Open reports whether a decision is still awaited.
func (s State) Open() bool { return s == Waiting || s == Deciding }

// Width is how far an approval reaches.
type Width string

// The widths, from the narrowest.
const (
	// WidthConnection lets this user in on this device, in this browser, from
	// this place.
	WidthConnection Width = "connection"
	// WidthDevice lets this user in on this device, from anywhere.
	WidthDevice Width = "device"
	// WidthNetwork lets this user in from this place, on any device.
	WidthNetwork Width = "network"
	// WidthEveryone lets everybody in on this device, from anywhere.
	WidthEveryone Width = "everyone"
	// WidthFull gives this user full access to the application.
	WidthFull Width = "full"
)

// Widths lists all widths, in the order pages show them.
var Widths = []Width{WidthConnection, WidthDevice, WidthNetwork, WidthEveryone, WidthFull}

// The ways a decision came. They are the audit's words too.
const (
	ViaConsole = "console"
	ViaMail    = "mail" // any link of a notice: e-mail, SMS, push
	ViaCommand = "cli"
	ViaAPI     = "api"
	ViaPass    = "pass"
	ViaSelf    = "self"
)

// Decision is what became of a request, as it is kept.
type Decision struct {
	// By is the approver's e-mail; "pass" for a pass code.
	By string
	// Name is the approver's name at that time, for people.
	Name string
	At   time.Time
	// Via is the way it came: console, mail, cli, api, pass.
	Via string
	// Width, Until and RuleID are set for an approval; the zero Until means
	// no end, and full access has no rule.
	Width  Width
	Until  time.Time
	RuleID string
	// Reply is the approver's word to the person who asked.
	Reply string
	// Sure says that a signed-in approver said they made sure otherwise who
	// it was, instead of typing the number.
	Sure bool
}

// NoteLimit is the length of a note and of a reply, in characters.
const NoteLimit = 200

// AccessRequest is the ask of one waiting person: one burst of one user on
// one device in one application, whatever it tried in it.
type AccessRequest struct {
	// ID names the request inside its application and sorts by time. It is
	// empty for one that was not kept because too many wait: it can be shown,
	// and asks again by itself when its page reloads.
	ID string
	// Reference is what people call it ("7KD-4M2"). It is no secret.
	Reference   string
	Application string
	Person      access.Person
	Device      access.Device
	Browser     access.Browser
	Place       access.Place
	// New is what the verdict found new.
	New []access.Part
	// Asked is what the policy asks for: approval or biopass.
	Asked access.Answer
	// LoginID is the newest held login of the burst, Logins the ones before
	// it too, oldest first, eight at most. Empty where identity needs none.
	LoginID string
	Logins  []string
	// Language is that of the person who waits: "en" or "fr".
	Language string
	// Number is the two digits that only the waiting person sees. It is never
	// in a notice, the audit, a list or an API's answer (threat L10).
	Number string `cbor:"Number" json:"-"`
	// WrongNumbers counts the wrong numbers typed, PassTries the wrong pass
	// codes.
	WrongNumbers, PassTries int
	// Note is what the person added, NoteLimit characters at most.
	Note string
	// Opened is when it was asked first, Last when it was asked last, Ends
	// when it is no longer waited for.
	Opened, Last, Ends time.Time
	// Count is how often it was asked, a minute apart at least.
	Count int
	// Others counts attempts of the same user on further devices for which no
	// request was kept, because too many of theirs wait (threat L22).
	Others int
	State  State
	// Version grows when the person, the device, the browser, the place or
	// what is new changes: a decision names the one that was shown.
	Version int
	// Decision is set once State is approved or refused.
	Decision Decision

	books.Unknown
}

// Visit is what the request asks for, as the rule sees it.
func (a AccessRequest) Visit() access.Visit {
	return access.Visit{
		User: a.Person.User, Groups: a.Person.Groups, Application: a.Application,
		Device: a.Device, Browser: a.Browser, Place: a.Place,
	}
}

// Who is what to call the person: their name, else the user name.
func (a AccessRequest) Who() string {
	if a.Person.Name != "" {
		return a.Person.Name
	}
	return a.Person.User
}

// Called is what to call the person in a language: a device that stands for
// itself has a name for people.
func (a AccessRequest) Called(c *lang.Catalogue) string { return c.Who(a.Person.Name, a.Person.User) }

// HeldBy reports whether a login is one of the burst's.
func (a AccessRequest) HeldBy(login string) bool {
	if login == a.LoginID {
		return true
	}
	for _, l := range a.Logins {
		if l == login {
			return true
		}
	}
	return false
}

// IsNew reports whether a part is new about the request.
func (a AccessRequest) IsNew(part access.Part) bool {
	for _, p := range a.New {
		if p == part {
			return true
		}
	}
	return false
}

// Ask is what the gate hands over when somebody must wait.
type Ask struct {
	Application string
	Person      access.Person
	Device      access.Device
	Browser     access.Browser
	Place       access.Place
	New         []access.Part
	// Asked is access.Approval or access.Biopass.
	Asked access.Answer
	// LoginID is the held login, empty where identity needs none.
	LoginID string
	// Language is "en" or "fr".
	Language string
}

// referenceLetters has no letter or digit that is read as another.
const referenceLetters = "23456789ABCDEFGHJKMNPQRTUVWXYZ"

func newReference() string {
	s := randomText(referenceLetters, 6)
	return s[:3] + "-" + s[3:]
}

// newNumber is two digits without a leading zero, which people would not say.
func newNumber() string {
	n, err := rand.Int(rand.Reader, big.NewInt(90))
	if err != nil {
		panic("approvals: no randomness: " + err.Error()) // cannot happen since Go 1.24
	}
	n.Add(n, big.NewInt(10))
	return n.String()
}

// randomBelow is a random time shorter than d.
func randomBelow(d time.Duration) time.Duration {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(max(d, 1))))
	if err != nil {
		panic("approvals: no randomness: " + err.Error())
	}
	return time.Duration(n.Int64())
}

func randomText(letters string, length int) string {
	var b strings.Builder
	for range length {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			panic("approvals: no randomness: " + err.Error())
		}
		b.WriteByte(letters[n.Int64()])
	}
	return b.String()
}

// CleanText makes a person's text fit to be kept and shown: one line, inert
// (threat L14), at most limit characters.
func CleanText(s string, limit int) string { return lang.Inert(s, limit) }
