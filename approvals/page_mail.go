package approvals

import (
	"bytes"
	"fmt"
	"html/template"
	"regexp"
	"strings"
	"sync"
	texttemplate "text/template"
	"time"

	_ "embed"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages/worldmap"
)

// Mail is a notice as a mail says it. The subject is one line without control
// characters (threat L14); encoding it for the wire is the sender's.
type Mail struct {
	Subject string
	Text    string
	// HTML shows the logo of MailLogo as "cid:" + MailLogoID, and Map, where
	// there is one, as "cid:" + MailMapID.
	HTML string
	// Map is a PNG of where the request came from; nil where nobody knows.
	Map []byte
}

// MailLogoID and MailMapID are the content identifiers under which the logo and
// the map are attached.
const (
	MailLogoID = "logo.cadenas"
	MailMapID  = "map.cadenas"
)

//go:embed templates/mail-logo.png
var mailLogo []byte

// MailLogo is the logo as a PNG, to be attached inline.
func MailLogo() []byte { return mailLogo }

//go:embed templates/mail.css
var mailStyle string

// mailView is what mail.html and mail.txt read.
type mailView struct {
	Notice
	Subject string
	Heading string
	Who, By string
	Rows    []mailRow
	// Note is the person's word, Reply the approver's: without links.
	Note, Reply string
	// Sentence is the grant in words.
	Sentence string
	Style    template.CSS
	Logo     template.URL
	// Map is where the map is; empty for none.
	Map      template.URL
	Approved bool
	Password bool
	Unproven bool
	// Self says that the person let themself in; Lines are a digest's facts,
	// InsteadOf why the notice comes by mail.
	Self      bool
	Lines     []string
	InsteadOf string
	At        time.Time
}

type mailRow struct {
	What, Which string
	New         bool
}

// RenderMail says a notice as a mail in its recipient's language.
func RenderMail(n Notice) (Mail, error) {
	c := lang.For(n.To.Language)
	n.Ask.Person = plainlyCalled(c, n.Ask.Person)
	v := mailView{
		Notice: n, Who: lang.Inert(n.Ask.Called(c), 120), By: lang.Inert(n.Ask.Decision.Name, 120),
		Note: withoutLinks(c, n.Ask.Note), Reply: withoutLinks(c, n.Ask.Decision.Reply),
		Style: template.CSS(mailStyle), Logo: template.URL("cid:" + MailLogoID), //nolint:gosec // both are ours
		Approved: n.Ask.State == Approved, Password: n.Ask.LoginID != "",
		Unproven: n.Ask.Person.Source == sourceDevice, At: n.Ask.Opened,
		Self: n.Ask.Decision.By == ViaSelf, InsteadOf: insteadWords(c, n),
	}
	switch {
	case n.Ask.Decision.Via == ViaCommand:
		v.By = c.By("command line")
	case v.By == "":
		v.By = lang.Inert(c.By(n.Ask.Decision.By), 120)
	}
	if v.Application = lang.Inert(n.ApplicationName, 120); v.Application == "" {
		v.Application = lang.Inert(n.Application, 120)
	}
	// The number is the waiting person's alone (threat L10). Nothing here shows
	// it; this makes sure that nothing ever will.
	v.Ask.Number = ""
	head := "mail." + string(n.Kind)
	switch n.Kind {
	case NoticeOpened:
		v.Rows = mailRows(c, n.Ask)
		if n.Own {
			head = "mail.own"
		}
	case NoticeCode:
		v.Rows = mailRows(c, n.Ask)
	case NoticeDecided, NoticeOutcome:
		v.Rows = mailRows(c, n.Ask)
		v.At = n.Ask.Decision.At
		head += ".refused"
		if v.Approved {
			head = "mail." + string(n.Kind) + ".approved"
			if n.Kind == NoticeDecided && v.Self {
				head = "mail.decided.self"
			}
			// No "tonight": nobody knows when a mail is read.
			v.Sentence = strings.NewReplacer(isolate, "", popIsolate, "").Replace(
				widthWords(c, n.Ask.Decision.Width, n.Ask, v.Application, c.Until(n.Ask.Decision.Until, time.Time{})))
		}
	case NoticeDigest:
		v.Lines = digestWords(c, n)
	case NoticeSignIn, NoticeTest:
	default:
		return Mail{}, fmt.Errorf("rendering mail: no kind %q", n.Kind)
	}
	pairs := []any{"who", lang.Inert(n.Ask.Called(c), 60), "application", lang.Inert(v.Application, 60), "by", v.By, "count", n.More, "code", n.Code}
	v.Subject = lang.Inert(c.Text(head+".subject", pairs...), 200)
	v.Heading = c.Text(head+".heading", pairs...)
	picture := mapOf(n)
	if picture != nil {
		v.Map = template.URL("cid:" + MailMapID) //nolint:gosec // ours
	}
	mail, err := v.render(c)
	mail.Map = picture
	return mail, err
}

// mapOf draws where the request came from, for who is asked about it: nil
// where the place is not known that well, or is a network with a name, which
// tells more than any map.
func mapOf(n Notice) []byte {
	place := n.Ask.Place
	if n.Kind != NoticeOpened && n.Kind != NoticeCode || !place.Located || place.Name != "" {
		return nil
	}
	picture, err := worldmap.PNG(place.Latitude, place.Longitude)
	if err != nil {
		return nil // the words are there
	}
	return picture
}

func (v mailView) render(c *lang.Catalogue) (Mail, error) {
	var text, html bytes.Buffer
	plain, err := textTemplates().Clone()
	if err != nil {
		return Mail{}, fmt.Errorf("rendering mail: %w", err)
	}
	if err := plain.Funcs(textFuncs(c)).Execute(&text, v); err != nil {
		return Mail{}, fmt.Errorf("rendering mail: %w", err)
	}
	if err := pageSet().Render(&html, c, "mail", v); err != nil {
		return Mail{}, fmt.Errorf("rendering mail: %w", err)
	}
	return Mail{Subject: v.Subject, Text: strings.TrimSpace(manyLines.ReplaceAllString(text.String(), "\n\n")) + "\n", HTML: html.String()}, nil
}

var manyLines = regexp.MustCompile(`\n{3,}`)

//go:embed templates/mail.txt
var mailText string

var textTemplates = sync.OnceValue(func() *texttemplate.Template {
	return texttemplate.Must(texttemplate.New("mail.txt").Funcs(textFuncs(lang.For("en"))).Parse(mailText))
})

func textFuncs(c *lang.Catalogue) texttemplate.FuncMap {
	return texttemplate.FuncMap{
		"t":      c.Text,
		"moment": c.DateTime,
		"span":   c.Span,
		"inert":  func(s string) string { return lang.Inert(s, 0) },
	}
}

// mailRows is the connection as a mail shows it: what a mail program draws
// without our styles still reads.
func mailRows(c *lang.Catalogue, ask AccessRequest) []mailRow {
	where := c.Place(placeParts(ask))
	all := ask.IsNew("combination")
	return []mailRow{
		{What: c.Text("pin.device"), Which: deviceWords(c, ask), New: all || ask.IsNew("device")},
		{What: c.Text("pin.browser"), Which: browserWords(c, ask), New: all || ask.IsNew("browser")},
		{What: c.Text("pin.place"), Which: where, New: all || ask.IsNew("place")},
	}
}

// linkLike is what mail programs turn into a link.
var linkLike = regexp.MustCompile(`(?i)\b(?:[a-z][a-z0-9+.-]*://|www\.)\S+|\b[\w-]+(?:\.[\w-]+)+/\S*`)

// plainlyCalled is a person whose names hold no link: where the device alone is
// known, a stranger typed the name, and it stands beside our own button.
func plainlyCalled(c *lang.Catalogue, p access.Person) access.Person {
	for _, name := range []*string{&p.Name, &p.User} {
		*name = linkLike.ReplaceAllString(lang.Inert(*name, 0), c.Text("mail.link_removed")) // inert first: nothing invisible hides one
	}
	return p
}

// withoutLinks takes links out of what a stranger wrote: beside our own button
// they would look like ours.
func withoutLinks(c *lang.Catalogue, s string) string {
	return linkLike.ReplaceAllString(lang.Inert(s, NoteLimit), c.Text("mail.link_removed"))
}
