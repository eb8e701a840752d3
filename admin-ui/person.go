package adminui

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

const (
	// personConnections is how many connections of one application the page of
	// a person takes.
	personConnections = 500
	// personHistory is how many lines of the audit it shows.
	personHistory = 30
)

// personPage is one person.
type personPage struct {
	frame
	User, Who, Sub string
	Email, Mobile  string
	Language       string
	// Seen is what the form of name and address is filled in from.
	Seen        string
	Languages2  []choice
	First, Last string
	// Groups are those last seen with them, a line for each application that
	// names any.
	Groups                []string
	Href                  string
	Columns               string
	Scopes                []scope
	Waiting               int
	Places                []personPlace
	Map                   *mapView
	Devices               []personDevice
	Rules                 []ruleLine
	Rows                  []gridRow
	History               []entryLine
	Biopass               []biopassCard
	MayEdit, SeveralScope bool
	// Applications are those a pass can be given for.
	Applications []choice
	// PassUntil is the end of a pass that is given now.
	PassUntil string
}

// scope is how the person is treated in one application, or in all.
type scope struct {
	Application, Name string
	Treatment         gate.Treatment
	By, When          string
	Exempt            bool
}

// personPlace is one place the person came from.
type personPlace struct {
	Number  int
	Where   string
	Network string
	Seen    string
	Times   int
	Side    string // in, wait or out
	// Href is where the dot on the map leads, Title what it is called; both
	// may be empty.
	Href, Title string
	at          access.Place
	last        time.Time
}

// personDevice is one device the person came on.
type personDevice struct {
	ID, Icon, Name, Label string
	Seen                  string
	State                 pages.State
	last                  time.Time
	in                    bool
}

// mayKnow reports whether the admin may see a user: one of all applications
// sees everybody, another those who came to theirs (threat L23).
func (v *visit) mayKnow(user string) (bool, error) {
	if v.all() {
		return true, nil
	}
	for _, app := range v.applications() {
		list, err := v.Books.Connections.Of(v.ctx(), app, user, 1)
		if err != nil {
			return false, err
		}
		if len(list) > 0 {
			return true, nil
		}
	}
	return v.asks(user)
}

// asks reports whether a user waits in one of the admin's applications; who
// waits is read once a visit.
func (v *visit) asks(user string) (bool, error) {
	if v.whoAsks == nil {
		asking := map[string]bool{}
		for _, app := range v.applications() {
			waiting, err := v.Approvals.Waiting(v.ctx(), app)
			if err != nil {
				return false, err
			}
			for _, ask := range waiting {
				asking[ask.Person.User] = true
			}
		}
		v.whoAsks = asking
	}
	return v.whoAsks[user], nil
}

// person returns the user a request names, where the admin may know them.
func (v *visit) person() (string, error) {
	user := v.r.PathValue("user")
	ok, err := v.mayKnow(user)
	if err != nil {
		return "", err
	}
	if user == "" || !ok {
		return "", errNotHere
	}
	return user, nil
}

func showPerson(v *visit) error {
	user, err := v.person()
	if err != nil {
		return err
	}
	f, err := v.frame("people", []string{"person.css", "grid.css", "map.css"}, nil, "people", "connections", "rules", "requests")
	if err != nil {
		return err
	}
	u, err := v.Books.Users.Get(v.ctx(), user)
	if err != nil {
		return err
	}
	page := personPage{
		frame: f, User: user, Who: lang.Inert(v.called(u), 120), Email: u.Email, Mobile: u.Mobile, Language: u.Language,
		Seen: markOf(u.Name, u.Email, u.Mobile, u.Language),
		Href: personHref(user), Columns: columnsAddress("", user), MayEdit: v.all(),
		Applications: v.applicationChoices(""), PassUntil: v.say.Until(v.Approvals.Limits().PassEnds(v.now), v.now),
	}
	if u.Name != "" && u.Name != user {
		page.Sub = lang.Inert(user, 120)
	}
	for _, tag := range append([]string{""}, lang.Tags()...) {
		name := v.say.Text("person.language.any")
		if tag != "" {
			name = lang.For(tag).Text("language." + tag)
		}
		page.Languages2 = append(page.Languages2, choice{tag, name, tag == u.Language})
	}
	page.scopes(v, u)
	if err := page.connections(v, u); err != nil {
		return err
	}
	if page.Groups, err = v.groupLines(user); err != nil {
		return err
	}
	if err := page.rules(v); err != nil {
		return err
	}
	if page.History, err = v.history(user); err != nil {
		return err
	}
	if page.Biopass, err = v.biopassCards(user); err != nil {
		return err
	}
	return v.show(http.StatusOK, "person", page)
}

func (p *personPage) scopes(v *visit, u books.User) {
	add := func(app, name string) {
		s := scope{Application: app, Name: name}
		var m books.Mark
		s.Treatment, m = gate.Treats(u, app)
		if !m.At.IsZero() {
			s.By, s.When = v.author(m.By), v.say.When(m.At, v.now)
		}
		_, s.Exempt = u.Exempt[app]
		p.Scopes = append(p.Scopes, s)
	}
	if v.all() {
		add("", v.say.Text("person.everywhere"))
	}
	for _, app := range v.applications() {
		t, _ := gate.Treats(u, app)
		_, exempt := u.Exempt[app]
		// What is said of all applications stands for each; one that differs is
		// shown by itself, and so is each for an admin of some.
		if everywhere, _ := gate.Treats(u, ""); !v.all() || t != everywhere || exempt {
			add(app, v.name(app))
		} else {
			p.SeveralScope = true
		}
	}
}

// connections fills the grid, the places, the devices and the map.
func (p *personPage) connections(v *visit, u books.User) error {
	var all gridResult
	asks := map[string]bool{}
	var first, last time.Time
	for _, app := range v.applications() {
		waiting, err := v.Approvals.Waiting(v.ctx(), app)
		if err != nil {
			return err
		}
		for _, ask := range waiting {
			if ask.Person.User == u.User {
				p.Waiting++
				asks[ask.Person.User+"\x00"+ask.Device.ID] = true
			}
		}
		list, err := v.Books.Connections.Of(v.ctx(), app, u.User, personConnections)
		if err != nil {
			return err
		}
		all.Rows = append(all.Rows, list...)
	}
	slices.SortFunc(all.Rows, func(a, b books.Connection) int { return b.Last.Compare(a.Last) })
	places, devices := map[string]*personPlace{}, map[string]*personDevice{}
	names := v.deviceNames()
	for i, c := range all.Rows {
		c = v.today(c)
		all.Rows[i] = c
		verdict, err := v.judge(c)
		if err != nil {
			return err
		}
		all.Verdicts = append(all.Verdicts, verdict)
		s := v.standing(verdict, asks[c.User+"\x00"+c.Device.ID])
		if first.IsZero() || c.First.Before(first) {
			first = c.First
		}
		if c.Last.After(last) {
			last = c.Last
		}
		notePlace(v, places, c, s)
		if err := noteDevice(v, devices, names, c, s); err != nil {
			return err
		}
	}
	if !first.IsZero() {
		p.First, p.Last = v.moment(first), v.moment(last)
	}
	for _, x := range places {
		p.Places = append(p.Places, *x)
	}
	slices.SortFunc(p.Places, func(a, b personPlace) int { return b.last.Compare(a.last) })
	for i := range p.Places {
		p.Places[i].Number = i + 1
	}
	for _, d := range devices {
		p.Devices = append(p.Devices, *d)
	}
	slices.SortFunc(p.Devices, func(a, b personDevice) int { return b.last.Compare(a.last) })
	p.Map = mapOf(p.Places)
	all.Rows, all.Verdicts = all.Rows[:min(len(all.Rows), 100)], all.Verdicts[:min(len(all.Verdicts), 100)]
	var err error
	p.Rows, err = v.gridRows(all, asks)
	return err
}

func notePlace(v *visit, places map[string]*personPlace, c books.Connection, s standing) {
	where, network := v.say.PlaceLines(placeParts(c.Place))
	key := where + "\x00" + network
	x := places[key]
	side := map[string]string{"allow": "in", "refuse": "out"}[s.State.Answer]
	if side == "" {
		side = "wait"
		if s.Side == "in" {
			side = "in"
		}
	}
	if x == nil {
		x = &personPlace{Where: where, Network: network, Side: side}
		places[key] = x
	}
	if side == "in" {
		x.Side = "in"
	}
	x.Times += int(min(c.Count, 1<<30)) //nolint:gosec // bounded
	if c.Last.After(x.last) {
		x.last, x.Seen, x.at = c.Last, v.when(c.Last), c.Place
	}
}

func noteDevice(v *visit, devices map[string]*personDevice, names *deviceNames, c books.Connection, s standing) error {
	d := devices[c.Device.ID]
	if d == nil {
		named, err := names.get(c.Device.ID)
		if err != nil {
			return err
		}
		label := v.say.Device(string(c.Device.Kind), c.Device.Label)
		d = &personDevice{ID: c.Device.ID, Icon: pages.DeviceIcon(string(c.Device.Kind)), Name: named.Name, Label: label, State: s.State}
		devices[c.Device.ID] = d
	}
	if s.Side == "in" && !d.in {
		d.in, d.State = true, s.State
	}
	if c.Last.After(d.last) {
		d.last, d.Seen = c.Last, v.when(c.Last)
	}
	return nil
}

func (p *personPage) rules(v *visit) error {
	names, devices := v.people(), v.deviceNames()
	apps := v.applications()
	if v.all() {
		apps = append(apps, "")
	}
	for _, app := range apps {
		list, err := books.All[access.Rule](v.ctx(), v.Books.Store, books.Prefix(app, "rule", "u"+p.User))
		if err != nil {
			return err
		}
		for _, r := range list {
			line, err := v.ruleLine(r, names, devices)
			if err != nil {
				return err
			}
			p.Rules = append(p.Rules, line)
		}
	}
	slices.SortStableFunc(p.Rules, func(a, b ruleLine) int { return strings.Compare(b.ID, a.ID) })
	p.Rules = p.Rules[:min(len(p.Rules), 60)]
	return nil
}

// history is what the audit has about a user, newest first.
func (v *visit) history(user string) ([]entryLine, error) {
	var all []books.Entry
	for _, app := range append(v.applications(), "") {
		list, err := v.Books.Audit.Newest(v.ctx(), app, "", 500)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if v.mayRead(e) && (e.Subject == user || e.Who == "user:"+user || e.Detail["user"] == user) {
				all = append(all, e)
			}
		}
	}
	slices.SortFunc(all, func(a, b books.Entry) int { return b.At.Compare(a.At) })
	names := v.people()
	var lines []entryLine
	for _, e := range all[:min(len(all), personHistory)] {
		line, err := v.entryLine(e, names)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// scopeOf is the application a form about a person names; "" is all of them,
// which only an admin of all may say.
func (v *visit) scopeOf() (string, error) {
	app := v.r.PostFormValue("application")
	if app == "" {
		if !v.all() {
			return "", errNotHere
		}
		return "", nil
	}
	return v.application(app)
}

// treatPerson locks, leaves to the rules, or gives full access.
func treatPerson(v *visit) error {
	user, err := v.person()
	if err != nil {
		return err
	}
	app, err := v.scopeOf()
	if err != nil {
		return err
	}
	t := gate.Treatment(v.r.PostFormValue("treatment"))
	if t != gate.TreatLocked && t != gate.TreatByRules && t != gate.TreatFullAccess {
		return errBadWords
	}
	u, err := v.Books.Users.Get(v.ctx(), user)
	if err != nil {
		return err
	}
	if before, _ := gate.Treats(u, app); t == gate.TreatFullAccess || before == gate.TreatLocked && t != before {
		if err := v.ownWaits(app, user); err != nil {
			return err
		}
	}
	if _, err := v.Gate.Treat(v.ctx(), user, app, t, "", v.by()); err != nil {
		return err
	}
	return v.seeOther(personHref(user) + "?done=person." + string(t))
}

// exemptPerson exempts from waiting, or ends that.
func exemptPerson(v *visit) error {
	user, err := v.person()
	if err != nil {
		return err
	}
	app, err := v.scopeOf()
	if err != nil {
		return err
	}
	exempt := v.r.PostFormValue("exempt") != ""
	if exempt {
		if err := v.ownWaits(app, user); err != nil {
			return err
		}
	}
	if _, err := v.Gate.Exempt(v.ctx(), user, app, exempt, "", v.by()); err != nil {
		return err
	}
	done := "person.unexempt"
	if exempt {
		done = "person.exempt"
	}
	return v.seeOther(personHref(user) + "?done=" + done)
}

// editPerson keeps name, e-mail, mobile and language.
func editPerson(v *visit) error {
	user, err := v.person()
	if err != nil {
		return err
	}
	if !v.all() {
		return errNotHere
	}
	return v.savePerson(user, "user.edit", personHref(user)+"?done=person.saved")
}
