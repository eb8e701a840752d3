package adminui

import (
	"cmp"
	"embed"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

var _ = pages.Register(pages.Sub(assetFiles, "assets"))

// templateSet is parsed at first use: the command line imports this package
// too and shows no page.
var templateSet = sync.OnceValue(func() *pages.Set {
	return pages.Must(pages.New(pages.Sub(templateFiles, "templates"), approvals.Partials()))
})

// room is one entry of the navigation.
type room struct {
	key, icon, href string
	// phone keeps it on the phone's bar, which has place for three and More.
	phone bool
	// whole keeps it for admins of all applications: what it shows or changes
	// is not one application's.
	whole bool
}

// rooms are those that exist, in the order of the navigation.
var rooms = []room{
	{key: "requests", icon: "lock-wait", href: "/requests", phone: true},
	{key: "connections", icon: "lock", href: "/connections", phone: true},
	{key: "people", icon: "person", href: "/people", phone: true},
	{key: "devices", icon: "devices", href: "/devices"},
	{key: "places", icon: "map", href: "/places"},
	{key: "rules", icon: "rules", href: "/columns"},
	{key: "activity", icon: "activity", href: "/activity"},
	{key: "messages", icon: "mail", href: "/messages"},
	{key: "admins", icon: "admins", href: "/admins", whole: true},
	{key: "settings", icon: "settings", href: "/settings", whole: true},
}

// frame is what every page of a room reads: the layout's part and what all
// rooms share.
type frame struct {
	pages.Console
	// Token goes into every form (threat L11).
	Token string
	Now   time.Time
	// Said is one sentence about what was just done.
	Said string
	// Back is this page's own address, for forms to return to.
	Back string
	// Topics are the events on which the page fetches itself anew.
	Topics string
}

// frame makes the frame of a room. Count is how many wait; scripts and styles
// are the room's own.
func (v *visit) frame(key string, styles, scripts []string, topics ...string) (frame, error) {
	waiting, err := v.waitingCount()
	if err != nil {
		return frame{}, err
	}
	here := v.here()
	f := frame{
		Console: pages.Console{
			Admin: v.admin.Name, Account: "/account", Role: v.role(), SignOut: "/sign-out?token=" + v.session.Form,
			Here: here, Languages: v.Languages, Manifest: "/manifest.webmanifest",
			Styles:  append([]string{"rooms.css"}, styles...),
			Scripts: append([]string{"live.js"}, scripts...),
		},
		Token: v.session.Form, Now: v.now, Back: here, Topics: strings.Join(topics, " "),
	}
	f.Alarm, _ = v.alarm()
	zone, offset := v.say.Zone(v.now)
	f.Zone, f.Offset = v.say.Text("console.zone", "zone", zone), offset
	if f.Admin == "" {
		f.Admin = v.admin.Email
	}
	for _, r := range rooms {
		if r.whole && !v.all() {
			continue
		}
		entry := pages.Room{Key: "room." + r.key, Icon: r.icon, Href: r.href, Current: r.key == key, Phone: r.phone}
		if r.key == "requests" {
			entry.Count = waiting
		}
		f.Rooms = append(f.Rooms, entry)
	}
	f.Rooms = append(f.Rooms, pages.Room{
		Key: "room.more", Icon: "more", Href: "/more", Phone: true, OnlyPhone: true, Current: !onPhone(key),
	})
	if done := "done." + v.r.URL.Query().Get("done"); done != "done." && v.say.Has(done) {
		f.Said = v.say.Text(done)
	}
	return f, nil
}

// here is the address of the page, without what was just done.
func (v *visit) here() string {
	query := v.r.URL.Query()
	for _, name := range []string{"done", "moved", pages.LangQuery} {
		query.Del(name)
	}
	if encoded := query.Encode(); encoded != "" {
		return v.r.URL.EscapedPath() + "?" + encoded
	}
	return v.r.URL.EscapedPath()
}

// onPhone reports whether a room has a place of its own on the phone's bar.
func onPhone(key string) bool {
	for _, r := range rooms {
		if r.key == key {
			return r.phone
		}
	}
	return false
}

// role says what the admin looks after.
func (v *visit) role() string {
	if v.all() {
		return v.say.Text("console.role.all")
	}
	var names []string
	for _, id := range v.applications() {
		names = append(names, v.name(id))
	}
	return v.say.List(names)
}

// waitingCount is how many requests wait that the admin may decide.
func (v *visit) waitingCount() (int, error) {
	n := 0
	for _, id := range v.applications() {
		list, err := v.Approvals.Waiting(v.ctx(), id)
		if err != nil {
			return 0, err
		}
		n += len(list)
	}
	return n, nil
}

// sortBy sorts a list by a key, keeping the order of equals.
func sortBy[T any, K cmp.Ordered](list []T, key func(T) K) {
	slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
}

// namesKept is how many names a page remembers at once.
const namesKept = 5000

// people looks names up, each once for a page.
type people struct {
	v     *visit
	known map[string]books.User
}

func (v *visit) people() *people { return &people{v: v, known: map[string]books.User{}} }

// user is what is kept of a user, and no more than their identifier where the
// admin may not know them: an address or a form can name anybody (threat L23).
func (p *people) user(name string) (books.User, error) {
	if u, ok := p.known[name]; ok {
		return u, nil
	}
	u := books.User{User: name}
	ok, err := p.v.mayKnow(name)
	if err == nil && ok {
		u, err = p.v.Books.Users.Get(p.v.ctx(), name)
	}
	if err != nil {
		return u, err
	}
	if len(p.known) >= namesKept {
		clear(p.known) // an export goes through everybody
	}
	p.known[name] = u
	return u, nil
}

// called is what to call a user, in the reader's language.
func (v *visit) called(u books.User) string { return v.say.Who(u.Name, u.User) }

// author says who made a rule or did something, for people: an admin by name,
// else as it is written.
func (v *visit) author(by string) string {
	if admin, ok := v.Console.admin(by); ok && admin.Name != "" {
		return admin.Name
	}
	return v.say.By(by)
}

// when says a moment in one form per page: minutes ago within the hour, else
// day and time.
func (v *visit) when(t time.Time) string {
	if age := v.now.Sub(t); age >= 0 && age < time.Hour {
		return v.say.Ago(age)
	}
	return capital(v.say.When(t, v.now))
}

// moment is when inside a sentence.
func (v *visit) moment(t time.Time) string {
	if age := v.now.Sub(t); age >= 0 && age < time.Hour {
		return v.say.Ago(age)
	}
	return v.say.When(t, v.now)
}

// capital makes the first letter of what stands alone a capital, where it is a
// plain letter.
func capital(s string) string {
	if s == "" {
		return s
	}
	r := []rune(s)
	return strings.ToUpper(string(r[0])) + string(r[1:])
}

// application pairs an identifier with its name, for a selector.
type choice struct {
	Value, Name string
	Chosen      bool
}

// applicationChoices is the selector of applications.
func (v *visit) applicationChoices(chosen string) []choice {
	var list []choice
	for _, id := range v.applications() {
		list = append(list, choice{Value: id, Name: lang.Inert(v.name(id), 120), Chosen: id == chosen})
	}
	return list
}
