package places_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/places"
)

type (
	fields = mmdbtype.Map
	str    = mmdbtype.String
	num    = mmdbtype.Float64
)

// entries are what a file is made of: network to record.
type entries map[string]mmdbtype.DataType

var (
	// nested is MaxMind's layout.
	nested = entries{
		"203.0.113.0/24": fields{
			"city":         fields{"names": fields{"en": str("Laval"), "fr": str("Laval (Québec)")}},
			"subdivisions": mmdbtype.Slice{fields{"iso_code": str("QC"), "names": fields{"en": str("Quebec"), "fr": str("Québec")}}},
			"country":      fields{"iso_code": str("CA"), "names": fields{"en": str("Canada")}},
			"location":     fields{"latitude": num(45.57), "longitude": num(-73.69), "time_zone": str("America/Toronto")},
		},
		"198.51.100.0/24": fields{"country": fields{"iso_code": str("FR")}, "location": fields{"latitude": num(48.85), "longitude": num(2.35)}},
		"192.0.2.0/24":    fields{"registered_country": fields{"iso_code": str("US")}},
		"2001:db8:7::/48": fields{"city": fields{"names": fields{"en": str("Lyon")}}, "country": fields{"iso_code": str("FR")}},
	}
	// flat is the layout of the free collections.
	flat = entries{
		"203.0.113.0/24":  fields{"city": str("Laval"), "state1": str("Quebec"), "country_code": str("CA"), "latitude": num(45.57), "longitude": num(-73.69)},
		"198.51.100.0/24": fields{"country_code": str("fr")},
		"192.0.2.0/24":    fields{"country_code": str("US"), "city": str("")},
		"2001:db8:7::/48": fields{"country_code": str("FR"), "city": str("Lyon"), "latitude": mmdbtype.Float32(45.75), "longitude": mmdbtype.Float32(4.85)},
	}
	owners = entries{
		"203.0.113.0/25":  fields{"autonomous_system_number": mmdbtype.Uint32(5769), "autonomous_system_organization": str("Videotron")},
		"198.51.100.0/24": fields{"autonomous_system_organization": str("Orange S.A.")},
		"2001:db8::/32":   fields{"as_name": str("Bell Canada")},
	}
)

func write(t testing.TB, path, kind string, list entries) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: kind, IncludeReservedNetworks: true, RecordSize: 24,
		BuildEpoch: time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for prefix, data := range list {
		_, network, err := net.ParseCIDR(prefix)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(network, data); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func temp(t testing.TB, kind string, list entries) string {
	return write(t, filepath.Join(t.TempDir(), kind+".mmdb"), kind, list)
}

func open(t testing.TB, c places.Config) *places.Book {
	t.Helper()
	b, err := places.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// words is a place in one line.
func words(p access.Place) string {
	var w []string
	for _, s := range []string{p.Name, p.City, p.Region, p.Country, p.Owner} {
		if s != "" {
			w = append(w, s)
		}
	}
	if p.Located {
		w = append(w, fmt.Sprintf("%.2f %.2f", p.Latitude, p.Longitude))
	}
	if p.Private {
		w = append(w, "private")
	}
	return strings.Join(w, ", ")
}

func TestPlacesFromFiles(t *testing.T) {
	city, flatCity, asn := temp(t, "City", nested), temp(t, "flat-city", flat), temp(t, "ASN", owners)
	countries := temp(t, "country", entries{
		"203.0.113.0/24": fields{"country_code": str("CA")}, "198.51.100.0/24": fields{"country_code": str("FR")},
		"192.0.2.0/24": fields{"country_code": str("DE")}, "100.128.0.0/16": fields{"country_code": str("ZZ")},
	})
	wrong := temp(t, "wrong", entries{"203.0.113.0/24": fields{"country_code": str("FR"), "city": str("Lyon")}})
	for _, c := range []struct {
		name    string
		files   []string
		address string
		want    string
	}{
		{"MaxMind's layout", []string{city}, "203.0.113.7", "Laval, Quebec, CA, 45.57 -73.69"},
		{"the flat layout", []string{flatCity}, "203.0.113.7", "Laval, Quebec, CA, 45.57 -73.69"},
		{"a country only", []string{city}, "198.51.100.9", "FR, 48.85 2.35"},
		{"a country in small letters", []string{flatCity}, "198.51.100.9", "FR"},
		{"the registered country where there is no other", []string{city}, "192.0.2.1", "US"},
		{"IPv6, MaxMind's layout", []string{city}, "2001:db8:7:1::5", "Lyon, FR"},
		{"IPv6, flat", []string{flatCity}, "2001:db8:7:1::5", "Lyon, FR, 45.75 4.85"},
		{"IPv4 mapped into IPv6", []string{city}, "::ffff:203.0.113.7", "Laval, Quebec, CA, 45.57 -73.69"},
		{"not in the file", []string{city}, "8.8.8.8", ""},
		{"city and owner from two files", []string{city, asn}, "203.0.113.7", "Laval, Quebec, CA, Videotron, 45.57 -73.69"},
		{"in the other order", []string{asn, city}, "203.0.113.7", "Laval, Quebec, CA, Videotron, 45.57 -73.69"},
		{"an owner the one file does not know", []string{city, asn}, "203.0.113.200", "Laval, Quebec, CA, 45.57 -73.69"},
		{"a city where the first file has the country only", []string{countries, city}, "203.0.113.7", "Laval, Quebec, CA, 45.57 -73.69"},
		{"a point where the first file has none", []string{countries, city}, "198.51.100.9", "FR, 48.85 2.35"},
		{"files that contradict each other: the first", []string{countries, city}, "192.0.2.1", "DE"},
		{"no city of one country in another", []string{city, wrong}, "203.0.113.7", "Laval, Quebec, CA, 45.57 -73.69"},
		{"no city of another country added to a country", []string{countries, wrong}, "203.0.113.7", "CA"},
		{"a country code that is none", []string{countries}, "100.128.0.1", ""},
		{"an owner in IPv6", []string{asn}, "2001:db8:7::1", "Bell Canada"},
		{"without any file", nil, "203.0.113.7", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, places.Config{Files: c.files})
			for range 2 { // decoded, then from memory
				p := b.Lookup(addr(c.address), "anne")
				if got := words(p); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
				if p.Address != addr(c.address).Unmap() {
					t.Errorf("address %s", p.Address)
				}
			}
		})
	}
}

func TestAnAddressThatIsNoneIsTheUnknownPlace(t *testing.T) {
	b := open(t, places.Config{Files: []string{temp(t, "City", nested)}, Networks: []places.Network{network("all", "", "0.0.0.0/0", "::/0")}})
	if p := b.Lookup(netip.Addr{}, "anne"); p != (access.Place{}) {
		t.Errorf("got %+v", p)
	}
}

func network(name, user string, prefixes ...string) places.Network {
	n := places.Network{Name: name, User: user}
	for _, p := range prefixes {
		n.Prefixes = append(n.Prefixes, netip.MustParsePrefix(p))
	}
	return n
}

func TestNamedNetworks(t *testing.T) {
	b := open(t, places.Config{Networks: []places.Network{
		network("Laval centre", "", "203.0.113.0/24", "2001:db8:7::/48"),
		network("Reception", "", "203.0.113.16/28"),
		network("home", "anne", "198.51.100.7/32", "203.0.113.99/32", "2001:db8:9:100::/56"),
		network("home", "bob", "198.51.100.8/32"),
		network("Office", "", "10.0.0.0/8", "192.0.2.0/24"),
		network("lab", "anne", "192.0.2.0/24"),
		network("mapped", "", "::ffff:100.100.0.0/112"),
	}})
	for _, c := range []struct{ name, address, user, want, nameFor string }{
		{"a named network", "203.0.113.7", "anne", "Laval centre", ""},
		{"the smallest one around the address", "203.0.113.17", "anne", "Reception", ""},
		{"in IPv6", "2001:db8:7:42::1", "anne", "Laval centre", ""},
		{"just outside", "203.0.114.1", "anne", "", ""},
		{"one's own home", "198.51.100.7", "anne", "home", "anne"},
		{"another's home is only an address", "198.51.100.7", "bob", "", ""},
		{"and for nobody too", "198.51.100.7", "", "", ""},
		{"a home inside a network", "203.0.113.99", "anne", "home", "anne"},
		{"for others it is the network", "203.0.113.99", "bob", "Laval centre", ""},
		{"homes of two may have one name", "198.51.100.8", "bob", "home", "bob"},
		{"one's own name before everybody's", "192.0.2.1", "anne", "lab", "anne"},
		{"and everybody's for the others", "192.0.2.1", "bob", "Office", ""},
		{"a private address", "10.1.2.3", "anne", "Office", ""},
		{"an IPv6 home whose address rotates", "2001:db8:9:1ab:1:2:3:4", "anne", "home", "anne"},
		{"a network written as mapped", "100.100.3.4", "anne", "mapped", ""},
		{"an address that comes mapped", "::ffff:203.0.113.7", "anne", "Laval centre", ""},
		{"an address with a zone", "2001:db8:7::1%eth0", "anne", "Laval centre", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := b.Lookup(addr(c.address), c.user)
			if p.Name != c.want || p.NameFor != c.nameFor {
				t.Errorf("got %q for %q, want %q for %q", p.Name, p.NameFor, c.want, c.nameFor)
			}
		})
	}
}

func TestPrivateAddressesAreSaidToBePrivate(t *testing.T) {
	// Some files hold private networks; what they say of them is nothing.
	b := open(t, places.Config{Files: []string{temp(t, "City", entries{
		"10.0.0.0/8": fields{"city": str("Nowhere"), "country_code": str("US")}, "203.0.113.0/24": fields{"city": str("Laval")},
	})}})
	for address, kind := range map[string]string{
		"127.0.0.1": "loopback", "::1": "loopback", "10.1.2.3": "private", "192.168.1.1": "private", "172.31.0.1": "private",
		"fd00::1": "private", "169.254.1.1": "link-local", "fe80::1": "link-local", "100.64.0.1": "carrier", "::ffff:10.0.0.1": "private",
		"224.0.0.1": "multicast", "0.0.0.0": "unspecified", "203.0.113.7": "", "100.128.0.1": "", "2001:db8::1": "",
	} {
		p := b.Lookup(addr(address), "anne")
		if got := places.PrivateKind(addr(address)); got != kind || p.Private != (kind != "") {
			t.Errorf("%s is %q, private %v", address, got, p.Private)
		}
		if p.Private && (p.City != "" || p.Country != "") {
			t.Errorf("%s is in %s", address, p.City)
		}
	}
	if places.PrivateKind(netip.Addr{}) != "" {
		t.Error("no address is private")
	}
}

func TestNetworksThatCannotBeNamed(t *testing.T) {
	for _, c := range []struct {
		name string
		list []places.Network
		want string
	}{
		{"no name", []places.Network{network(" ", "", "203.0.113.0/24")}, "a network has no name"},
		{"no address", []places.Network{network("Office", "")}, `network "Office" has no address`},
		{"two names", []places.Network{network("Office", "", "203.0.113.0/24"), network("Centre", "", "203.0.113.0/24")}, `203.0.113.0/24 is named both "Office" and "Centre"`},
		{"a person's and everybody's", []places.Network{network("home", "anne", "203.0.113.0/24"), network("home", "", "198.51.100.0/24")}, `network "home" is named for everybody and for anne`},
		{"an address that is none", []places.Network{{Name: "x", Prefixes: []netip.Prefix{{}}}}, "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := places.Open(places.Config{Networks: c.list}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestParsePrefix(t *testing.T) {
	for _, c := range []struct{ in, want, err string }{
		{"203.0.113.0/24", "203.0.113.0/24", ""},
		{"203.0.113.7", "203.0.113.7/32", ""},
		{"2001:db8:7::/48", "2001:db8:7::/48", ""},
		{"::ffff:203.0.113.0/120", "203.0.113.0/24", ""},
		{"203.0.113.7/24", "", "write 203.0.113.0/24 for the network, or 203.0.113.7 for the address"},
		{"203.0.113", "", "neither an address nor a network"},
		{"fe80::1%eth0", "", "has a zone"},
		{"office", "", "neither an address nor a network"},
		{"", "", "neither an address nor a network"},
	} {
		got, err := places.ParsePrefix(c.in)
		if c.err == "" && (err != nil || got.String() != c.want) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q: %s, %v", c.in, got, err)
		}
	}
}

func TestNamesFromTheConsole(t *testing.T) {
	b := open(t, places.Config{Networks: []places.Network{network("Office", "", "203.0.113.0/24")}})
	if err := b.SetNetworks([]places.Network{network("home", "anne", "198.51.100.7/32")}); err != nil {
		t.Fatal(err)
	}
	if p := b.Lookup(addr("198.51.100.7"), "anne"); p.Name != "home" {
		t.Errorf("the console's name: %q", p.Name)
	}
	if err := b.SetNetworks([]places.Network{network("Centre", "", "203.0.113.0/24")}); err == nil {
		t.Error("the console renamed a network of the Caddyfile")
	}
	if p := b.Lookup(addr("198.51.100.7"), "anne"); p.Name != "home" {
		t.Error("a refused change changed something")
	}
	if err := b.SetNetworks(nil); err != nil {
		t.Fatal(err)
	}
	if p := b.Lookup(addr("198.51.100.7"), "anne"); p.Name != "" {
		t.Error("a name that was taken away is still there")
	}
	if p := b.Lookup(addr("203.0.113.7"), "anne"); p.Name != "Office" {
		t.Error("the Caddyfile's name is gone")
	}
	fixed, added := b.Networks()
	if len(fixed) != 1 || len(added) != 0 {
		t.Errorf("listed %v, %v", fixed, added)
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	good, err := os.ReadFile(temp(t, "City", nested))
	if err != nil {
		t.Fatal(err)
	}
	save := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ name, path, why, remedy string }{
		{"missing", filepath.Join(dir, "none.mmdb"), "is missing", "put it there"},
		{"a folder", dir, "is a folder", "name the .mmdb file"},
		{"empty", save("empty.mmdb", nil), "is empty", "download it again"},
		{"packed", save("city.tar.gz", []byte("\x1f\x8b\x08 packed")), "is broken or no MaxMind-format file", "unpack it"},
		{"a web page", save("page.mmdb", []byte("<!doctype html><title>404")), "is broken or no MaxMind-format file", "download it again"},
		{"cut off", save("cut.mmdb", good[:len(good)/2]), "is broken", "download it again"},
		{"of another kind", temp(t, "Anonymous-IP", entries{"203.0.113.0/24": fields{"is_anonymous": mmdbtype.Bool(true)}}), "(Anonymous-IP) tells neither city, country nor network owner", "name a city, country or ASN file"},
		{"with records of another shape", temp(t, "strings", entries{"203.0.113.0/24": str("Laval")}), "tells neither", "name a city"},
		{"without any network", temp(t, "nothing", nil), "tells neither", "name a city"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := places.Open(places.Config{Files: []string{c.path}})
			if err == nil {
				t.Fatal("it opened")
			}
			for _, part := range []string{"geo file " + c.path, c.why, c.remedy} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v\nlacks %q", err, part)
				}
			}
		})
	}
}

// lines is a log that tests read.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), s)
}

func TestAChangedFileIsReadAnew(t *testing.T) {
	var log lines
	path := temp(t, "City", nested)
	b := open(t, places.Config{Files: []string{path}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	start := time.Now()
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	city := func() string { return b.Lookup(addr("203.0.113.7"), "").City }
	touch := func(minutes int) {
		t.Helper()
		if err := os.Chtimes(path, at(minutes), at(minutes)); err != nil {
			t.Fatal(err)
		}
	}
	moved := entries{"203.0.113.0/24": fields{"city": str("Montreal"), "country_code": str("CA")}}

	b.Refresh(at(1))
	if city() != "Laval" || log.count("reloaded") != 0 {
		t.Fatalf("nothing changed: %s, %d reloads", city(), log.count("reloaded"))
	}
	write(t, path, "City", moved)
	touch(10)
	b.Refresh(at(10).Add(time.Second))
	if city() != "Laval" {
		t.Error("a file that is a second old was read: it may still be written")
	}
	b.Refresh(at(11))
	if city() != "Montreal" || log.count("geo file reloaded") != 1 {
		t.Errorf("changed: %s, %d reloads", city(), log.count("reloaded"))
	}

	if err := os.WriteFile(path, []byte("half a downl"), 0o600); err != nil {
		t.Fatal(err)
	}
	touch(20)
	for i := range 5 {
		b.Refresh(at(21 + i))
	}
	if city() != "Montreal" || log.count("the last good one stays in use") != 1 {
		t.Errorf("broken: %s, said %d times", city(), log.count("last good"))
	}
	if s := b.Sources()[0]; !strings.Contains(s.Problem, "is broken") || !strings.Contains(s.String(), s.Problem) {
		t.Errorf("the console is told %+v", s)
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		b.Refresh(at(31 + i))
	}
	if city() != "Montreal" || log.count("is missing") != 1 {
		t.Errorf("gone: %s, said %d times", city(), log.count("is missing"))
	}

	write(t, path, "City", nested)
	touch(40)
	b.Refresh(at(41))
	if city() != "Laval" || b.Sources()[0].Problem != "" {
		t.Errorf("good again: %s, %q", city(), b.Sources()[0].Problem)
	}
}

func TestAFileThatIsReplacedWhileItIsRead(t *testing.T) {
	path := temp(t, "City", nested)
	b := open(t, places.Config{Files: []string{path}})
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if c := b.Lookup(addr("203.0.113.7"), "").City; c != "Laval" && c != "Montreal" {
					t.Errorf("got %q", c)
					return
				}
			}
		})
	}
	for i := range 20 {
		list := nested
		if i%2 == 0 {
			list = entries{"203.0.113.0/24": fields{"city": str("Montreal")}}
		}
		write(t, path, "City", list)
		b.Refresh(time.Now().Add(time.Hour))
	}
	close(stop)
	all.Wait()
}

func TestRunEndsWithItsContext(t *testing.T) {
	path := temp(t, "City", nested)
	for _, files := range [][]string{nil, {path}} {
		synctest.Test(t, func(t *testing.T) {
			b := open(t, places.Config{Files: files})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() { b.Run(ctx); close(done) }()
			time.Sleep(10 * places.Every) // of the test's own clock
			cancel()
			<-done
		})
	}
}

func TestRunReadsAChangedFile(t *testing.T) {
	path := temp(t, "City", nested)
	var log lines
	synctest.Test(t, func(t *testing.T) {
		b := open(t, places.Config{Files: []string{path}, Log: slog.New(slog.NewTextHandler(&log, nil))})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go b.Run(ctx)
		write(t, path, "City", entries{"203.0.113.0/24": fields{"city": str("Montreal")}})
		if err := os.Chtimes(path, time.Now().Add(-time.Hour), time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(places.Every + time.Second) // of the test's own clock
		synctest.Wait()
		if got := b.Lookup(addr("203.0.113.7"), "").City; got != "Montreal" {
			t.Errorf("got %s", got)
		}
	})
}

func TestSources(t *testing.T) {
	path := temp(t, "My-City", nested)
	b := open(t, places.Config{Files: []string{path, temp(t, "My-ASN", owners)}})
	list := b.Sources()
	built := time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC)
	if s := list[0]; s.Path != path || s.Type != "My-City" || s.Tells != "city" || !s.Built.Equal(built) || s.Size == 0 || s.Problem != "" {
		t.Errorf("got %+v", s)
	}
	if list[1].Tells != "network owner" {
		t.Errorf("got %+v", list[1])
	}
	if age := list[0].Age(built.AddDate(0, 0, 40)); age != 40*24*time.Hour {
		t.Errorf("age %s", age)
	}
	if age := list[0].Age(built.Add(-time.Hour)); age != 0 {
		t.Errorf("age before it was made %s", age)
	}
	if want := path + ": My-City, tells city, built 2026-02-03"; list[0].String() != want {
		t.Errorf("got %s", list[0])
	}
}

func TestWithoutAFileTheLogSaysWhatOneWouldAdd(t *testing.T) {
	var log lines
	open(t, places.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if log.count("adds city, country and network owner") != 1 {
		t.Error(log.b.String())
	}
}

// TestThreat_L14_WhatAFileSaysIsInert: a file comes from somewhere; its words
// end up on pages and in mails.
func TestThreat_L14_WhatAFileSaysIsInert(t *testing.T) {
	b := open(t, places.Config{Files: []string{temp(t, "City", entries{"203.0.113.0/24": fields{
		"city": str("La\u202eval\r\nBcc: x"), "region": str(strings.Repeat("é", 200)), "country_code": str("C\x00A"),
		"latitude": num(1e9), "longitude": num(2), "organization": str("a\xffb\u200b"),
	}})}})
	p := b.Lookup(addr("203.0.113.7"), "")
	if p.City != "LavalBcc: x" || p.Country != "CA" || p.Located || p.Owner != "ab" {
		t.Errorf("got %+v", p)
	}
	if len(p.Region) > 120 || strings.Trim(p.Region, "é") != "" {
		t.Errorf("region of %d bytes: %q", len(p.Region), p.Region)
	}
}

// TestThreat_L4_CorruptGeoData: bytes are turned all over the tree and the
// records of a file, where opening it does not look; lookups answer something
// or nothing, and never stop the gate.
func TestThreat_L4_CorruptGeoData(t *testing.T) {
	list := entries{}
	for i := range 500 {
		list[fmt.Sprintf("20.%d.%d.0/24", i/250, i%250)] = fields{
			"city":         fields{"names": fields{"en": str(fmt.Sprint("City ", i))}},
			"country":      fields{"iso_code": str("CA")},
			"subdivisions": mmdbtype.Slice{fields{"names": fields{"en": str("Quebec")}}},
			"location":     fields{"latitude": num(i), "longitude": num(-i)},
			"traits":       fields{"isp": str("Bell")},
		}
	}
	good, err := os.ReadFile(temp(t, "City", list))
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.LastIndex(good, []byte("\xab\xcd\xefMaxMind.com"))
	path := filepath.Join(t.TempDir(), "City.mmdb")
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same bytes each time
	opened := 0
	for range 150 {
		bad := bytes.Clone(good)
		for range 1 + random.IntN(60) {
			bad[random.IntN(body)] = byte(random.UintN(256))
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := places.Open(places.Config{Files: []string{path}})
		if err != nil {
			continue
		}
		opened++
		for i := range 500 {
			b.Lookup(netip.AddrFrom4([4]byte{20, byte(i / 250), byte(i % 250), 1}), "anne")
		}
		b.Lookup(addr("2001:db8::1"), "anne")
	}
	if opened < 50 {
		t.Errorf("only %d of 150 opened: little was tried", opened)
	}
}

func FuzzCorruptGeoData(f *testing.F) {
	good, err := os.ReadFile(temp(f, "City", nested))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[len(good)-200:])
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := places.Open(places.Config{Files: []string{path}})
		if err != nil {
			return
		}
		for _, a := range []string{"203.0.113.7", "198.51.100.1", "2001:db8:7::1"} {
			b.Lookup(addr(a), "anne")
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	book := open(b, places.Config{
		Files: []string{temp(b, "City", nested), temp(b, "ASN", owners)},
		Networks: []places.Network{
			network("Laval centre", "", "198.18.0.0/24", "2001:db8:1::/48"), network("Office", "", "10.0.0.0/8"), network("home", "anne", "198.18.5.5/32"),
		},
	})
	a := addr("203.0.113.7")
	b.ReportAllocs()
	for b.Loop() {
		book.Lookup(a, "anne")
	}
}
