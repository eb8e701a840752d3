package adminui

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/places"
	"github.com/cadenas-gateway/cadenas/store"
)

// Desk does what the forms of the console do, without a page: for the command
// line and the admin API. It runs the forms' own handlers, so that checks,
// words and what the activity keeps are the same.
type Desk struct {
	c  *Console
	by gate.By
}

// Desk is for somebody who looks after every application, as whoever has the
// command line's secret does.
func (c *Console) Desk(by gate.By) Desk { return Desk{c, by} }

// Said is an error in a person's words: what was typed cannot be.
type Said string

func (s Said) Error() string { return string(s) }

// ErrNobody says that there is nobody, or nothing, of the name that was given.
var ErrNobody = errors.New("there is none of that name")

// nowhere takes what a handler writes, of which only the address counts.
type nowhere struct{ header http.Header }

func (w nowhere) Header() http.Header         { return w.header }
func (w nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (w nowhere) WriteHeader(int)             {}

// visit is one use of a desk, with what a form would bring.
func (d Desk) visit(ctx context.Context, path, form url.Values) *visit {
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/"}, Header: http.Header{}, Form: form, PostForm: form}
	r = r.WithContext(ctx)
	for name, values := range path {
		r.SetPathValue(name, values[0])
	}
	return &visit{
		Console: d.c, w: nowhere{http.Header{}}, r: r, now: d.c.Clock(), say: lang.For("en"), desk: &d.by,
		// No session and no admin is of this name.
		admin: books.Admin{Email: "\x00"}, session: session{Email: "\x00"},
	}
}

// post runs a form's handler and returns what the console would say was done.
func (d Desk) post(ctx context.Context, h handler, path, form url.Values) (string, error) {
	v := d.visit(ctx, path, form)
	err := h(v)
	var s *said
	switch {
	case errors.As(err, &s):
		return "", Said(v.say.Text(s.key, s.pairs...))
	case errors.Is(err, errNotHere), errors.Is(err, store.ErrNotFound):
		return "", ErrNobody
	case err != nil:
		return "", err
	}
	to, err := url.Parse(v.w.Header().Get("Location"))
	if err != nil {
		return "", err
	}
	done := to.Query().Get("done")
	if done == "admin.last" {
		return "", Said(v.say.Text("done.admin.last"))
	}
	if key := "done." + done; v.say.Has(key) {
		return v.say.Text(key), nil
	}
	return "Done.", nil
}

// refused is how a form is shown again with what is wrong: as a page, or as
// words at a desk.
func (v *visit) refused(problem string, page func() error) error {
	if v.desk != nil {
		return Said(problem)
	}
	return page()
}

// SavePerson writes down a person who has not come yet, or changes what is
// written of one.
func (d Desk) SavePerson(ctx context.Context, u books.User, add bool) (string, error) {
	form := url.Values{"user": {u.User}, "name": {u.Name}, "email": {u.Email}, "mobile": {u.Mobile}, "language": {u.Language}}
	if add {
		return d.post(ctx, addPerson, nil, form)
	}
	return d.post(ctx, editPerson, url.Values{"user": {u.User}}, form)
}

// SaveAdmin adds an admin, or changes the one whose e-mail was before.
func (d Desk) SaveAdmin(ctx context.Context, a books.Admin, before string) (string, error) {
	form := url.Values{
		"name": {a.Name}, "email": {a.Email}, "mobile": {a.Mobile}, "language": {a.Language}, "applications": a.Applications,
		"quiet-from": {a.QuietFrom}, "quiet-to": {a.QuietTo}, "channel": {""},
	}
	for _, app := range a.Applications {
		if !slices.Contains(d.c.Gate.Applications(), app) {
			return "", Said("there is no application " + app)
		}
	}
	reach := d.c.Approvals.Channels(a)
	for _, c := range a.Notify {
		if !slices.Contains(reach, c.Name) {
			return "", Said(c.Name + " does not reach " + a.Email + ": " + strings.Join(reach, ", ") + " would")
		}
		form["channel"] = append(form["channel"], c.Name)
		form["wait"] = append(form["wait"], itoa(int(c.Wait/time.Minute)))
	}
	if len(a.Notify) > 0 {
		form["channel"] = form["channel"][1:]
	}
	return d.post(ctx, saveAdmin, url.Values{"email": {before}}, form)
}

// RemoveAdmin removes an admin and signs them out; the last one stays.
func (d Desk) RemoveAdmin(ctx context.Context, email string) (string, error) {
	return d.post(ctx, removeAdmin, url.Values{"email": {email}}, nil)
}

// ConsoleSession is one browser in which an admin is signed in.
type ConsoleSession struct {
	Admin   string    `json:"admin"`
	Created time.Time `json:"created"`
	Last    time.Time `json:"last"`
	// From and Agent are where it was signed in.
	From  string `json:"from"`
	Agent string `json:"agent"`
}

// Sessions are the browsers in which an admin is signed in.
func (d Desk) Sessions(ctx context.Context, email string) ([]ConsoleSession, error) {
	list, err := d.c.sessions.of(ctx, canonical(email))
	if err != nil {
		return nil, err
	}
	all := []ConsoleSession{}
	for _, h := range list {
		if h.Ends.IsZero() { // a former secret is no session of its own
			all = append(all, ConsoleSession{canonical(email), h.Created, h.Last, h.From, h.Agent})
		}
	}
	return all, nil
}

// SignOut ends an admin's sessions in the console and returns how many.
func (d Desk) SignOut(ctx context.Context, email string) (int, error) {
	n, err := d.c.sessions.end(ctx, canonical(email), func(session) bool { return true })
	if err != nil {
		return n, err
	}
	return n, d.c.Books.Audit.Append(ctx, books.Entry{
		At: d.c.Clock(), Who: d.by.Who, From: d.by.From, Via: d.by.Via, What: "console.sign_out", Subject: canonical(email),
	})
}

// UsedDevice is a device as the room of devices tells of it.
type UsedDevice struct {
	ID           string    `json:"id"`
	Name         string    `json:"name,omitempty"`
	Label        string    `json:"label"`
	Kind         string    `json:"kind"`
	Users        []string  `json:"users"`
	Applications []string  `json:"applications"`
	Last         time.Time `json:"last"`
}

// Devices are those that connections were made on, the last seen first.
func (d Desk) Devices(ctx context.Context) ([]UsedDevice, error) {
	v := d.visit(ctx, nil, nil)
	used, err := v.usedDevices()
	if err != nil {
		return nil, err
	}
	names, list := v.deviceNames(), []UsedDevice{}
	for _, u := range used {
		kept, err := names.get(u.ID)
		if err != nil {
			return nil, err
		}
		list = append(list, UsedDevice{u.ID, kept.Name, u.Label, string(u.Kind), u.users, u.apps, u.last})
	}
	slices.SortFunc(list, func(a, b UsedDevice) int {
		if c := b.Last.Compare(a.Last); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list, nil
}

// NameDevice gives a device a name.
func (d Desk) NameDevice(ctx context.Context, id, name string) (string, error) {
	return d.post(ctx, nameDevice, url.Values{"device": {id}}, url.Values{"name": {name}})
}

// AllowDevice lets everybody in on a device, in one application.
func (d Desk) AllowDevice(ctx context.Context, id, application string) (string, error) {
	return d.post(ctx, allowDevice, url.Values{"device": {id}}, url.Values{"application": {application}})
}

// ForgetDevice makes a device unknown, for one user or, with "", for all.
func (d Desk) ForgetDevice(ctx context.Context, id, user string) (string, error) {
	if user == "" {
		return d.post(ctx, forgetForAll, url.Values{"device": {id}}, nil)
	}
	return d.post(ctx, forgetDevice, url.Values{"device": {id}, "user": {user}}, nil)
}

// NamedPlace is a network that has a name.
type NamedPlace struct {
	// ID is empty where the configuration names it.
	ID       string   `json:"id,omitempty"`
	Name     string   `json:"name"`
	User     string   `json:"user,omitempty"`
	Prefixes []string `json:"prefixes"`
}

// Places are the networks that have a name.
func (d Desk) Places(ctx context.Context) ([]NamedPlace, error) {
	list := []NamedPlace{}
	fixed := func() []places.Network {
		if d.c.Networks == nil {
			return nil
		}
		return d.c.Networks()
	}
	for _, n := range fixed() {
		p := NamedPlace{Name: n.Name, User: n.User}
		for _, prefix := range n.Prefixes {
			p.Prefixes = append(p.Prefixes, prefix.String())
		}
		list = append(list, p)
	}
	kept, err := d.c.Books.Networks.All(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range kept {
		list = append(list, NamedPlace{n.ID, n.Name, n.User, n.Prefixes})
	}
	sortBy(list, func(p NamedPlace) string { return strings.ToLower(p.Name) })
	return list, nil
}

// NamePlace gives networks a name, for everybody or for one user.
func (d Desk) NamePlace(ctx context.Context, name, networks, user string) (string, error) {
	return d.post(ctx, namePlace, nil, url.Values{"name": {name}, "prefix": {networks}, "user": {user}})
}

// EditPlace gives a place another name or other networks; what is empty stays.
func (d Desk) EditPlace(ctx context.Context, place, name, networks string) (string, error) {
	p, err := d.place(ctx, place)
	if err != nil {
		return "", err
	}
	if name == "" {
		name = p.Name
	}
	if networks == "" {
		networks = strings.Join(p.Prefixes, ", ")
	}
	return d.post(ctx, editPlace, url.Values{"network": {p.ID}}, url.Values{"name": {name}, "prefix": {networks}})
}

// UnnamePlace takes a name away; name may be the identifier too.
func (d Desk) UnnamePlace(ctx context.Context, name string) (string, error) {
	p, err := d.place(ctx, name)
	if err != nil {
		return "", err
	}
	return d.post(ctx, unnamePlace, nil, url.Values{"network": {p.ID}})
}

// place is the one of a name or an identifier that the console may change.
func (d Desk) place(ctx context.Context, name string) (NamedPlace, error) {
	list, err := d.Places(ctx)
	if err != nil {
		return NamedPlace{}, err
	}
	i := slices.IndexFunc(list, func(p NamedPlace) bool { return p.ID != "" && (p.ID == name || p.Name == name) })
	switch {
	case i >= 0:
		return list[i], nil
	case slices.ContainsFunc(list, func(p NamedPlace) bool { return p.Name == name }):
		return NamedPlace{}, Said(name + " is named in the configuration: change `place` there")
	}
	return NamedPlace{}, ErrNobody
}
