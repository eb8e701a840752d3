package lang

import (
	"strings"
	"testing"
	"time"
)

func TestText(t *testing.T) {
	en, fr := For("en"), For("fr-CA")
	at := time.Date(2026, 11, 3, 14, 32, 0, 0, time.UTC)
	en, fr = en.In(time.UTC), fr.In(time.UTC)
	for _, c := range []struct{ name, got, want string }{
		{"an English afternoon", en.Time(at), "2:32\u00a0pm"},
		{"a French afternoon", fr.Time(at), "14\u00a0h\u00a032"},
		{"a full hour in French has no minutes", fr.Time(at.Add(-32 * time.Minute)), "14\u00a0h"},
		{"minutes under ten keep their zero", fr.Time(at.Add(-27 * time.Minute)), "14\u00a0h\u00a005"},
		{"midnight in English is twelve", en.Time(at.Add(-14 * time.Hour)), "12:32\u00a0am"},
		{"an English date", en.Date(at), "3\u00a0November\u00a02026"},
		{"a French date", fr.Date(at), "3\u00a0novembre\u00a02026"},
		{"the first of a month is an ordinal in French only", fr.Date(at.AddDate(0, 0, -2)), "1er\u00a0novembre\u00a02026"},
		{"date and time in French", fr.DateTime(at), "3\u00a0novembre\u00a02026 à 14\u00a0h\u00a032"},
		{"today", fr.When(at, at), "aujourd’hui à 14\u00a0h\u00a032"},
		{"yesterday, across midnight", en.When(at, at.Add(10*time.Hour)), "yesterday at 2:32\u00a0pm"},
		{"tomorrow", en.When(at.Add(10*time.Hour), at), "tomorrow at 12:32\u00a0am"},
		{"this year needs no year", fr.When(at, at.AddDate(0, 0, 9)), "le 3\u00a0novembre à 14\u00a0h\u00a032"},
		{"another year does", en.When(at, at.AddDate(1, 0, 0)), "3\u00a0November\u00a02026 at 2:32\u00a0pm"},
		{"an end today", fr.Until(at, at.Add(-time.Hour)), "jusqu’à 14\u00a0h\u00a032"},
		{"the coming midnight is tonight", fr.Until(time.Date(2026, 11, 4, 0, 0, 0, 0, time.UTC), at), "jusqu’à minuit ce soir"},
		{"a midnight closes the day before", en.Until(time.Date(2026, 11, 9, 0, 0, 0, 0, time.UTC), at), "until 8\u00a0November, that day included"},
		{"an end tomorrow", en.Until(at.AddDate(0, 0, 1), at), "until tomorrow at 2:32\u00a0pm"},
		{"an end next year", fr.Until(at.AddDate(1, 0, 0), at), "jusqu’au 3\u00a0novembre\u00a02027 à 14\u00a0h\u00a032"},
		{"no end", fr.Until(time.Time{}, at), "sans date de fin"},
		{"a moment ago", fr.Ago(3 * time.Second), "à l’instant"},
		{"a clock that runs ahead", en.Ago(-time.Hour), "just now"},
		{"minutes ago", fr.Ago(150 * time.Second), "il y a 2\u00a0min"},
		{"one day is a length of hours until it is two", en.Ago(47 * time.Hour), "47\u00a0h ago"},
		{"days ago", fr.Ago(72 * time.Hour), "il y a 3\u00a0jours"},
		{"two units", en.Duration(72 * time.Second), "1\u00a0min\u00a012\u00a0s"},
		{"an even hour", en.Duration(time.Hour), "1\u00a0h"},
		{"nothing", fr.Duration(0), "0\u00a0s"},
		{"one day", fr.Duration(24 * time.Hour), "1\u00a0jour"},
		{"English thousands", en.Number(27545), "27,545"},
		{"French thousands do not break", fr.Number(27545), "27\u00a0545"},
		{"a list of three", fr.List([]string{"a", "b", "c"}), "a, b et c"},
		{"a list of two", en.List([]string{"a", "b"}), "a and b"},
		{"a list of one", en.List([]string{"a"}), "a"},
		{"zero is singular in French", fr.Text("time.days", "count", 0), "0\u00a0jour"},
		{"zero is plural in English", en.Text("time.days", "count", 0), "0\u00a0days"},
		{"a country", fr.Country("CH"), "Suisse"},
		{"a country nobody knows", fr.Country("??"), "??"},
		{"a named network is itself", fr.Place(PlaceParts{Name: "Bureau", City: "Laval"}), "Bureau"},
		{"a city, its region and country, and the network", fr.Place(PlaceParts{City: "Saint-Jérôme", Region: "Quebec", Country: "CA", Owner: "Bell Canada"}), "Saint-Jérôme, Québec, Canada (réseau Bell Canada)"},
		{"a city that is its region", en.Place(PlaceParts{City: "Hamburg", Region: "Hamburg", Country: "DE"}), "Hamburg, Germany"},
		{"a country and an owner", en.Place(PlaceParts{Country: "FR", Owner: "Orange"}), "France (Orange network)"},
		{"an address never stands alone", fr.Place(PlaceParts{Address: "203.0.113.9"}), "Lieu inconnu (203.0.113.9)"},
		{"a private address", en.Place(PlaceParts{Address: "192.168.1.5", Private: true}), "Local network (192.168.1.5)"},
		{"nothing at all", en.Place(PlaceParts{}), "Unknown place"},
		{"a device by its label", fr.Device("tablet", "Android tablet"), "Tablette Android"},
		{"a device by a label we have no word for", fr.Device("phone", "Fairphone 5"), "Fairphone 5"},
		{"a device by its kind", fr.Device("computer", ""), "Ordinateur"},
		{"a kind nobody knows", en.Device("toaster", ""), "Unrecognised device"},
		{"a browser and its platform", fr.Browser("Chrome", "Android"), "Chrome sur Android"},
		{"an installed app", fr.Browser("Installed app", ""), "Application installée"},
		{"no browser", en.Browser("", ""), "Unknown browser"},
		{"one thing new", fr.New("device"), "nouvel appareil"},
		{"two things new", fr.New("device", "browser"), "appareil et navigateur nouveaux"},
		{"three things new", en.New("device", "place", "browser"), "new device, place and browser"},
		{"a rule's author", fr.Reason("rule", "Marie Roy"), "règle de Marie Roy"},
		{"an author that is no person", fr.Reason("rule", "biopass"), "Biopass réussi"},
		{"the policy says what was new", en.Reason("policy", "", "place"), "new place"},
		{"a step with a hyphen", en.Reason("full-access", ""), "full access"},
		{"a step nobody knows", en.Reason("", ""), "no reason recorded"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
}

func TestMistakesInOurOwnSourceAreLoudInTests(t *testing.T) {
	for name, mistake := range map[string]func(){
		"a key that is missing":       func() { For("en").Text("no.such.key") },
		"a hole that nobody fills":    func() { For("en").Text("place.network") },
		"a plural form without count": func() { For("en").Text("time.days") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: want a panic", name)
				}
			}()
			mistake()
		}()
	}
}

func TestChoose(t *testing.T) {
	both := []string{"en", "fr"}
	for _, c := range []struct {
		name, asked, header string
		allowed             []string
		want                string
	}{
		{"what was asked for wins", "fr", "en", both, "fr"},
		{"a region of what we have", "", "fr-CH, en;q=0.5", both, "fr"},
		{"the header's order counts", "", "de, en;q=0.8, fr;q=0.9", both, "fr"},
		{"nothing that we have: the first allowed", "", "ja", []string{"fr", "en"}, "fr"},
		{"no header: the first allowed", "", "", []string{"fr", "en"}, "fr"},
		{"a language that is not allowed", "fr", "fr", []string{"en"}, "en"},
		{"nothing configured is all we have", "fr", "", nil, "fr"},
		{"a configured language that we lack", "", "de", []string{"de"}, "en"},
		{"a header that is no header", "", strings.Repeat("x-;q=", 5000), both, "en"},
		{"a cookie that is no language", "<script>", "fr", both, "fr"},
	} {
		if got := Choose(c.asked, c.header, c.allowed); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestThreat_L14_InertText(t *testing.T) {
	for _, c := range []struct {
		name, in string
		max      int
		want     string
	}{
		{"plain text stays", "Nguyễn Thị Thu Hà", 0, "Nguyễn Thị Thu Hà"},
		{"a header injection becomes one line", "Julie\r\nBcc: all@example.com", 0, "Julie Bcc: all@example.com"},
		{"a bidi override is shown, and overrides nothing", "invoice\u202Efdp.exe", 0, "invoice\uFFFDfdp.exe"},
		{"isolates too", "\u2067abc\u2069", 0, "\uFFFDabc\uFFFD"},
		{"marks and zero-width spaces vanish", "a\u200Bd\u200Emin\uFEFF", 0, "admin"},
		{"tag characters vanish", "ok\U000E0041\U000E0042", 0, "ok"},
		{"an escape sequence of a terminal", "\x1b[2Jhello\x07", 0, "[2Jhello"},
		{"line and paragraph separators", "a\u2028b\u2029c", 0, "a b c"},
		{"bytes that are not text", "a\xffb", 0, "a\uFFFDb"},
		{"joiners stay for emoji and Persian", "👩\u200d🚀", 0, "👩\u200d🚀"},
		{"spaces at the ends go", "  a  b  ", 0, "a b"},
		{"what is too long ends in an ellipsis", "abcdefghij", 5, "abcd…"},
		{"what just fits stays whole", "abcde", 5, "abcde"},
	} {
		if got := Inert(c.in, c.max); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if got := For("en").Text("place.network", "owner", "A\r\nB\u202E"); got != "A B\uFFFD network" {
		t.Errorf("values are made inert on the way into a message: got %q", got)
	}
}

func TestThreat_L25_MixedScriptsAreTold(t *testing.T) {
	for name, want := range map[string]bool{
		"admin": false, "\u0430dmin": true, "админ": false, "ann@example.com": false, "Ωmega": true, "山田たろう": false, "山田taro": true, "anna1": false, "": false,
	} {
		if MixedScripts(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestAPlaceRunsAsThePageDoes(t *testing.T) {
	for text, want := range map[string]bool{
		"תל אביב, Israël":           true,
		"القاهرة, Egypt":            true,
		"Laval, Québec, Canada":     false,
		"ליאת כהן־לוי":              false,
		"ליאת כהן־לוי, מנהלת":       false,
		"Liat (ליאת) of the office": false,
		"":                          false,
	} {
		if RunsOn(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}
