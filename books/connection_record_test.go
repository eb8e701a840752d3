package books

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

func TestARecordComesBackAsItWasPacked(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	full := Connection{
		User: "julie", Application: "register", First: at, Last: at.Add(time.Hour), Count: 300,
		Device:  access.Device{ID: "AAECAwQFBgcICQoLDA0ODw", Kind: access.Tablet, Label: "Android tablet"},
		Browser: access.Browser{Family: "Chrome", Platform: "Android", Version: "156"},
		Place: access.Place{
			City: "Laval", Region: "Quebec", Country: "CA", Owner: "Bell Canada", Address: netip.MustParseAddr("203.0.113.9"),
			Located: true, Latitude: 45.5, Longitude: -73.75,
		},
		Answer: access.LetIn, Shadow: access.Deny, Step: access.StepPadlock, New: []access.Part{access.PartDevice, access.PartBrowser}, Adopted: true,
	}
	for name, change := range map[string]func(c *Connection){
		"as most are":       func(*Connection) {},
		"with nothing said": func(c *Connection) { *c = Connection{User: "julie", Application: "register", First: at, Last: at} },
		"with words of its own": func(c *Connection) {
			c.Device.Label, c.Browser.Family, c.Browser.Platform = "Toaster", "Mosaïc", "BeOS"
		},
		"with a device of text":                func(c *Connection) { c.Device.ID = "one" },
		"with 22 letters that are no 16 bytes": func(c *Connection) { c.Device.ID = "AAECAwQFBgcICQoLDA0ODx" },
		"with a version of text":               func(c *Connection) { c.Browser.Version = "12.1" },
		"with a version that begins with 0":    func(c *Connection) { c.Browser.Version = "007" },
		"with a version longer than numbers":   func(c *Connection) { c.Browser.Version = strings.Repeat("9", 30) },
		"with IPv6":                            func(c *Connection) { c.Place.Address = netip.MustParseAddr("2001:db8::7") },
		"with IPv4 inside IPv6":                func(c *Connection) { c.Place.Address = netip.MustParseAddr("::ffff:203.0.113.9") },
		"in a private place without words":     func(c *Connection) { c.Place = access.Place{Private: true, Address: netip.MustParseAddr("10.0.0.1")} },
		"at home":                              func(c *Connection) { c.Place.Name, c.Place.NameFor = "home", "julie" },
		"seen before it was made":              func(c *Connection) { c.First, c.Last = at.AddDate(0, 0, -40), at.AddDate(0, 0, -41) },
		"of another user, with any letters":    func(c *Connection) { c.User = "../é/%2f\x00" },
		"with all that can be new":             func(c *Connection) { c.New = partWords },
		"with fields of a later version":       func(c *Connection) { c.KeepNewer(string(Encode(map[int]int{99: 1}))) },
	} {
		t.Run(name, func(t *testing.T) {
			c := full
			change(&c)
			c.ID = NewConnectionID(at, c.User)
			b := New(memory.New())
			if err := b.Store.Apply(t.Context(), store.Batch{Writes: b.Connections.Put(c)}); err != nil {
				t.Fatal(err)
			}
			b = New(b.Store) // another instance, which has read nothing yet
			got, err := b.Connections.Get(t.Context(), "register", c.ID)
			if err != nil {
				t.Fatal(err)
			}
			if string(Encode(got)) != string(Encode(c)) || !got.First.Equal(c.First) || !got.Last.Equal(c.Last) || got.Newer() != c.Newer() {
				t.Errorf("got  %+v\nwant %+v", got, c)
			}
			list, err := b.Connections.Of(t.Context(), "register", c.User, 10)
			if err != nil || len(list) != 1 || list[0].ID != c.ID {
				t.Errorf("of its user: %+v, %v", list, err)
			}
		})
	}
}

func TestARecordCutShortIsAnError(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	c := Connection{
		ID: NewConnectionID(at, "julie"), User: "julie", Application: "register", First: at, Last: at, Device: access.Device{ID: "one", Label: "Toaster"},
		Place: access.Place{City: "Laval", Address: netip.MustParseAddr("203.0.113.9")},
	}
	m := c.mark()
	whole := pack(c, m, codeOf(wordsOf(c.Place)))
	for n := range whole {
		if _, _, _, err := unpack("register", "julie", m, whole[:n]); err == nil {
			t.Errorf("%d of %d bytes were taken for a record", n, len(whole))
		}
	}
	later := slices.Clone(whole)
	later[0]++
	if _, _, _, err := unpack("register", "julie", m, later); err == nil || !strings.Contains(err.Error(), "its form is 2") {
		t.Errorf("a later form: %v", err)
	}
}

func TestAConnectionOfAMillionIsSmall(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	c := Connection{
		ID: NewConnectionID(at, "julie.tremblay@lucioles.example"), User: "julie.tremblay@lucioles.example", Application: "register", First: at, Last: at.AddDate(0, 1, 0), Count: 300,
		Device:  access.Device{ID: "AAECAwQFBgcICQoLDA0ODw", Kind: access.Tablet, Label: "Android tablet"},
		Browser: access.Browser{Family: "Chrome", Platform: "Android", Version: "156"},
		Place:   access.Place{City: "Laval", Region: "Quebec", Country: "CA", Owner: "Bell Canada", Address: netip.MustParseAddr("203.0.113.9"), Located: true, Latitude: 45.5, Longitude: -73.75},
		Answer:  access.LetIn, Step: access.StepKnown,
	}
	if got := len(pack(c, c.mark(), placeCode{})); got > 48 {
		t.Errorf("a record has %d bytes, want 48 at the most", got)
	}
}

func TestAnIdentifierThatIsNoneFindsNothing(t *testing.T) {
	id := NewConnectionID(time.Now(), "julie")
	for _, text := range []string{"", "x", id[:markText-1], id + "!", "!" + id[1:], id[:markText] + "====", id[:markText-1] + "1" + id[markText:], strings.ToUpper(id)} {
		if _, _, ok := cutID(text); ok && text != id {
			t.Errorf("%q was read", text)
		}
	}
	if m, user, ok := cutID(id); !ok || user != "julie" || time.Since(m.time()).Abs() > time.Minute {
		t.Errorf("made at %v for %q, %v", m.time(), user, ok)
	}
	if _, user, ok := cutID(NewConnectionID(time.Now(), "")); !ok || user != "" {
		t.Error("nobody's")
	}
}

func TestPlacesAreSaidOnce(t *testing.T) {
	b := New(memory.New())
	at := time.Unix(1_800_000_000, 0)
	connection := func(user string) Connection {
		return Connection{ID: NewConnectionID(at, user), User: user, Application: "register", First: at, Last: at, Place: access.Place{City: "Laval", Country: "CA"}}
	}
	put := func(b *Books, user string) []store.Write {
		t.Helper()
		writes := b.Connections.Put(connection(user))
		if err := b.Store.Apply(t.Context(), store.Batch{Writes: writes}); err != nil {
			t.Fatal(err)
		}
		return writes
	}
	first := put(b, "julie")
	if again := put(b, "fatou"); len(first) != 3 || len(again) != 3 {
		t.Errorf("%d and %d writes: until it is told that they were carried out, each says its place", len(first), len(again))
	}
	b.Connections.Wrote(first)
	if again := put(b, "samuel"); len(again) != 2 {
		t.Errorf("%d writes once the place is kept", len(again))
	}
	if other := connection("chloe"); true {
		other.Application = "pay"
		if writes := b.Connections.Put(other); len(writes) != 3 {
			t.Errorf("%d writes in another application", len(writes))
		}
	}
	b.Connections.Forget()
	if again := put(b, "samuel"); len(again) != 3 {
		t.Errorf("%d writes after the store may have lost some", len(again))
	}
	// Words that are lost make a place unknown; they make no error and no other.
	if err := b.Store.Apply(t.Context(), store.Batch{Writes: []store.Write{{Key: first[0].Key}}}); err != nil {
		t.Fatal(err)
	}
	list, err := New(b.Store).Connections.Of(t.Context(), "register", "julie", 1)
	if err != nil || len(list) != 1 || list[0].Place != (access.Place{}) {
		t.Errorf("without its words: %+v, %v", list, err)
	}
}

func TestUsersAreFoundByTheBeginningOfTheirName(t *testing.T) {
	b := New(memory.New())
	at := time.Unix(1_800_000_000, 0)
	for _, user := range []string{"julie", "julien", "ju/lie", "é", "a", "z@x", "a"} {
		for range 3 {
			c := Connection{ID: NewConnectionID(at, user), User: user, Application: "register", First: at, Last: at}
			if err := b.Store.Apply(t.Context(), store.Batch{Writes: b.Connections.Put(c)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for from, want := range map[string]string{"": "é a ju/lie julie julien z@x", "ju": "ju/lie julie julien", "julie": "julie julien", "é": "é", "x": ""} {
		var got []string
		err := b.Connections.Users(t.Context(), "register", from, func(user string) bool {
			got = append(got, user)
			return true
		})
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("from %q: %q, %v", from, got, err)
		}
	}
	n := 0
	if err := b.Connections.Each(t.Context(), "register", func(Connection) bool { n++; return true }); err != nil || n != 21 {
		t.Errorf("%d in all, %v", n, err)
	}
}
