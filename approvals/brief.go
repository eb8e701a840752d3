package approvals

import (
	"strings"

	"github.com/cadenas-gateway/cadenas/lang"
)

// Brief is a notice in few words, for channels that have no room for a mail:
// a push, a chat. All of it is inert text in the recipient's language; links
// in what strangers wrote are taken out.
type Brief struct {
	// Title is one line: who waits where, or what was decided.
	Title string
	// Body is what, where and more, one sentence or line each; it may be empty.
	Body []string
	// Button says what Link opens.
	Button string
}

// Text is title and body, a line each.
func (b Brief) Text() string { return strings.Join(append([]string{b.Title}, b.Body...), "\n") }

// RenderBrief says a notice in few words in its recipient's language.
func RenderBrief(n Notice) Brief {
	c := lang.For(n.To.Language)
	w := n.words(c)
	pairs := []any{"who", w.Who, "by", w.By, "application", w.Application, "count", n.More}
	b := Brief{Button: c.Text("brief.console")}
	switch n.Kind {
	case NoticeOpened:
		b.Title, b.Button = c.Text("brief.opened.title", pairs...), c.Text("brief.button")
		if n.Own {
			b.Title = c.Text("brief.own.title", pairs...)
		}
		b.Body = []string{c.Text("brief.line", "what", c.Text("brief.what", "device", w.Device, "browser", w.Browser), "where", w.Place)}
		if note := withoutLinks(c, n.Ask.Note); note != "" {
			b.Body = append(b.Body, c.Text("mail.quote", "text", note))
		}
	case NoticeDecided:
		b.Title = c.Text("brief.decided."+w.Outcome+".title", pairs...)
		b.Body = []string{c.Text("mail.decided.nothing")}
	case NoticeOutcome:
		b.Title = c.Text("mail.outcome."+w.Outcome+".subject", pairs...)
	case NoticeDigest:
		b.Title = c.Text("brief.digest.title", pairs...)
		b.Body = digestWords(c, n)
	case NoticeSignIn:
		b.Title = c.Text("mail.sign-in.subject")
	case NoticeCode:
		b.Title = c.Text("brief.code.title", pairs...)
		b.Body = []string{c.Text("mail.code.heading", "code", n.Code), c.Text("mail.code.nobody")}
	case NoticeTest:
		b.Title, b.Body = c.Text("brief.test.title"), []string{c.Text("brief.test.body")}
	}
	if said := insteadWords(c, n); said != "" {
		b.Body = append(b.Body, said)
	}
	return b
}

// Words are the pieces of which a channel with little room makes its own
// sentences: inert, cut, in the recipient's language.
type Words struct {
	Who, By, Application, Device, Browser, Place string
	// Outcome is "approved", "refused" or "self".
	Outcome string
}

// Words says the pieces of a notice.
func (n Notice) Words() Words { return n.words(lang.For(n.To.Language)) }

func (n Notice) words(c *lang.Catalogue) Words {
	n.Ask.Person = plainlyCalled(c, n.Ask.Person)
	w := Words{
		Who: lang.Inert(n.Ask.Called(c), 60), By: lang.Inert(firstOf(n.Ask.Decision.Name, c.By(n.Ask.Decision.By)), 60),
		Application: lang.Inert(firstOf(n.ApplicationName, n.Application), 60),
		Device:      lang.Inert(deviceWords(c, n.Ask), 60), Browser: lang.Inert(browserWords(c, n.Ask), 60),
		Place: lang.Inert(c.Place(placeParts(n.Ask)), 120),
	}
	switch {
	case n.Ask.State != Approved:
		w.Outcome = "refused"
	case n.Ask.Decision.By == ViaSelf:
		w.Outcome = ViaSelf
	default:
		w.Outcome = "approved"
	}
	return w
}

// digestWords says what a digest knows as it goes out.
func digestWords(c *lang.Catalogue, n Notice) []string {
	list := []string{c.Text("brief.digest.waiting", "count", n.StillWaiting)}
	if n.Turned > 0 {
		list = append(list, c.Text("brief.digest.turned", "count", n.Turned))
	}
	return list
}

// insteadWords says why a notice comes by this channel, where another failed.
func insteadWords(c *lang.Catalogue, n Notice) string {
	if n.Instead == "" {
		return ""
	}
	channel := n.Instead
	if key := "channel." + n.Instead; c.Has(key) {
		channel = c.Text(key)
	}
	return c.Text("brief.instead", "channel", channel, "why", withoutLinks(c, n.Why))
}
