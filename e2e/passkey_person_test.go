package e2e

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// asksPasskey is asksBiopass where a passkey counts too.
func asksPasskey(mode, site string) GateOptions {
	return asksBiopass("biopass " + mode + " passkey\nfactors_header X-Factors\n" + site)
}

// anew makes the browser a device that nobody knows: its cookies go, what its
// authenticator holds stays.
func (b *Browser) anew() {
	b.t.Helper()
	b.do("forgetting the cookies", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, storage.ClearCookies, storage.ClearCookiesParams{})
		return err
	}))
}

// keptKeys are a user's passkeys, as the command line lists them.
func (g *Gate) keptKeys(user string) []adminPasskey {
	g.t.Helper()
	var all []struct{ Passkeys []adminPasskey }
	if err := json.Unmarshal([]byte(g.Must("biopass", user, "--json")), &all); err != nil {
		g.t.Fatal(err)
	}
	var list []adminPasskey
	for _, a := range all {
		list = append(list, a.Passkeys...)
	}
	return list
}

// A phone, which cannot type like a person: where Julie is let in she is
// offered a passkey, and on a device that nobody knows it opens what would
// have waited for an admin. Locked, or without it, she waits.
func TestAPersonOnATouchScreenConfirmsWithAPasskey(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, asksPasskey("optional", ""))
	b := OpenBrowser(t, View{Size: Phone, Language: "fr"})
	_ = b.Authenticator()
	signIn(b, g.Site, 1)
	b.SeeText("Julie Tremblay")
	Eventually(t, func() error { return whether(g.knows("julie"), "Julie's connection is not recorded") })
	b.signsOut()
	g.ClosePadlock()

	// Let in, she is offered one; it stands on the gate's own host.
	signIn(b, g.Site, 1)
	b.See(`form[data-passkey="add"] button`)
	if !strings.HasPrefix(b.URL(), g.Console.URL("/")) {
		t.Errorf("the offer stands at %s", b.URL())
	}
	b.Fits()
	b.Axe("the offer of a passkey")
	b.Shot("person-offer")
	b.Click(`form[data-passkey="add"] button`)
	b.SeeText("Julie Tremblay")
	if keys := g.keptKeys("julie"); len(keys) != 1 {
		t.Fatalf("kept: %+v", keys)
	}

	// On a device that nobody knows.
	b.anew()
	signIn(b, g.Site, 1)
	b.See(`form[data-passkey="use"] button`)
	b.Fits()
	b.Axe("confirming with a passkey")
	b.Shot("person-confirm")
	b.Click(`form[data-passkey="use"] button`)
	b.SeeText("Julie Tremblay")
	if got := g.Must("activity", "--json"); !strings.Contains(got, "biopass.passkey") {
		t.Error("the activity lacks it")
	}
	if len(g.Requests()) != 0 {
		t.Error("somebody was asked")
	}

	// Where one sees what is kept.
	b.Open(g.Site.URL("/.cadenas/biopass/prints"))
	b.See(`form[action$="/passkey/remove"]`)
	b.Fits()
	b.Axe("what is kept")
	b.Shot("person-kept")

	// Locked while the page is open: the passkey opens nothing.
	b.anew()
	signIn(b, g.Site, 1)
	b.See(`form[data-passkey="use"] button`)
	g.Must("user", "lock", "julie")
	b.Click(`form[data-passkey="use"] button`)
	b.SeeText("n’a pas été acceptée")
	b.Shot("person-refused")
	g.Must("user", "unlock", "julie")

	// Removed while the page is open.
	b.anew()
	signIn(b, g.Site, 1)
	b.See(`form[data-passkey="use"] button`)
	g.Must("biopass", "remove-passkey", "julie", g.keptKeys("julie")[0].ID)
	b.Allow("422")
	b.Click(`form[data-passkey="use"] button`)
	b.SeeText("n’a pas été acceptée")

	// Without one she waits for an admin, as before.
	b.anew()
	signIn(b, g.Site, 1)
	Eventually(t, func() error { return whether(len(g.Requests()) == 1, "nobody was asked") })
	if b.Has(`form[data-passkey="use"]`) {
		t.Error("a passkey is asked for that is not there")
	}
}

// A passkey is the person's in that application alone, answers once, and only
// the device that came to confirm can use its challenge.
func TestAPersonsPasskeyIsTheirsAlone(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, asksPasskey("always", ""))
	b := OpenBrowser(t, View{})
	_ = b.Authenticator()
	signIn(b, g.Site, 1)
	b.SeeText("Julie Tremblay")
	Eventually(t, func() error { return whether(g.knows("julie"), "Julie's connection is not recorded") })
	b.signsOut()
	g.ClosePadlock()

	// At a desk the enrolment page offers a passkey beside the five lines.
	signIn(b, g.Site, 1)
	b.See(`form[data-passkey="add"] button`)
	b.Axe("enrolment with a passkey")
	b.Shot("person-enrol")
	b.Click(`form[data-passkey="add"] button`)
	b.SeeText("Julie Tremblay")
	b.signsOut()

	// Each sign-in asks, and the passkey is the way: she has no prints.
	signIn(b, g.Site, 1)
	b.See(`form[data-passkey="use"] button`)
	if b.Has("[data-bio]") {
		t.Error("she is asked to type")
	}
	b.Shot("person-always")

	// What the page asks for, taken to another device of hers and to Samuel's.
	options := Eval[string](b, `fetch("/.cadenas/biopass/passkey/options", {method: "POST"}).then((r) => r.text())`)
	answer := answerTo(b, []byte(options))
	if !strings.Contains(answer, "clientDataJSON") {
		t.Fatalf("the device answers %s", answer)
	}
	post := func(b *Browser) int {
		b.t.Helper()
		return Eval[int](b, `fetch("/.cadenas/biopass/passkey", {method: "POST", body: new URLSearchParams({answer: `+quoted(answer)+`})})
			.then((r) => r.url.includes("said=") ? 422 : r.text().then((t) => t.includes("data-open") ? 200 : 403))`)
	}
	samuel := OpenBrowser(t, View{})
	signIn(samuel, g.Site, 2)
	samuel.Await("his own waiting page", `location.pathname === "/.cadenas/wait"`)
	samuel.Allow("403|422")
	if got := post(samuel); got == 200 {
		t.Error("Julie's answer opens Samuel's sign-in")
	}
	other := OpenBrowser(t, View{})
	signIn(other, g.Site, 1)
	other.See(`form[data-passkey="use"] button`)
	other.Allow("403|422")
	if got := post(other); got == 200 {
		t.Error("Julie's answer opens another device")
	}
	b.Allow("403")
	if got := post(b); got != 200 {
		t.Fatalf("her own device: %d", got)
	}
	if got := post(b); got == 200 && !strings.Contains(g.Must("activity", "--json"), "biopass.passkey") {
		t.Error("the answer counts twice")
	}
	b.Reload()
	b.SeeText("Julie Tremblay")

	// A user's passkey is none of the console's.
	b.Open(g.Console.URL("/sign-in"))
	a := NewClient(t).Submit(g.Console.URL("/sign-in/passkey"), url.Values{"answer": {answer}})
	if a.Status < 400 {
		t.Errorf("at the console's door: %d", a.Status)
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
