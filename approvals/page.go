package approvals

import (
	"embed"
	"io/fs"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets/*
var assetFiles embed.FS

var _ = pages.Register(pages.Sub(assetFiles, "assets"))

// pageSet is parsed at first use: the command line imports this package too
// and shows no page.
var pageSet = sync.OnceValue(func() *pages.Set {
	return pages.Must(pages.New(pages.Sub(templateFiles, "templates")))
})

// Partials are the templates that the console's rooms share with the page
// behind a mail's link: "decide-form" and "decide-told". Hand it to pages.New
// as a shared file system; the page needs the assets decide.css and decide.js.
func Partials() fs.FS { return pages.Sub(templateFiles, "templates") }

// The names of the fields of our forms.
const (
	// FieldDecision is "approve" or "refuse": the button that was pressed.
	FieldDecision = "decision"
	// FieldNumber is the number typed, FieldSure the tick of a signed-in
	// approver who made sure otherwise, FieldConfirmed the tick that a refusal
	// without number wants from a link.
	FieldNumber, FieldSure, FieldConfirmed = "number", "sure", "confirmed"
	// FieldWidth is a Width; FieldEnd an End, and FieldUntil the last day of
	// EndDate as "2026-11-30".
	FieldWidth, FieldEnd, FieldUntil = "width", "end", "until"
	// FieldReply is the approver's word to the person.
	FieldReply = "reply"
	// FieldVersion is the version of the request that was shown.
	FieldVersion = "version"
	// FieldToken is the token that the form was given, if any.
	FieldToken = "token"
	// FieldNote, FieldName and FieldCode are the waiting person's.
	FieldNote, FieldName, FieldCode = "note", "name", "code"
	// FieldTicket is the one-time ticket of a release, posted to the login's
	// own address.
	FieldTicket = "cadenas_ticket"
)

// parts is the request as the five pins show it.
func parts(c *lang.Catalogue, ask AccessRequest, application string, now time.Time) pages.Parts {
	p := pages.Parts{
		User:        ask.Called(c),
		Unverified:  ask.Person.Source == sourceDevice,
		Application: application,
		Kind:        string(ask.Device.Kind), Label: ask.Device.Label,
		Place:  placeParts(ask),
		Family: ask.Browser.Family, Platform: ask.Browser.Platform,
	}
	if ask.Person.Name != "" && ask.Person.Name != ask.Person.User && !p.Unverified {
		p.UserSub = ask.Person.User
	}
	for _, part := range ask.New {
		p.New = append(p.New, string(part))
	}
	return p
}

// sourceDevice is the identity source that knows nobody but the device: a name
// was typed in, and nothing proves it.
const sourceDevice = "device"

func placeParts(ask AccessRequest) lang.PlaceParts {
	p := lang.PlaceParts{
		Name: ask.Place.Name, City: ask.Place.City, Region: ask.Place.Region,
		Country: ask.Place.Country, Owner: ask.Place.Owner, Private: ask.Place.Private,
	}
	if ask.Place.Address.IsValid() {
		p.Address = ask.Place.Address.String()
	}
	return p
}

func deviceWords(c *lang.Catalogue, ask AccessRequest) string {
	return c.Device(string(ask.Device.Kind), ask.Device.Label)
}

func browserWords(c *lang.Catalogue, ask AccessRequest) string {
	return c.Browser(ask.Browser.Family, ask.Browser.Platform)
}

// thisDevice is "this tablet": the grammar of a sentence wants the kind, not
// the label.
func thisDevice(c *lang.Catalogue, ask AccessRequest) string {
	switch ask.Device.Kind {
	case "phone", "tablet", "computer":
		return c.Text("this." + string(ask.Device.Kind))
	default:
		return c.Text("this.other")
	}
}

// The isolates keep a right-to-left name from reordering the sentence around
// it, where no element can (threat L14).
const isolate, popIsolate = "\u2068", "\u2069"

// isolated is c.Text with every value from outside cut to what a sentence can
// bear and isolated.
func isolated(c *lang.Catalogue, key string, pairs ...any) string {
	return c.Fill(func(piece string, value any) string {
		if _, outside := value.(string); outside {
			piece = lang.Inert(piece, 120)
			if lang.RunsOn(piece) {
				piece = strings.ReplaceAll(piece, ", ", popIsolate+", "+isolate)
			}
			return isolate + piece + popIsolate
		}
		return piece
	}, key, pairs...)
}

// sentenceCase makes the first letter of a sentence a capital.
func sentenceCase(s string) string {
	bare := strings.TrimPrefix(s, isolate)
	first, size := utf8.DecodeRuneInString(bare)
	return s[:len(s)-len(bare)] + string(unicode.ToUpper(first)) + bare[size:]
}
