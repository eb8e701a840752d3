package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// looked takes a picture of a page that fits and that axe finds nothing wrong
// with.
func (b *Browser) looked(name string) {
	b.t.Helper()
	b.Fits()
	b.Axe(name)
	b.Shot(name)
}

// stays stops a page from going on by itself, to be looked at.
func (b *Browser) stays() {
	b.t.Helper()
	Eval[bool](b, `(() => { for (let i = setTimeout(() => {}); i > 0; i -= 1) clearTimeout(i); return true })()`)
}

// coarsens makes every event's time a multiple of 100 ms, as a browser does
// that hides its clock.
func (b *Browser) coarsens() {
	b.t.Helper()
	Eval[bool](b, `(() => { const real = Object.getOwnPropertyDescriptor(Event.prototype, "timeStamp").get;
		Object.defineProperty(Event.prototype, "timeStamp", { get() { return Math.floor(real.call(this) / 100) * 100; } }); return true })()`)
}

// Every state that a person can see, each in a window of its own kind: what it
// says stands in the tests of the package, that it is there, fits and can be
// read by everybody stands here.
func TestEveryStateOfBiopassIsLookedAt(t *testing.T) {
	t.Parallel()
	owner, stranger := twoTypists(t)
	o := asksBiopass("biopass required\n")
	o.Cadenas = "biopass {\nafter_failures lock\n}"
	g := StartGate(t, &Demo{}, o)
	people := []struct {
		account int
		view    View
	}{
		{1, View{Size: narrow, Language: "fr"}},
		{2, View{Size: zoomed, Language: "en", Dark: true}},
		{0, View{Size: Desk, Language: "fr", Dark: true}},
	}
	desks := map[int]*Browser{}
	for _, p := range people {
		desks[p.account] = OpenBrowser(t, p.view)
		signIn(desks[p.account], g.Site, p.account)
		desks[p.account].SeeText(Accounts[p.account].Name)
		Eventually(t, func() error { return whether(g.knows(Accounts[p.account].User), "the connection is not recorded") })
	}
	g.ClosePadlock()
	for _, p := range people {
		t.Run(p.view.withDefaults().Name(), func(t *testing.T) {
			user, desk := Accounts[p.account].User, desks[p.account]
			desk.Allow("403|422")
			desk.signsOut()
			signIn(desk, g.Site, p.account)
			desk.See("form[action$='/consent']")
			desk.looked("state-consent")
			desk.Go("form[action$='/consent'] button")
			for n := 1; n <= 5; n++ {
				words := desk.wordsAsked()
				if n == 1 || n == 3 {
					desk.looked(fmt.Sprintf("state-line-%d", n))
				}
				if n == 1 {
					desk.Type("[data-typed]", words[0]+" "+words[1]+" x")
					desk.Await("two right, one wrong", `document.querySelectorAll(".word.right").length === 2 && document.querySelectorAll(".word.wrong").length === 1`)
					desk.looked("state-green-and-red")
				}
				if got := desk.types(owner); got != map[bool]string{true: "done", false: "line"}[n == 5] {
					t.Fatalf("line %d: %s", n, got)
				}
				desk.Reload()
				if n == 5 {
					desk.stays()
					desk.See(".padlock")
					desk.looked("state-enrolled")
				}
			}
			desk.Reload()
			desk.SeeText(Accounts[p.account].Name)

			// Another keyboard, declined.
			link := ""
			for word := range strings.FieldsSeq(g.Must("biopass", "link", user)) {
				if strings.HasPrefix(word, "http") {
					link = word
				}
			}
			desk.Open(link)
			desk.See("form[action$='/link']")
			desk.looked("state-link")
			desk.Go("form[action$='/link'] button")
			desk.See("form[action$='/consent']")
			desk.looked("state-second-keyboard")
			desk.Go("form[action$='/decline'] button")
			desk.SeeText(Accounts[p.account].Name) // it goes on by itself
			desk.Open(g.Site.URL("/.cadenas/biopass/prints"))
			desk.See("div.row > form[action$='/erase']")
			desk.looked("state-prints")

			// A touch screen without keys.
			touch := p.view
			touch.Size = Tablet
			tablet := OpenBrowser(t, touch)
			signIn(tablet, g.Site, p.account)
			tablet.See("a[href*='keyboard=1']")
			tablet.looked("state-touch")

			// A clock that tells nothing, and a keyboard that hides its keys.
			coarse := OpenBrowser(t, p.view)
			coarse.Allow("422")
			signIn(coarse, g.Site, p.account)
			words := coarse.wordsAsked()
			coarse.coarsens()
			coarse.Click("[data-typed]")
			coarse.hands(strings.Join(words, " "))
			coarse.See("[data-alert]:not([hidden])")
			coarse.SeeText(map[string]string{"en": "This browser blurs its clock", "fr": "Ce navigateur brouille son horloge"}[p.view.Language])
			coarse.See("[data-ask].btn-key")
			coarse.looked("state-coarse")

			// No match, until the account is locked.
			thief := OpenBrowser(t, p.view)
			thief.Allow("403|422")
			signIn(thief, g.Site, p.account)
			thief.See("[data-bio] .word .rest")
			for range 2 {
				thief.types(stranger)
			}
			thief.Reload()
			thief.See("[data-bio] .word .rest")
			thief.looked("state-no-match")
			thief.types(stranger)
			thief.Reload()
			thief.See(".padlock.is-final")
			thief.looked("state-locked")
		})
	}
}
