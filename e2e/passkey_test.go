package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/passkey/passkeytest"
)

// enterByLink signs a browser into the console by a link of the command line.
func (g *Gate) enterByLink(b *Browser, admin string) {
	g.t.Helper()
	b.Open(g.ConsoleLink(admin))
	b.Go("main form button")
}

// signOut ends the browser's session at the console.
func (g *Gate) signOut(b *Browser) {
	g.t.Helper()
	b.Open(g.Console.URL("/more"))
	b.Go(`.more-me form[action^="/sign-out"] button`)
}

// addPasskey adds one to the account of who is signed in.
func (g *Gate) addPasskey(b *Browser, name string) {
	g.t.Helper()
	b.Open(g.Console.URL("/account"))
	b.See(`form[data-passkey="add"] button`)
	b.Choose("#key-name", name)
	b.Go(`form[data-passkey="add"] button`)
	b.SeeText(name)
}

// adminPasskey is what the command line lists.
type adminPasskey struct {
	ID, Name     string
	Used, Copied string
}

func (g *Gate) passkeys(admin string) []adminPasskey {
	g.t.Helper()
	var list []adminPasskey
	if err := json.Unmarshal([]byte(g.Must("admin", "passkeys", admin, "--json")), &list); err != nil {
		g.t.Fatal(err)
	}
	return list
}

// An admin, also one whom the Caddyfile names, adds a passkey, signs out and
// comes back in with it, names it anew and removes it; then it opens nothing.
func TestAnAdminSignsInWithAPasskey(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, GateOptions{})
	b := OpenBrowser(t, View{})
	b.WithoutList()
	device := b.Authenticator()
	g.enterByLink(b, "paul@example.com")
	b.Open(g.Console.URL("/account"))
	b.See(`form[data-passkey="add"] button`)
	b.Shot("account-without-passkey")
	g.addPasskey(b, "Paul’s laptop")
	b.Axe("the account with a passkey")
	b.Shot("account-with-passkey")
	if held := device.Passkeys(); len(held) != 1 || held[0].RpID != "console.localhost" || !held[0].IsResidentCredential {
		t.Fatalf("the device holds %+v", held)
	}

	g.signOut(b)
	b.See(`form[data-passkey="use"] button`)
	b.Axe("the console's door")
	b.Shot("door-with-passkey")
	b.Open(g.Console.URL("/sign-in?to=%2Fpeople"))
	b.See(`form[data-passkey="use"] button`)
	b.Go(`form[data-passkey="use"] button`)
	b.Await("the room that was asked for", `location.pathname === "/people"`)

	list := g.passkeys("paul@example.com")
	if len(list) != 1 || list[0].Name != "Paul’s laptop" || list[0].Used == "" {
		t.Fatalf("the command line says %+v", list)
	}
	if got := g.Must("activity", "--json"); !strings.Contains(got, "passkey.add") || !strings.Contains(got, `"console.sign_in"`) {
		t.Errorf("the activity lacks it:\n%.2000s", got)
	}

	b.Open(g.Console.URL("/account"))
	b.Click(".key-more summary")
	b.Choose(".key-more input[name=name]", "Portable de Paul")
	b.Go(".key-more button")
	b.SeeText("Portable de Paul")

	// Removed by the command line: what it had opened is signed out, and it
	// opens nothing more.
	g.Must("admin", "remove-passkey", "paul@example.com", list[0].ID)
	b.Open(g.Console.URL("/people"))
	b.Await("the door", `location.pathname === "/sign-in"`)
	b.Allow("403")
	b.See(`form[data-passkey="use"] button`)
	b.Go(`form[data-passkey="use"] button`)
	b.SeeText("does not open the console")
	b.Shot("door-refused")
	if b.Status() != http.StatusForbidden {
		t.Errorf("a removed passkey is answered %d", b.Status())
	}
}

// What the browser itself lists at the e-mail field opens the console too.
func TestAPasskeyFromTheBrowsersOwnList(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, GateOptions{NoMail: true})
	b := OpenBrowser(t, View{Language: "fr", Size: Phone})
	_ = b.Authenticator()
	g.enterByLink(b, "paul@example.com")
	b.Open(g.Console.URL("/account?cadenas_lang=fr"))
	g.addPasskey(b, "Téléphone")
	b.Fits()
	b.Shot("account-with-passkey")
	g.signOut(b)
	b.Await("a room, without a press", `location.pathname === "/connections"`)
}

// With script off the door says that the link is the way, and shows no button
// that would do nothing.
func TestWithoutScriptTheLinkIsTheWay(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, GateOptions{})
	c := NewClient(t)
	page := c.Visit(g.Console.URL("/sign-in")).Expect(http.StatusOK).Text()
	if !strings.Contains(page, "The link works without") || !strings.Contains(page, `data-passkey="use"`) || !strings.Contains(page, `hidden data-passkey="use"`) {
		t.Errorf("the door: %s", page)
	}
	b := OpenBrowser(t, View{NoScript: true})
	g.enterByLink(b, "paul@example.com")
	b.Open(g.Console.URL("/account"))
	b.SeeText("needs script")
	b.Shot("account-without-script")
	g.signOut(b)
	b.SeeText("The link works without")
	b.Shot("door-without-script")
}

// answerTo lets the tab's device answer options of the console, and returns
// what it would send.
func answerTo(b *Browser, options []byte) string {
	b.t.Helper()
	return Eval[string](b, fmt.Sprintf(`(async () => {
		const o = %s;
		const bytes = (s) => Uint8Array.from(atob(s.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
		const text = (x) => btoa(String.fromCharCode(...new Uint8Array(x))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
		try {
			const c = await navigator.credentials.get({ publicKey: { ...o, challenge: bytes(o.challenge), allowCredentials: (o.allowCredentials ?? []).map((x) => ({...x, id: bytes(x.id)})) } });
			const r = c.response;
			return JSON.stringify({ id: c.id, rawId: text(c.rawId), type: c.type, clientExtensionResults: {}, response: {
				clientDataJSON: text(r.clientDataJSON), authenticatorData: text(r.authenticatorData), signature: text(r.signature), userHandle: text(r.userHandle) } });
		} catch (e) { return e.name; }
	})()`, options))
}

// L27 for passkeys: an answer counts once, for this origin, with the person
// verified, and a copied passkey is seen.
func TestAPasskeysAnswerCountsOnceAndHereOnly(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, GateOptions{NoMail: true})
	b := OpenBrowser(t, View{})
	b.WithoutList()
	device := b.Authenticator()
	g.enterByLink(b, "paul@example.com")
	g.addPasskey(b, "Laptop")
	g.signOut(b)

	options := func() []byte {
		t.Helper()
		return NewClient(t).Submit(g.Console.URL("/sign-in/options"), url.Values{}).Expect(http.StatusOK).Body
	}
	send := func(answer string) *Answer {
		t.Helper()
		return NewClient(t).Submit(g.Console.URL("/sign-in/passkey"), url.Values{"answer": {answer}})
	}
	opens := func(a *Answer) bool {
		return a.Status == http.StatusSeeOther && strings.Contains(a.Header.Get("Set-Cookie"), "cadenas-console=")
	}

	answer := answerTo(b, options())
	if a := send(answer); !opens(a) {
		t.Fatalf("the first time: %d\n%.2000s", a.Status, a.Body)
	}
	if a := send(answer); opens(a) || a.Status != http.StatusUnprocessableEntity {
		t.Errorf("the same answer again: %d", a.Status)
	}

	// The browser of a page elsewhere gives no answer for this host, and that
	// of another port one for its own origin.
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>elsewhere</title><link rel=icon href=data:,>"))
	}))
	t.Cleanup(elsewhere.Close)
	port := elsewhere.URL[strings.LastIndex(elsewhere.URL, ":"):]
	b.Open("http://evil.localhost" + port)
	if got := answerTo(b, options()); got != "SecurityError" {
		t.Errorf("a page of another host gets %q", got)
	}
	b.Open("http://console.localhost" + port)
	forged := answerTo(b, options())
	if a := send(forged); opens(a) || a.Status != http.StatusForbidden {
		t.Errorf("an answer to the same host on another port (%.80s): %d", forged, a.Status)
	}

	// Whoever holds the device, but is not its person.
	b.Open(g.Console.URL("/sign-in"))
	device.Verify(false)
	if got := answerTo(b, options()); got != "NotAllowedError" {
		t.Errorf("a wrong finger gives %q", got)
	}
	loose := strings.Replace(string(options()), `"required"`, `"discouraged"`, 1)
	if a := send(answerTo(b, []byte(loose))); opens(a) || a.Status != http.StatusForbidden {
		t.Errorf("a person who was not verified: %d", a.Status)
	}
	device.Verify(true)

	// A copy falls behind the original.
	held := device.Passkeys()[0]
	thief, err := passkeytest.Of(g.Console.URL(""), held.CredentialID, held.PrivateKey, held.UserHandle, uint32(held.SignCount))
	if err != nil {
		t.Fatal(err)
	}
	if a := send(answerTo(b, options())); !opens(a) {
		t.Fatalf("the original: %d", a.Status)
	}
	stolen, err := thief.Answer(options())
	if err != nil {
		t.Fatal(err)
	}
	if a := send(string(stolen)); opens(a) || a.Status != http.StatusForbidden || !strings.Contains(a.Text(), "may have been copied") {
		t.Errorf("a copy: %d\n%.3000s", a.Status, a.Body)
	}
	if list := g.passkeys("paul@example.com"); len(list) != 1 || list[0].Copied == "" {
		t.Errorf("the command line says %+v", list)
	}
	if got := g.Must("activity", "--json"); !strings.Contains(got, "passkey.copied") {
		t.Error("the activity lacks the copy")
	}

	// And none of it from another site's page.
	for how, header := range forgeries {
		if a := NewClient(t).forge(g.Console.URL("/sign-in/passkey"), url.Values{"answer": {answer}}, header); a.Status < 400 {
			t.Errorf("from %s: %d", how, a.Status)
		}
	}
}

// X11: a challenge made on one instance is answered on another, counts once on
// all of them, and what is removed on one opens nothing on any.
func TestInstances_APasskeyAskedForOnOneIsAnsweredOnAnother(t *testing.T) {
	t.Parallel()
	redis := StartRedis(t)
	o := together(redis, "60s")
	o.NoMail = true
	front, each := StartFront(t, &Demo{}, o, 2)
	b := OpenBrowser(t, View{})
	b.WithoutList()
	_ = b.Authenticator()
	for _, g := range each {
		g.Console = front.Console
	}
	front.enterByLink(b, "paul@example.com")
	front.addPasskey(b, "Laptop")
	front.signOut(b)
	for range each {
		b.Open(front.Console.URL("/sign-in"))
		b.See(`form[data-passkey="use"] button`)
		b.Go(`form[data-passkey="use"] button`)
		b.Await("a room", `location.pathname === "/connections"`)
		front.signOut(b)
	}

	c := NewClient(t)
	options := c.Submit(front.Console.URL("/sign-in/options"), url.Values{}).Expect(http.StatusOK).Body
	answer := url.Values{"answer": {answerTo(b, options)}}
	if a := NewClient(t).Submit(front.Console.URL("/sign-in/passkey"), answer); a.Status != http.StatusSeeOther {
		t.Fatalf("the first time: %d", a.Status)
	}
	for range 2 * len(each) {
		if a := NewClient(t).Submit(front.Console.URL("/sign-in/passkey"), answer); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("the same answer again, on one of them: %d", a.Status)
		}
	}
	each[1].Must("admin", "remove-passkey", "paul@example.com", front.passkeys("paul@example.com")[0].ID)
	for range each {
		options := c.Submit(front.Console.URL("/sign-in/options"), url.Values{}).Expect(http.StatusOK).Body
		if a := NewClient(t).Submit(front.Console.URL("/sign-in/passkey"), url.Values{"answer": {answerTo(b, options)}}); a.Status != http.StatusForbidden {
			t.Errorf("removed on one instance, it gets %d", a.Status)
		}
	}
}
