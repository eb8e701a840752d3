package adminui

import (
	"net/http"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/approvals"
)

// messageRows is how many messages of an application are shown.
const messageRows = 60

// messagesPage is what was sent to whom, and what could not be.
type messagesPage struct {
	frame
	Messages []messageLine
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
	slices.SortStableFunc(page.Messages, func(a, b messageLine) int { return b.at.Compare(a.at) })
	page.Messages = page.Messages[:min(len(page.Messages), 2*messageRows)]
	return v.show(http.StatusOK, "messages", page)
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
