package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/e2e"
)

// TestCornersThatNoAddressLeadsTo looks at what stands in a room only after
// something was done there.
func TestCornersThatNoAddressLeadsTo(t *testing.T) {
	t.Parallel()
	views := look()
	if !everything() {
		views = views[1:]
	}
	for _, view := range views {
		t.Run(view.Name(), func(t *testing.T) {
			s, address := serve(t, options{connections: 20, requests: 2, shared: true, named: true})
			b := e2e.OpenBrowser(t, view)
			b.WithoutList()
			b.Authenticator()
			signIn(t, s, b, fixture.Marie.Email)
			for _, corner := range []struct {
				name string
				turn func(*stand, *testing.T, *e2e.Browser, string)
			}{{"passkeys", passkeys}, {"rule", rulePreview}, {"devices", sharedDevice}, {"settings", failingChannels}, {"restore", restore}, {"lesson", lesson}, {"door", door}} {
				t.Run(corner.name, func(t *testing.T) { corner.turn(s, t, b.In(t), address) })
			}
		})
	}
}

// seen looks at a page as it stands.
func seen(b *e2e.Browser, name string) {
	b.Fits()
	picture(b, "corner-"+name)
	b.Axe(name)
}

// passkeys are added, named, and stand on the account.
func passkeys(_ *stand, _ *testing.T, b *e2e.Browser, address string) {
	const name = "Wilhelmina-Alexandrina-van-der-Nieuwenhuizen-Oosterbroek’s"
	b.Open(address + "/account")
	b.See(`form[data-passkey="add"] button`)
	b.Choose("#key-name", name)
	b.Go(`form[data-passkey="add"] button`)
	see(b, name)
	b.Click(".key-more summary")
	seen(b, "passkeys")
}

// door is the way in for somebody whose console has passkeys, and the page
// after a link was asked for.
func door(s *stand, t *testing.T, b *e2e.Browser, address string) {
	b.Open(address + "/more")
	b.Go(`.more-me form[action^="/sign-out"] button`)
	b.See(`form[data-passkey="use"] button`)
	seen(b, "door")
	b.Type("#email", fixture.Marie.Email)
	b.Go("form:has(#email) button")
	b.See(".code")
	seen(b, "door-sent")
	b.Open(s.mailed(t))
	seen(b, "door-link")
}

// rulePreview is the form with the sentence that it builds and whom it touches.
func rulePreview(_ *stand, _ *testing.T, b *e2e.Browser, address string) {
	b.Open(address + "/rules/new")
	b.Choose("#application", "register")
	b.Choose("#kind", "phone")
	b.Go("button[value=look]")
	b.See(".rule-form .sum")
	seen(b, "rule")
}

// sharedDevice is a tablet of seven people, opened.
func sharedDevice(_ *stand, _ *testing.T, b *e2e.Browser, address string) {
	b.Open(address + "/devices")
	b.Click(".device-more summary")
	b.See(".device-more form[action$='/allow'] button")
	seen(b, "devices")
}

// failingChannels are the settings while nothing gets through on two channels.
func failingChannels(s *stand, t *testing.T, b *e2e.Browser, address string) {
	for channel, words := range map[string]string{
		"sms":   "21610: Attempt to send to unsubscribed recipient",
		"email": "dial tcp: lookup smtp.a-mail-server-with-a-long-name.lucioles.example on 127.0.0.53:53: no such host",
	} {
		if err := fixture.Ail(context.Background(), s.books.Store, channel, words, time.Now().Add(-time.Minute), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	b.Open(address + "/settings")
	b.See("#channel-sms .ill")
	seen(b, "settings")
}

// restore is what a backup holds, before it is put back.
func restore(s *stand, t *testing.T, b *e2e.Browser, address string) {
	path := filepath.Join(t.TempDir(), "cadenas.backup")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := books.Backup(t.Context(), s.books.Store, f, time.Now()); err != nil {
		t.Fatal(err)
	}
	b.Open(address + "/settings")
	b.Click("#restore summary")
	b.Upload("#backup", path)
	seen(b, "restore-file")
	b.Go("#restore form button")
	b.See(".counts")
	seen(b, "restore")
}

// lesson is the wizard, from its link to what it found, tried and keeps.
func lesson(s *stand, t *testing.T, b *e2e.Browser, address string) {
	page := address + "/teach/files"
	b.Open(page)
	b.Go("#teach form button")
	seen(b, "lesson-link")
	_, link, ok := strings.Cut(e2e.Eval[string](b, `document.querySelector(".lesson-open a").href`), adminui.TeachPath)
	if !ok {
		t.Fatal("no link to the application")
	}
	cookie, err := s.lessons.Open(t.Context(), "files", link)
	if err != nil {
		t.Fatal(err)
	}
	send := func(method, path, body string) {
		r := httptest.NewRequest(method, "https://files.lucioles.example"+path, strings.NewReader(body))
		r.Header.Set("Accept", "text/html")
		if body != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		next := func(w http.ResponseWriter, r *http.Request) error { files(w, r, body); return nil }
		if err := s.lessons.Watch("files", cookie, r, next)(httptest.NewRecorder(), r); err != nil {
			t.Fatal(err)
		}
	}
	const wrong, right = "who=julie.tremblay&password=not-the-one", "who=julie.tremblay&password=the-right-one"
	send(http.MethodGet, "/in", "")
	b.Open(page)
	seen(b, "lesson-wrong")
	send(http.MethodPost, "/in", wrong)
	send(http.MethodPost, "/in", right)
	send(http.MethodGet, "/home", "")
	b.Open(page)
	seen(b, "lesson-leave")
	send(http.MethodGet, "/out", "")
	b.Open(page)
	b.See("#words")
	b.Click("#correct summary")
	seen(b, "lesson-found")
	b.Go("#words .row button:first-child")
	send(http.MethodPost, "/in", wrong)
	send(http.MethodPost, "/in", right)
	b.Open(page)
	b.See(".tried")
	seen(b, "lesson-tried")
}

// files is an application with a login of its own.
func files(w http.ResponseWriter, r *http.Request, body string) {
	w.Header().Set("Content-Type", "text/html")
	switch {
	case r.URL.Path == "/out":
		w.Header().Add("Set-Cookie", "sid=; Max-Age=0")
		w.Header().Set("Location", "/in")
		w.WriteHeader(http.StatusSeeOther)
	case r.Method == http.MethodGet:
		_, _ = w.Write([]byte(`<form method="post"><input name="who"><input type="password" name="password"></form>`))
	case strings.Contains(body, "the-right-one"):
		w.Header().Add("Set-Cookie", "sid=new; HttpOnly")
		w.Header().Set("Location", "/home")
		w.WriteHeader(http.StatusSeeOther)
	default:
		_, _ = w.Write([]byte(`<p>No.</p><form method="post"><input name="who"><input type="password" name="password"></form>`))
	}
}
