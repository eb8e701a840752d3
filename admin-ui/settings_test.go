package adminui_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store/bolt"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

func TestTheSettingsSayHowLargeTheStoreIsAndHowTheChannelsFare(t *testing.T) {
	st, err := bolt.Open(t.TempDir()+"/cadenas.db", bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	h := buildWith(t, st, []approvals.Notifier{fixture.Channel{Title: "email"}, fixture.Channel{Title: "sms"}}, fixture.Marie)
	b := h.signIn(fixture.Marie.Email)
	if a := b.get("/settings"); strings.Count(a.body, "Nothing went wrong yet.") != 2 || !strings.Contains(a.body, "Size of the store") || !strings.Contains(a.body, " kB") {
		t.Errorf("before anything went wrong: %s", a.body)
	}
	ail := func(channel, words string, over time.Time) {
		if err := fixture.Ail(t.Context(), st, channel, words, h.now.Add(-3*time.Hour), over); err != nil {
			t.Fatal(err)
		}
	}
	ail("email", "421 <b>later</b>", time.Time{})
	ail("sms", "21610 no", h.now.Add(-time.Hour))
	a := b.get("/settings")
	for _, want := range []string{"nothing got through since", "421 &lt;b&gt;later", "works again since", "21610 no"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the channels lack %q", want)
		}
	}
	if a := b.post("/account/test", "channel", "email", "back", "/settings"); a.Header.Get("Location") != "/settings?done=tested" {
		t.Errorf("a test from there leads to %q", a.Header.Get("Location"))
	}
}

func TestTheAccountNamesBrowsersInWords(t *testing.T) {
	h := build(t, fixture.Marie)
	b := h.browser()
	link, err := h.console.Link(t.Context(), fixture.Marie.Email)
	if err != nil {
		t.Fatal(err)
	}
	r := form(strings.TrimPrefix(link, host), "")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", host)
	r.Header.Set("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1")
	if a := b.send(r); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.StatusCode)
	}
	a := b.get("/account")
	if !strings.Contains(a.body, "Safari on iOS, iPhone") || strings.Contains(a.body, "AppleWebKit") {
		t.Errorf("the sessions: %s", a.body)
	}
}

func TestARefusedLineIsSaidInTheReadersLanguage(t *testing.T) {
	h := buildOn(t, memory.New(), fixture.Marie)
	for _, why := range []string{"late", "form", "script", "paste", "fill", "keyboard", "focus", "edit", "words", "short", "long", "time", "coarse", "flat", "copy"} {
		err := h.books.Audit.Append(t.Context(), books.Entry{
			At: h.now, Who: "user:julie", Via: "gate", What: "biopass.trial", Application: "register", Subject: "julie",
			Detail: map[string]string{"refused": why, "why": "always", "would": "approval"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	body := h.signIn(fixture.Marie.Email).get("/activity").body
	for _, words := range []string{"keys that no hand pressed", "too regular for a hand", "typed before to the beat", "asked at each sign-in"} {
		if !strings.Contains(body, words) {
			t.Errorf("the activity lacks %q", words)
		}
	}
	for _, raw := range []string{">script<", ">paste<", ">flat<", ">copy<", ">always<", ">words<", ": script", ": flat", ": always", ": copy"} {
		if strings.Contains(body, raw) {
			t.Errorf("the activity says %q as it is stored", raw)
		}
	}
}
