package adminui

import (
	"net/http"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
	"github.com/cadenas-gateway/cadenas/passkey"
)

// accountPage is the admin's own: the rooms that have no place on a phone's
// bar, languages, sessions, signing out.
type accountPage struct {
	frame
	Email    string
	More     []pages.Room
	Sessions []sessionLine
	Push     *pushCard
	Others   bool
	Told     told
	Keys     keysCard
	// Idle and Life are the ends of a session.
	Idle, Life time.Duration
}

type sessionLine struct {
	ID, From string
	// Icon and Device are what the browser's user agent told at sign-in, in
	// words.
	Icon, Device string
	Opened, Used string
	This         bool
}

// browserWords say a user agent as people know it, "Chrome on Android, tablet";
// one that tells nothing is shown as it is.
func (v *visit) browserWords(agent string) (icon, words string) {
	icon, words = "browser", lang.Inert(agent, 120)
	if v.Recognise == nil || agent == "" {
		return icon, words
	}
	device, browser := v.Recognise(v.ctx(), agent)
	if browser.Family == "" || browser.Family == "Other" {
		return icon, words
	}
	return pages.DeviceIcon(string(device.Kind)), v.say.Text("account.browser",
		"browser", v.say.Browser(browser.Family, browser.Platform), "device", v.say.Device(string(device.Kind), device.Label))
}

func showMore(v *visit) error { return v.account("more") }

func showAccount(v *visit) error { return v.account("account") }

func (v *visit) account(page string) error {
	f, err := v.frame(page, []string{"passkeys.css"}, []string{"push.js", passkey.Script})
	if err != nil {
		return err
	}
	data := accountPage{frame: f, Email: v.admin.Email, Told: v.toldOf(v.admin), Idle: v.SessionIdle, Life: v.SessionLife}
	for _, r := range f.Rooms {
		if !r.Phone {
			data.More = append(data.More, r)
		}
	}
	if data.Push, err = v.pushes(); err != nil {
		return err
	}
	if data.Keys, err = v.keysOf(v.admin.Email); err != nil {
		return err
	}
	list, err := v.sessions.of(v.ctx(), v.session.Email)
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b held) int { return b.Last.Compare(a.Last) })
	seen := map[string]bool{}
	for _, s := range list {
		if seen[s.ID] {
			continue // the former secret of one that turned
		}
		seen[s.ID] = true
		icon, device := v.browserWords(s.Agent)
		data.Sessions = append(data.Sessions, sessionLine{
			ID: s.ID, Icon: icon, Device: device, From: s.From, Opened: v.say.When(s.Created, v.now),
			Used: v.when(s.Last), This: s.ID == v.session.ID,
		})
		data.Others = data.Others || s.ID != v.session.ID
	}
	return v.show(http.StatusOK, page, data)
}
