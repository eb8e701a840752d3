package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
)

// notifySpec is `caddy cadenas notify`.
var notifySpec = spec{
	use: "notify", short: "List what was sent to whom, and what could not be", verb: "notify", say: sayDeliveries,
	flags: map[string]string{"limit": "how many of an application; 50 when left out"},
	sub: []spec{{
		use: "test", short: "Send an admin a test over one channel or all, and say what became of it", verb: "notify-test",
		flags: map[string]string{"admin": "the admin's e-mail", "channel": "email, sms, web_push, webhook or log; all that reach them when left out"},
		say:   sayDeliveries,
	}},
}

// delivered is one notice at the command line.
type delivered struct {
	Kind        approvals.NoticeKind    `json:"kind"`
	Channel     string                  `json:"channel"`
	To          string                  `json:"to"`
	Application string                  `json:"application,omitempty"`
	State       approvals.DeliveryState `json:"state"`
	At          time.Time               `json:"at"`
	Tries       int                     `json:"tries"`
	Error       string                  `json:"error,omitempty"`
}

func asDelivered(d approvals.Delivery) delivered {
	to := d.Notice.To.Email
	if to == "" {
		to = d.Notice.To.Name
	}
	return delivered{
		Kind: d.Notice.Kind, Channel: d.Notice.Channel, To: to, Application: d.Notice.Application, State: d.State, At: d.At, Tries: d.Tries, Error: d.Error,
	}
}

// testPatience is how long the command waits for what became of a test; what
// is still on its way then is said to be.
const testPatience = 12 * time.Second

func testNotice(ctx context.Context, c *call) (any, error) {
	email, err := c.word("admin")
	if err != nil {
		return nil, err
	}
	all := c.admins()
	i := slices.IndexFunc(all, func(a books.Admin) bool { return strings.EqualFold(a.Email, email) })
	if i < 0 {
		return nil, badWords("there is no admin %q", email)
	}
	ids, err := c.approvals.Test(ctx, all[i], c.words["channel"])
	if errors.Is(err, approvals.ErrNoChannel) {
		return nil, badWords("%v: see `notify` in the global block, and the admin's mobile number or subscribed browsers", err)
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, testPatience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := c.approvals.Deliveries(context.WithoutCancel(ctx), "", 500)
		if err != nil {
			return nil, err
		}
		var found []delivered
		waiting := false
		for _, d := range list {
			if slices.Contains(ids, d.Notice.ID) {
				found = append(found, asDelivered(d))
				waiting = waiting || d.State == approvals.DeliveryPending && d.Tries == 0
			}
		}
		if !waiting && len(found) >= len(ids) {
			return found, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return found, nil
		}
	}
}

func listDeliveries(ctx context.Context, c *call) (any, error) {
	limit := 50
	if text := c.words["limit"]; text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, badWords("--limit %q is no number", text)
		}
		limit = n
	}
	apps, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	if c.words["app"] == "" {
		apps = append(apps, "")
	}
	list := []delivered{}
	for _, app := range apps {
		some, err := c.approvals.Deliveries(ctx, app, limit)
		if err != nil {
			return nil, err
		}
		for _, d := range some {
			list = append(list, asDelivered(d))
		}
	}
	return list, nil
}

func sayDeliveries(w io.Writer, b json.RawMessage) error {
	list, err := read[[]delivered](b)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return printed(w, nil, "Nothing was sent yet.\n")
	}
	var rows [][]string
	for _, d := range list {
		rows = append(rows, []string{string(d.State), stampOf(d.At), string(d.Kind), d.Channel, d.To, d.Application, strconv.Itoa(d.Tries), d.Error})
	}
	return table(w, "STATE|WHEN|KIND|CHANNEL|TO|APPLICATION|TRIES|ERROR", rows)
}
