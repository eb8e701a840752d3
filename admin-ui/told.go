package adminui

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
)

// toldWaits are the minutes that can lie between one channel and the next.
var toldWaits = []int{0, 2, 5, 10, 15, 30, 60}

// told is how an admin is told: the channels in their order, each with the wait
// before the next, and the quiet hours.
type told struct {
	Steps              []toldStep
	QuietFrom, QuietTo string
	// Channels are those a test can be sent over.
	Channels []choice
	// Fixed says that the configuration decides.
	Fixed bool
}

// toldStep is one step of the order, as two choices.
type toldStep struct {
	Number  int
	Channel selector
	Wait    selector
}

func (v *visit) channelName(name string) string {
	if key := "messages.channel." + name; v.say.Has(key) {
		return v.say.Text(key)
	}
	return lang.Inert(name, 60)
}

// toldOf is the form about how an admin is told. Without an order of their own
// every step is free, and all channels that reach them are used at once.
func (v *visit) toldOf(a books.Admin) told {
	form := told{QuietFrom: a.QuietFrom, QuietTo: a.QuietTo, Fixed: a.Fixed}
	reach := v.Approvals.Channels(a)
	for _, name := range reach {
		form.Channels = append(form.Channels, choice{Value: name, Name: v.channelName(name)})
	}
	all := slices.Clone(reach)
	for _, c := range a.Notify {
		if c.Name != "" && !slices.Contains(all, c.Name) {
			all = append(all, c.Name)
		}
	}
	for i := range all {
		var chosen books.Channel
		if i < len(a.Notify) {
			chosen = a.Notify[i]
		}
		number := strconv.Itoa(i + 1)
		step := toldStep{
			Number:  i + 1,
			Channel: selector{ID: "channel-" + number, Name: "channel", Label: v.say.Text("told.channel", "number", i+1), Any: v.say.Text("told.none")},
			Wait:    selector{ID: "wait-" + number, Name: "wait", Label: v.say.Text("told.wait", "number", i+1)},
		}
		for _, name := range all {
			step.Channel.Choices = append(step.Channel.Choices, choice{name, capital(v.channelName(name)), name == chosen.Name})
		}
		minutes := int(chosen.Wait / time.Minute)
		waits := slices.Clone(toldWaits)
		if !slices.Contains(waits, minutes) {
			waits = append(waits, minutes)
			slices.Sort(waits)
		}
		for _, m := range waits {
			word := v.say.Text("told.at_once")
			if m > 0 {
				word = v.say.Duration(time.Duration(m) * time.Minute)
			}
			step.Wait.Choices = append(step.Wait.Choices, choice{strconv.Itoa(m), word, m == minutes})
		}
		form.Steps = append(form.Steps, step)
	}
	return form
}

// readTold reads the form into an admin. Steps that name no channel, or one
// that does not reach them, are left out.
func (v *visit) readTold(a *books.Admin) {
	a.QuietFrom, a.QuietTo = v.r.PostFormValue("quiet-from"), v.r.PostFormValue("quiet-to")
	names, waits := v.r.PostForm["channel"], v.r.PostForm["wait"]
	if len(names) == 0 {
		return
	}
	reach := v.Approvals.Channels(*a)
	for _, c := range a.Notify {
		reach = append(reach, c.Name)
	}
	a.Notify = nil
	for i, name := range names {
		again := slices.ContainsFunc(a.Notify, func(c books.Channel) bool { return c.Name == name })
		if name == "" || again || !slices.Contains(reach, name) {
			continue
		}
		c := books.Channel{Name: name}
		if i < len(waits) {
			if m, err := strconv.Atoi(waits[i]); err == nil && m > 0 && m <= 24*60 {
				c.Wait = time.Duration(m) * time.Minute
			}
		}
		a.Notify = append(a.Notify, c)
	}
}

// saveTold keeps how the admin who is signed in is told.
func saveTold(v *visit) error {
	a, err := v.Books.Admins.Get(v.ctx(), canonical(v.admin.Email))
	if err != nil {
		return err // not found too: the configuration's are changed there
	}
	if v.readTold(&a); !quietTimes(a) {
		return tell("admin.bad.quiet")
	}
	by := v.by()
	err = v.Books.Admins.Save(v.ctx(), a, a.Email, v.wholeFixed(), books.Entry{
		At: v.now, Who: by.Who, From: by.From, Via: by.Via, What: "admin.edit", Subject: a.Email,
	})
	if err != nil {
		return err
	}
	return v.seeOther("/account?done=told")
}

// testChannel sends the admin who is signed in a test.
func testChannel(v *visit) error {
	channel := v.r.PostFormValue("channel")
	if !slices.Contains(v.Approvals.Channels(v.admin), channel) {
		return tell("told.no_channel")
	}
	_, err := v.Approvals.Test(v.ctx(), v.admin, channel)
	if errors.Is(err, approvals.ErrNoChannel) {
		return tell("told.no_channel")
	}
	if err != nil {
		return err
	}
	return v.backDone("/account", "tested")
}

// removePerson removes a person: what they may, what is known, and the record.
// The first press shows what goes; the second does it.
func removePerson(v *visit) error {
	user, err := v.person()
	if err != nil {
		return err
	}
	if v.r.PostFormValue("sure") == "" {
		f, err := v.frame("people", nil, nil)
		if err != nil {
			return err
		}
		u, err := v.Books.Users.Get(v.ctx(), user)
		if err != nil {
			return err
		}
		n, err := v.connectionsOf(user)
		if err != nil {
			return err
		}
		return v.show(http.StatusOK, "person-remove", removePage{
			frame: f, Who: lang.Inert(v.called(u), 120), Href: personHref(user), Connections: n,
		})
	}
	if v.Biopass != nil {
		for _, app := range v.Gate.Applications() {
			if _, err := v.Biopass.Erase(v.ctx(), app, user, v.note()); err != nil {
				return err
			}
		}
	}
	by := v.by()
	if err := v.Gate.RemovePerson(v.ctx(), user, by); err != nil {
		return err
	}
	for _, app := range v.Gate.Applications() {
		if _, err := v.Approvals.EndOf(v.ctx(), app, user, by.Who, by.From, by.Via); err != nil {
			return err
		}
	}
	return v.seeOther("/people?done=person.removed")
}

// removePage asks whether a person is to be removed.
type removePage struct {
	frame
	Who, Href   string
	Connections int
}
