package adminui_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/bolt"
)

// What the large store of BenchmarkMillion holds: connections of people over
// forty days, a record and a rule for each of the people.
const (
	millionConnections = 1_000_000
	millionPeople      = 100_000
)

var (
	givenNames  = []string{"Julie", "Fatou", "Marc", "Samuel", "Chloé", "Isabelle", "Mohammed", "Thu", "Liat", "Wilhelmina", "Noé", "Aïcha", "Étienne", "Gabriel", "Rose"}
	familyNames = []string{"Tremblay", "Diallo", "Gagnon", "Bouchard", "Côté", "Nguyễn", "Roy", "Lefebvre", "Ouellet", "Pelletier", "Bélanger", "Lévesque", "Bergeron"}
	townNames   = []string{"Laval", "Montréal", "Saint-Jérôme", "Terrebonne", "Québec", "Gatineau", "Longueuil", "Sherbrooke", "Lévis", "Trois-Rivières"}
	ownerNames  = []string{"Bell Canada", "Vidéotron", "Rogers", "Cogeco", "Telus"}
)

func millionUser(i int) string {
	return fmt.Sprintf("%s.%s.%05d@lucioles.example", plainLetters(givenNames[i%len(givenNames)]), plainLetters(familyNames[i/7%len(familyNames)]), i)
}

// plainLetters leaves the ASCII letters of a name, in lower case.
func plainLetters(name string) string {
	var b []byte
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'A' && c <= 'Z':
			b = append(b, c+'a'-'A')
		case c >= 'a' && c <= 'z':
			b = append(b, c)
		}
	}
	return string(b)
}

// millionFile makes the large store, or takes the one of an earlier run where
// CADENAS_MILLION names its file. It returns its path.
func millionFile(b *testing.B, now time.Time) string {
	path := os.Getenv("CADENAS_MILLION")
	if path == "" {
		path = filepath.Join(b.TempDir(), "million.db")
	} else if _, err := os.Stat(path); err == nil {
		return path
	}
	st, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	bk, random := books.New(st), rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same store each time
	began := time.Now()
	var writes []store.Write
	put := func(more ...store.Write) {
		if writes = append(writes, more...); len(writes) < 4000 && len(more) > 0 {
			return
		}
		if err := st.Apply(b.Context(), store.Batch{Writes: writes}); err != nil {
			b.Fatal(err)
		}
		bk.Connections.Wrote(writes)
		writes = nil
	}
	for _, i := range random.Perm(millionPeople) {
		u := books.User{
			User: millionUser(i), Name: givenNames[i%len(givenNames)] + " " + familyNames[i/7%len(familyNames)],
			Email: millionUser(i), Created: now.AddDate(0, -2, 0), Last: now,
		}
		put(bk.Users.Put(u, books.User{})...)
	}
	put()
	order := random.Perm(millionPeople)
	for i := range millionConnections {
		var id [16]byte
		binary.BigEndian.PutUint64(id[:], uint64(i)) //nolint:gosec // not negative
		binary.BigEndian.PutUint64(id[8:], random.Uint64())
		user := millionUser(random.IntN(millionPeople))
		if i < millionPeople {
			user = millionUser(order[i])
		}
		at := now.AddDate(0, 0, -40).Add(time.Duration(i) * (40 * 24 * time.Hour / millionConnections))
		c := books.Connection{
			ID: books.NewConnectionID(at, user), User: user, Application: "register", First: at, Last: at, Count: uint64(1 + i%30), //nolint:gosec // small
			Device: access.Device{ID: base64.RawURLEncoding.EncodeToString(id[:]), Kind: access.Kinds[i%3], Label: []string{"iPhone", "Android tablet", "Windows computer"}[i%3]},
			Browser: access.Browser{
				Family: []string{"Safari", "Chrome", "Edge"}[i%3], Platform: []string{"iOS", "Android", "Windows"}[i%3], Version: fmt.Sprint(140 + i%17),
			},
			Place: access.Place{
				City: townNames[i%len(townNames)], Region: "Quebec", Country: "CA", Owner: ownerNames[i/3%len(ownerNames)],
				Address: netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}), Located: true, Latitude: 45 + float64(i%len(townNames))/10, Longitude: -73,
			},
			Answer: access.LetIn, Step: access.StepPadlock, Shadow: access.Approval,
		}
		put(bk.Connections.Put(c)...)
		if i < millionPeople {
			place, _ := access.SamePlace(nil).Key(c.Place)
			put(bk.Rules.Put(access.Rule{
				ID: "c" + c.Short(), User: user, Application: "register", Device: c.Device.ID, Place: place,
				Browser: access.SameFamily.Key(c.Browser), Effect: access.Allow, Author: "import", Created: now,
			})...)
		}
	}
	put()
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d connections, %d people, as many rules: %d MiB, written in %s", millionConnections, millionPeople, info.Size()>>20, time.Since(began).Round(time.Second))
	return path
}

// BenchmarkMillion is the rooms of the console over a file of a million
// connections of a hundred thousand people. ms/page is what somebody waits,
// cpu-ms/page what the processor works, which says more on a machine with others
// on it; retained-MiB is what the page leaves in memory.
func BenchmarkMillion(b *testing.B) {
	now := time.Now()
	path := millionFile(b, now)
	began := time.Now()
	st, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close() //nolint:errcheck // read only
	b.Logf("opened in %s", time.Since(began).Round(time.Millisecond))
	h := buildOn(&testing.T{}, st, fixture.Marie)
	who := h.signIn(fixture.Marie.Email)
	one := millionUser(42_042)
	seen, err := h.books.Connections.Of(context.Background(), "register", one, 1)
	if err != nil || len(seen) != 1 {
		b.Fatal(seen, err)
	}
	for _, room := range []struct{ name, path string }{
		{"grid", "/connections?app=register&window=all"},
		{"grid, page 50", "/connections?app=register&window=all&page=50"},
		{"filter, kind", "/connections?app=register&window=all&kind=phone"},
		{"filter, browser and town", "/connections?app=register&window=all&browser=Edge&place=Laval"},
		{"filter, nothing fits", "/connections?app=register&window=all&place=Nowhere"},
		{"filter, refused", "/connections?app=register&window=all&state=refused"},
		{"sort, most often", "/connections?app=register&window=all&sort=count"},
		{"search, family name", "/connections?app=register&window=all&q=tremblay"},
		{"search, whole name", "/connections?app=register&window=all&q=isabelle+tremblay"},
		{"search, address", "/connections?app=register&window=all&q=" + one},
		{"search, nobody", "/connections?app=register&window=all&q=xyzzy"},
		{"connections of one", "/connections?app=register&window=all&person=" + one},
		{"person", "/people/" + one},
		{"people", "/people"},
		{"people, search", "/people?q=tremblay"},
		{"people, one", "/people?q=" + one},
		{"columns", "/columns?app=register"},
		{"columns of one", "/columns?app=register&person=" + one},
		{"columns, search", "/columns?app=register&q=tremblay"},
		{"places", "/places"},
		{"devices", "/devices"},
		{"devices, all", "/devices?view=all"},
		{"rules", "/rules?app=register"},
		{"explain", "/explain/register/" + seen[0].ID},
		{"requests", "/requests"},
		{"activity", "/activity"},
		{"export, all", "/connections.csv?app=register&window=all"},
		{"export, one", "/connections.csv?app=register&window=all&person=" + one},
		{"padlock, closing", "/padlock/register/close"},
	} {
		b.Run(room.name, func(b *testing.B) {
			b.ReportAllocs()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			cpu, sent := processorTime(), int64(0)
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, host+room.path, nil)
				for name, value := range who.cookies {
					r.AddCookie(&http.Cookie{Name: name, Value: value})
				}
				w := &counting{header: http.Header{}}
				h.console.ServeHTTP(w, r)
				if w.status != http.StatusOK {
					b.Fatal(w.status)
				}
				sent = w.bytes
			}
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/page")
			b.ReportMetric(float64((processorTime()-cpu).Microseconds())/1000/float64(b.N), "cpu-ms/page")
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/(1<<20), "retained-MiB") //nolint:gosec // both small
			b.ReportMetric(float64(sent)/1024, "KiB/page")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// counting is an answer of which only the length is kept.
type counting struct {
	header http.Header
	status int
	bytes  int64
}

func (c *counting) Header() http.Header { return c.header }

func (c *counting) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
}

func (c *counting) Write(p []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	c.bytes += int64(len(p))
	return len(p), nil
}
