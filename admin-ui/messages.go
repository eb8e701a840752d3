package adminui

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/approvals"
)

// messageRows is how many messages of an application are shown.
const messageRows = 60

// messagesPage is what was sent to whom, and what could not be.
type messagesPage struct {
	frame
	Messages []messageLine
	// Kept are those that no channel carries: they are to be read here and in
	// the log.
	Kept []keptMessage
}

// keptMessage is what would have been sent.
type keptMessage struct {
	ID, Subject, To, Text string
	When                  string
	// Link leads where the message's button would; only for its own recipient.
	Link string
}

type messageLine struct {
	ID, What, To, Channel, Application string
	State                              string
	When                               string
	Error                              string
	// Ask leads to the request it is about, while that waits.
	Ask string
	at  time.Time
}

func showMessages(v *visit) error {
	f, err := v.frame("messages", nil, nil, "messages")
	if err != nil {
		return err
	}
	page := messagesPage{frame: f}
	apps := v.applications()
	if v.all() {
		apps = append(apps, "")
	}
	for _, app := range apps {
		list, err := v.Approvals.Deliveries(v.ctx(), app, messageRows)
		if err != nil {
			return err
		}
		for _, d := range list {
			page.Messages = append(page.Messages, v.messageLine(d))
		}
	}
	if page.Kept, err = v.keptMessages(); err != nil {
		return err
	}
	slices.SortStableFunc(page.Messages, func(a, b messageLine) int { return b.at.Compare(a.at) })
	page.Messages = page.Messages[:min(len(page.Messages), 2*messageRows)]
	return v.show(http.StatusOK, "messages", page)
}

// keptMessages are the notices that were only logged. A link or a code opens
// something in its recipient's name, so nobody else sees it: the audit would
// hold the wrong person (threat L24).
func (v *visit) keptMessages() ([]keptMessage, error) {
	if v.Ring == nil {
		return nil, nil
	}
	list, err := approvals.NewSentBook(v.Books, v.Ring, v.Clock).List(v.ctx())
	if err != nil {
		return nil, err
	}
	var kept []keptMessage
	for _, n := range list {
		mine := canonical(n.To.Email) == canonical(v.admin.Email)
		if (n.Application == "" && !v.all() && !mine) || (n.Application != "" && !v.admin.LooksAfter(n.Application)) {
			continue
		}
		if !mine {
			n.Link, n.Code = "", ""
		}
		mail, err := approvals.RenderMail(n.Notice)
		if err != nil {
			v.Log.Warn("a kept notice cannot be shown", "error", err)
			continue
		}
		kept = append(kept, keptMessage{
			ID: n.ID, Subject: mail.Subject, To: n.To.Email, Text: mail.Text, When: capital(v.say.When(n.At, v.now)), Link: onHost(n.Link, v.URL),
		})
	}
	return kept, nil
}

// onHost is a link of ours as a path of this host, so that a page never leads
// elsewhere; "" for any other.
func onHost(link, host string) string {
	path, ok := strings.CutPrefix(link, host)
	if !ok {
		return ""
	}
	return local(path)
}

func (v *visit) messageLine(d approvals.Delivery) messageLine {
	m := messageLine{
		ID: d.Notice.ID, What: v.word("messages.kind." + string(d.Notice.Kind)), To: d.Notice.To.Email,
		Channel: v.word("messages.channel." + d.Notice.Channel), State: string(d.State), Error: d.Error, at: d.At,
		When: v.say.When(d.At, v.now),
	}
	if d.Notice.To.Name != "" {
		m.To = d.Notice.To.Name + ", " + m.To
	}
	if d.Notice.Application != "" {
		m.Application = v.name(d.Notice.Application)
	}
	return m
}
