package sms

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/lang"
)

// most is how many messages a text may take; names are cut for it.
const most = 3

// Text is a notice as a text message: what is needed to know what it is about,
// and a link. A code's names the application and nobody, and says nothing that
// helps whoever finds the phone.
func Text(n approvals.Notice) (string, error) {
	text := ""
	for _, limit := range []int{60, 30, 18, 10} {
		var err error
		if text, err = compose(n, limit); err != nil {
			return "", err
		}
		if _, count := Segments(text); count <= most {
			break
		}
	}
	return text, nil
}

// compose says a notice with names of at most limit characters.
func compose(n approvals.Notice, limit int) (string, error) {
	c := lang.For(n.To.Language)
	w := n.Words()
	pairs := []any{
		"who", lang.Inert(w.Who, limit), "by", lang.Inert(w.By, limit), "application", lang.Inert(w.Application, limit),
		"device", lang.Inert(w.Device, limit), "place", lang.Inert(w.Place, limit), "code", n.Code, "span", c.Span(n.Life), "count", n.More,
	}
	var lines []string
	switch n.Kind {
	case approvals.NoticeOpened:
		switch {
		case n.Own:
			lines = []string{c.Text("sms.own", pairs...), n.Link}
		case n.Link == "":
			lines = []string{c.Text("sms.opened.plain", pairs...)}
		default:
			lines = []string{c.Text("sms.opened", pairs...), n.Link}
		}
	case approvals.NoticeCode:
		lines = []string{c.Text("sms.code", pairs...)}
		if n.Link != "" {
			lines = append(lines, c.Text("sms.code.link")+" "+n.Link)
			if host := hostOf(n.Link); host != "" {
				// Phones fill in a code so marked on this host alone, and on no
				// page that only looks like it.
				lines = append(lines, "@"+host+" #"+n.Code)
			}
		}
	case approvals.NoticeDecided:
		lines = []string{c.Text("sms.decided."+w.Outcome, pairs...)}
	case approvals.NoticeDigest:
		lines = []string{c.Text("sms.digest", pairs...), n.Link}
	case approvals.NoticeTest:
		lines = []string{c.Text("sms.test")}
	case approvals.NoticeOutcome, approvals.NoticeSignIn:
		return "", fmt.Errorf("a notice of kind %s does not go out as a text", n.Kind)
	}
	return Plain(strings.TrimSpace(strings.Join(lines, "\n"))), nil
}

func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
