package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// asksBiopass is an application that asks newcomers with a password for four
// typed words.
func asksBiopass(site string) GateOptions {
	return GateOptions{NoMail: true, Site: "unknown device biopass\nunknown place biopass\nunknown browser biopass\nunknown combination biopass\n" + site}
}

// typing says what the page for typing shows, and nothing wrong.
func (b *Browser) typing(name string) {
	b.t.Helper()
	b.See("[data-bio] .word .rest")
	b.Allow("422")
	b.Fits()
	b.Axe(name)
	b.Shot(name)
}

// signsOut presses the application's own button. The page's streams end with
// it, which the browser may tell of.
func (b *Browser) signsOut() {
	b.t.Helper()
	b.Allow("/events|/live")
	b.Go("form[action='/logout'] button")
}

// enrols signs in again on a known device, agrees and types five lines.
func (b *Browser) enrols(g *Gate, a *typist) {
	b.t.Helper()
	b.signsOut()
	signIn(b, g.Site, 1)
	b.See("form[action$='/consent']")
	b.Fits()
	b.Axe("start")
	b.Shot("start")
	b.Go("form[action$='/consent'] button")
	b.typing("enrol")
	for n := range 5 {
		if got := b.types(a); got != map[bool]string{true: "done", false: "line"}[n == 4] {
			b.t.Fatalf("line %d: %s", n+1, got)
		}
		if n == 1 {
			b.Reload()
			b.See(".prints .done + .done + .now")
			b.Shot("enrol-3")
		}
	}
	b.Reload()
	b.SeeText("Attendance register")
	b.SeeText("Julie Tremblay")
}

// julieIsKnown signs Julie in with the padlock open and closes it behind her;
// it returns her browser.
func julieIsKnown(g *Gate, view View) *Browser {
	g.t.Helper()
	desk := OpenBrowser(g.t, view)
	signIn(desk, g.Site, 1)
	desk.SeeText("Julie Tremblay")
	Eventually(g.t, func() error { return whether(g.knows("julie"), "Julie's connection is not recorded") })
	g.ClosePadlock()
	return desk
}

// The way through: enrolment at the first allowed sign-in, a match on another
// browser, and no match three times.
func TestBiopassFromEnrolmentToAMatchAndToNone(t *testing.T) {
	t.Parallel()
	owner, stranger := twoTypists(t)
	g := StartGate(t, &Demo{}, asksBiopass(""))
	desk := julieIsKnown(g, View{})
	desk.enrols(g, owner)

	// It does not show again.
	desk.signsOut()
	signIn(desk, g.Site, 1)
	desk.SeeText("Julie Tremblay")
	if n := len(g.Requests()); n != 0 {
		t.Errorf("%d wait", n)
	}

	for _, view := range []View{{Size: Desk, Language: "en"}, {Size: Desk, Language: "fr", Dark: true}, {Size: narrow, Language: "fr"}, {Size: narrow, Language: "en", Dark: true}, {Size: middle, Language: "fr"}, {Size: zoomed, Language: "fr"}} {
		t.Run("match "+view.Name(), func(t *testing.T) {
			b := OpenBrowser(t, view)
			signIn(b, g.Site, 1)
			b.typing("words")
			if !strings.HasPrefix(b.URL(), g.Console.String()) {
				t.Errorf("the page stands at %s, where scripts of the application can read it", b.URL())
			}
			// What is right turns green, what is wrong says so.
			words := Eval[[]string](b, `[...document.querySelectorAll(".word .letters")].map(e => e.textContent)`)
			b.Type("[data-typed]", words[0]+" "+words[1]+" x")
			b.Await("two right, one wrong", `document.querySelectorAll(".word.right").length === 2 && document.querySelectorAll(".word.wrong").length === 1`)
			b.Shot("half")
			if got := b.types(owner); got != "done" {
				t.Fatalf("the owner: %s", got)
			}
			b.Reload()
			b.SeeText("Attendance register")
			b.SeeText("Julie Tremblay")
			b.Reload()
			b.SeeText("Julie Tremblay")
		})
	}
	var rules []struct{ Author string }
	if err := json.Unmarshal([]byte(g.Must("rules", "--json")), &rules); err != nil {
		t.Fatal(err)
	}
	made := 0
	for _, r := range rules {
		if r.Author == "biopass" {
			made++
		}
	}
	if made != 6 {
		t.Errorf("matches made %d rules, want 6", made)
	}

	// Somebody else with her password.
	thief := OpenBrowser(t, View{Language: "fr"})
	signIn(thief, g.Site, 1)
	thief.typing("thief")
	for n, want := range []string{"again", "again", "stopped"} {
		if got := thief.types(stranger); got != want {
			t.Fatalf("try %d: %s", n+1, got)
		}
		thief.Reload()
		thief.SeeText(map[string]string{"again": "Essayons d’autres mots.", "stopped": "on s’arrête ici"}[want])
		thief.Axe(want)
		thief.Shot(fmt.Sprintf("try-%d", n+1))
	}
	thief.Open(g.Site.URL("/"))
	if strings.Contains(thief.PageText(), "Julie Tremblay") && thief.Status() == 200 {
		t.Error("the thief is in")
	}
	thief.See("svg.token")
	if n := len(g.Requests()); n != 1 {
		t.Errorf("%d wait, want one", n)
	}
}

// After three failures the account is locked, where the configuration says so.
func TestBiopassLocksAfterThreeFailures(t *testing.T) {
	t.Parallel()
	owner, stranger := twoTypists(t)
	o := asksBiopass("")
	o.Cadenas = "biopass {\nafter_failures lock\n}"
	o.NoConsole = true // in place, too
	g := StartGate(t, &Demo{}, o)
	desk := julieIsKnown(g, View{})
	desk.enrols(g, owner)
	thief := OpenBrowser(t, View{Dark: true})
	signIn(thief, g.Site, 1)
	thief.typing("thief")
	for range 3 {
		thief.types(stranger)
	}
	thief.Open(g.Site.URL("/.cadenas/biopass"))
	thief.SeeText("this account is now locked")
	thief.Axe("locked")
	thief.Shot("locked")
	if out := g.Must("user", "julie", "--json"); !strings.Contains(out, `"Locked"`) || !strings.Contains(out, "biopass") {
		t.Errorf("the user: %s", out)
	}
	desk.Open(g.Site.URL("/"))
	if strings.Contains(desk.PageText(), "Attendance register") {
		t.Error("the account is locked, and its owner is in")
	}
	g.Must("user", "unlock", "julie", "--app", g.Name)
	desk.Open(g.Site.URL("/"))
	desk.SeeText("Julie Tremblay")
}

// Each sign-in, a second keyboard by an admin's link, what is kept, and its
// end.
func TestBiopassAtEachSignInAnotherKeyboardAndErasure(t *testing.T) {
	t.Parallel()
	owner, stranger := twoTypists(t)
	o := GateOptions{NoMail: true, Site: "biopass always\n"}
	g := StartGate(t, &Demo{}, o)
	desk := julieIsKnown(g, View{})
	desk.enrols(g, owner)

	desk.signsOut()
	signIn(desk, g.Site, 1)
	desk.typing("each")
	desk.Open(g.Site.URL("/"))
	desk.See("[data-bio]") // no way round
	if got := desk.types(owner); got != "done" {
		t.Fatal(got)
	}
	desk.Reload()
	desk.SeeText("Julie Tremblay")

	// The link, in a browser where she is signed in.
	link := ""
	for word := range strings.FieldsSeq(g.Must("biopass", "link", "julie")) {
		if strings.HasPrefix(word, "http") {
			link = word
		}
	}
	out := OpenBrowser(t, View{Language: "fr"})
	out.Open(link)
	out.SeeText("Connectez-vous d’abord.")
	out.Shot("link-out")
	desk.Open(link)
	desk.SeeText("Add this keyboard.")
	desk.Fits()
	desk.Axe("link")
	desk.Shot("link")
	desk.Go("form[action$='/link'] button")
	desk.See("form[action$='/consent']")
	desk.Go("form[action$='/consent'] button")
	desk.See("[data-bio] .word .rest")
	for range 5 {
		desk.types(stranger) // her hands on another keyboard
	}
	desk.Reload()
	desk.SeeText("Attendance register")
	desk.Open(link)
	desk.SeeText("This link is not good.")
	desk.Open(g.Site.URL("/.cadenas/biopass/prints"))
	desk.SeeText("What Biopass keeps of you")
	desk.Fits()
	desk.Axe("prints")
	desk.Shot("prints")
	var kept []struct {
		Keyboards []struct {
			ID     string
			Prints int
		}
	}
	if err := json.Unmarshal([]byte(g.Must("biopass", "julie", "--json")), &kept); err != nil || len(kept) != 1 || len(kept[0].Keyboards) != 2 {
		t.Fatalf("%v %+v", err, kept)
	}

	// One of them gets a name and goes, alone; then all of it.
	desk.Click(".kept details summary")
	desk.Go("form[action$='/name'] button")
	desk.SeeText("The keyboard has its new name.")
	g.Must("biopass", "rename", "julie", kept[0].Keyboards[1].ID, "Second")
	g.Must("biopass", "erase", "julie", "--keyboard", "second")
	desk.Open(g.Site.URL("/.cadenas/biopass/prints/erase?keyboard=" + kept[0].Keyboards[0].ID))
	desk.SeeText("It is the only one")
	desk.Fits()
	desk.Axe("erase a keyboard")
	desk.Shot("erase")
	desk.Go("form[action$='/erase'] button")
	desk.SeeText("That keyboard is erased.")
	desk.SeeText("No prints are kept, only that you agreed")
	desk.Go("form[action$='/erase'] button")
	desk.SeeText("Erase all that Biopass keeps of you?")
	desk.Go("form[action$='/erase'] button")
	desk.SeeText("Nothing is kept.")

	// Once more from nothing: she declines, and an admin is asked.
	desk.Open(g.Site.URL("/"))
	desk.signsOut()
	signIn(desk, g.Site, 1)
	desk.See("form[action$='/decline']")
	desk.Go("form[action$='/decline'] button")
	desk.See("svg.token")
	g.Approve("julie")
	desk.SeeText("Julie Tremblay")
}

// On a phone there is nothing to type, and no dead end.
func TestOnAPhoneBiopassLeadsToAnApproval(t *testing.T) {
	t.Parallel()
	g, _ := known(t, &Demo{}, asksBiopass("biopass required\n"), 1)
	phone := OpenBrowser(t, View{Size: Phone, Language: "fr"})
	signIn(phone, g.Site, 1)
	phone.See("svg.token")
	g.Approve("julie")
	phone.SeeText("Julie Tremblay")
}

// A trial records, and begins again.
func TestABiopassTrialBeginsAgain(t *testing.T) {
	t.Parallel()
	owner, stranger := twoTypists(t)
	o := asksBiopass("factors_header X-Factors\n")
	o.Cadenas = "biopass {\ntrial\nafter_failures lock\n}"
	g := StartGate(t, &Demo{}, o)
	desk := julieIsKnown(g, View{})
	desk.enrols(g, owner)
	b := OpenBrowser(t, View{})
	signIn(b, g.Site, 1)
	b.typing("trial")
	for n := range 4 {
		if got := b.types(stranger); got != "again" && got != "more" {
			t.Fatalf("try %d: %s", n+1, got)
		}
	}
	if out := g.Must("activity", "--json"); !strings.Contains(out, "biopass.trial") {
		t.Error("nothing was recorded")
	}
	state := "again"
	for tries := 0; tries < 6 && (state == "again" || state == "more"); tries++ {
		state = b.types(owner)
	}
	if state != "done" && state != "" {
		t.Fatalf("the owner is told %q", state)
	}
	b.Reload()
	b.SeeText("Julie Tremblay")
}

// Desks in narrow and middling windows, and one at 400%: 1280 pixels as 320.
var (
	narrow = Size{"390", 390, 844, 1, false, ChromeLinux, "", "Linux"}
	middle = Size{"820", 820, 1180, 1, false, ChromeLinux, "", "Linux"}
	zoomed = Size{"zoom400", 320, 256, 1, false, ChromeLinux, "", "Linux"}
)
