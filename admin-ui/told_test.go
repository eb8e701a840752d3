package adminui_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// letter is a channel that reaches whoever has an e-mail; what it is handed
// waits in the outbox, which nobody empties here.
type letter struct{}

func (letter) Name() string                                   { return "email" }
func (letter) Notify(context.Context, approvals.Notice) error { return nil }

// kept is an admin of the console's own, whom the console can change.
func (h *house) kept(email string, change func(*books.Admin)) {
	h.t.Helper()
	a := books.Admin{Email: email, Name: "Nadia", Mobile: "+15145550111"}
	if change != nil {
		change(&a)
	}
	before := ""
	if _, err := h.books.Admins.Get(h.t.Context(), email); err == nil {
		before = email
	}
	if err := h.books.Admins.Save(h.t.Context(), a, before, true, books.Entry{At: h.now, What: "admin.add", Subject: email}); err != nil {
		h.t.Fatal(err)
	}
}

func TestAnAdminOrdersTheirChannels(t *testing.T) {
	const nadia = "nadia@lucioles.example"
	h := build(t, fixture.Marie)
	h.kept(nadia, func(a *books.Admin) { a.Notify = []books.Channel{{Name: "web_push"}, {Name: "email"}, {Name: "sms"}} })
	b := h.signIn(nadia)
	for _, c := range []struct {
		name          string
		channel, wait []string
		want          []books.Channel
	}{
		{"the order is kept, with the wait before the next", []string{"sms", "email", ""}, []string{"5", "0", "0"}, []books.Channel{{Name: "sms", Wait: 5 * time.Minute}, {Name: "email"}}},
		{"a channel chosen twice counts once", []string{"email", "email", "sms"}, []string{"2", "10", "0"}, []books.Channel{{Name: "email", Wait: 2 * time.Minute}, {Name: "sms"}}},
		{"one that does not reach them is left out", []string{"pigeon", "sms"}, []string{"2", "0"}, []books.Channel{{Name: "sms"}}},
		{"nothing chosen: all at once", []string{"", "", ""}, []string{"0", "0", "0"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.kept(nadia, func(a *books.Admin) { a.Notify = []books.Channel{{Name: "web_push"}, {Name: "email"}, {Name: "sms"}} })
			var pairs []string
			for i := range c.channel {
				pairs = append(pairs, "channel", c.channel[i], "wait", c.wait[i])
			}
			if a := b.post("/account/told", append(pairs, "quiet-from", "22:00", "quiet-to", "06:00")...); a.StatusCode != http.StatusSeeOther {
				t.Fatalf("%d %s", a.StatusCode, a.body)
			}
			now, err := h.books.Admins.Get(t.Context(), nadia)
			if err != nil || !slices.Equal(now.Notify, c.want) || now.QuietFrom != "22:00" {
				t.Errorf("kept %+v, %v", now, err)
			}
		})
	}
	if a := b.post("/account/told", "quiet-from", "25:00", "quiet-to", "06:00"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an hour that is none: %d", a.StatusCode)
	}
	if a := h.signIn(fixture.Marie.Email).post("/account/told", "channel", "email", "wait", "0"); a.StatusCode != http.StatusNotFound {
		t.Errorf("an admin of the configuration is changed in the console: %d", a.StatusCode)
	}
}

func TestATestGoesOverTheChannelThatIsPressed(t *testing.T) {
	h := buildWith(t, memory.New(), []approvals.Notifier{letter{}}, fixture.Marie)
	b := h.signIn(fixture.Marie.Email)
	channels := h.asks.Channels(fixture.Marie)
	if len(channels) == 0 {
		t.Fatal("no channel reaches Marie")
	}
	if a := b.post("/account/test", "channel", channels[0]); a.Header.Get("Location") != "/account?done=tested" {
		t.Fatalf("%d %s", a.StatusCode, a.Header.Get("Location"))
	}
	list, err := h.asks.Deliveries(t.Context(), "", 10)
	if err != nil || len(list) != 1 || list[0].Notice.Kind != approvals.NoticeTest || list[0].Notice.To.Email != fixture.Marie.Email || list[0].Notice.Channel != channels[0] {
		t.Errorf("sent: %+v, %v", list, err)
	}
	if a := b.post("/account/test", "channel", "pigeon"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a channel that is none: %d", a.StatusCode)
	}
}

func TestAFilterLooksFurtherBackUntilItHasSeenAll(t *testing.T) {
	h := build(t, fixture.Marie)
	// One page of a filter looks at a few thousand records; this one is behind.
	var list []books.Connection
	for i := range 4100 {
		c := h.plain(fmt.Sprintf("person-%d", i), fmt.Sprintf("d%d", i))
		c.First = c.First.Add(-time.Duration(i) * time.Second)
		c.Last = c.Last.Add(-time.Duration(i) * time.Second)
		c.ID = books.NewConnectionID(c.First, c.User)
		list = append(list, c)
	}
	list[4099].Browser.Family = "Firefox"
	h.keep(list...)
	b := h.signIn(fixture.Marie.Email)
	a := b.get("/connections?app=register&window=all&browser=Firefox")
	further := regexp.MustCompile(`href="(/connections\?[^"]*from=[^"]*)"[^>]*>Look further back`)
	if strings.Contains(a.body, "person-4099") || !further.MatchString(a.body) {
		t.Fatalf("the first page: %.300s", a.body)
	}
	found := false
	for range 20 {
		m := further.FindStringSubmatch(a.body)
		if m == nil {
			break
		}
		next, err := url.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
		if err != nil {
			t.Fatal(err)
		}
		a = b.get(next.String())
		found = found || strings.Contains(a.body, "person-4099")
	}
	if !found || further.MatchString(a.body) || !strings.Contains(a.body, "Back to the newest") {
		t.Errorf("looking further back: found %v, an end %v", found, !further.MatchString(a.body))
	}
}
