package access_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cadenas-gateway/cadenas/access"
)

func TestWordsThatAreNoneNameThoseThatAre(t *testing.T) {
	for _, c := range []struct {
		name, typed, want string
		parse             func(string) error
	}{
		{"an answer", "ask", `"ask" is not an answer: use allow, biopass, approval, refuse`, func(s string) error { _, err := access.ParseAnswer(s); return err }},
		{"an answer in capitals", "Allow", `"Allow" is not an answer: use allow, biopass, approval, refuse`, func(s string) error { _, err := access.ParseAnswer(s); return err }},
		{"nothing", "", `"" is not an answer: use allow, biopass, approval, refuse`, func(s string) error { _, err := access.ParseAnswer(s); return err }},
		{"a way to compare places", "street", `"street" is not a way to compare places: use address, network, city, country, owner`, func(s string) error { _, err := access.ParseSame(s); return err }},
		{"a way to compare browsers", "build", `"build" is not a way to compare browsers: use family, version`, func(s string) error { _, err := access.ParseSameBrowser(s); return err }},
		{"a kind", "laptop", `"laptop" is not a kind of device: use phone, tablet, computer, other`, func(s string) error { _, err := access.ParseKind(s); return err }},
		{"a part", "time", `"time" is not a thing that can be new: use device, place, browser, combination`, func(s string) error { _, err := access.ParsePart(s); return err }},
		{"an effect", "deny", `"deny" is not an effect: use allow, refuse`, func(s string) error { _, err := access.ParseEffect(s); return err }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.parse(c.typed); err == nil || err.Error() != c.want {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestWordsReadBack(t *testing.T) {
	for _, w := range access.Answers {
		if got, err := access.ParseAnswer(string(w)); got != w || err != nil {
			t.Errorf("%s: %s, %v", w, got, err)
		}
	}
	for _, w := range access.Kinds {
		if got, err := access.ParseKind(string(w)); got != w || err != nil {
			t.Errorf("%s: %s, %v", w, got, err)
		}
	}
}

func TestParsePlaceKey(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       access.PlaceKey
		err        string
	}{
		{"nothing is any place", " ", access.PlaceKey{}, ""},
		{"any is any place", "any", access.PlaceKey{}, ""},
		{"values may hold spaces", "owner=Bell Canada city=Trois Rivières", access.PlaceKey{Owner: "Bell Canada", City: "Trois Rivières"}, ""},
		{"values may be quoted", `name="a=b" country=CA`, access.PlaceKey{Name: "a=b", Country: "CA"}, ""},
		{"an address is a network of one", "prefix=203.0.113.7", access.PlaceKey{Prefix: "203.0.113.7/32"}, ""},
		{"host bits are dropped", "prefix=203.0.113.7/24", access.PlaceKey{Prefix: "203.0.113.0/24"}, ""},
		{"a mapped network is that of IPv4", "prefix=::ffff:203.0.113.0/120", access.PlaceKey{Prefix: "203.0.113.0/24"}, ""},
		{"an unknown field", "street=Main", access.PlaceKey{}, "write it as any, or one or more of name=…"},
		{"a bare word", "Laval", access.PlaceKey{}, "write it as"},
		{"a field twice", "city=Laval city=Lyon", access.PlaceKey{}, "city is given twice"},
		{"an empty value", "city= country=CA", access.PlaceKey{}, "the value of city cannot be read"},
		{"an open quote", `city="Laval`, access.PlaceKey{}, "the value of city cannot be read"},
		{"a network that is none", "prefix=203.0.113", access.PlaceKey{}, "neither an address nor a network"},
		{"a network that is too wide to be meant", "prefix=::ffff:0:0/64", access.PlaceKey{}, "wider than all of IPv4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := access.ParsePlaceKey(c.text)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestKeysReadBackWhateverTheyHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a city=b", ` x`, `"`, `\`, "é=", "any", "Bell  Canada", "\x00", "\u202e"}))
		key := access.PlaceKey{
			Name: text.Draw(t, "name"), City: text.Draw(t, "city"), Region: text.Draw(t, "region"), Country: text.Draw(t, "country"),
			Owner: text.Draw(t, "owner"), Prefix: rapid.SampledFrom([]string{"", "203.0.113.0/24", "2001:db8::/56"}).Draw(t, "prefix"),
		}
		got, err := access.ParsePlaceKey(key.String())
		if err != nil || got != key {
			t.Fatalf("%+v is written %s and read %+v, %v", key, key, got, err)
		}
		browser := access.BrowserKey{Family: text.Draw(t, "family"), Platform: text.Draw(t, "platform"), Version: text.Draw(t, "version")}
		back, err := access.ParseBrowserKey(browser.String())
		if err != nil || back != browser {
			t.Fatalf("%+v is written %s and read %+v, %v", browser, browser, back, err)
		}
	})
}

func TestKeysInJSONAreLines(t *testing.T) {
	type record struct {
		Place   access.PlaceKey
		Browser access.BrowserKey
	}
	in := record{access.PlaceKey{City: "Laval", Owner: "Bell Canada"}, access.BrowserKey{Family: "Chrome"}}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"Place":"city=Laval owner=Bell Canada","Browser":"family=Chrome"}`; string(b) != want {
		t.Errorf("got %s", b)
	}
	var out record
	if err := json.Unmarshal(b, &out); err != nil || out != in {
		t.Errorf("read %+v, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"Place":"prefix=nowhere"}`), &out); err == nil {
		t.Error("a place that cannot be read was taken")
	}
}

func TestFoldUser(t *testing.T) {
	for _, spelling := range []string{"marie.roy", "Marie Roy", "MARIEROY", " marie\u00a0roy\t", "ma\u200brie.roy"} {
		if got := access.FoldUser(spelling); got != "marieroy" {
			t.Errorf("%q counts as %q", spelling, got)
		}
	}
}

func FuzzParsePlaceKey(f *testing.F) {
	for _, seed := range []string{"", "any", "city=Laval owner=Bell Canada", `name="a\x00" prefix=::1`, "prefix=203.0.113.7/24", "city=a=b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := access.ParsePlaceKey(text)
		if err != nil {
			return
		}
		again, err := access.ParsePlaceKey(key.String())
		if err != nil || again != key {
			t.Fatalf("%q is read %+v, written %s, read %+v, %v", text, key, key, again, err)
		}
	})
}
