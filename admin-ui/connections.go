package adminui

import (
	"net/http"
	"net/url"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
)

// connectionsPage is the grid with the padlock of its application.
type connectionsPage struct {
	frame
	// Nothing says that no application has come by yet.
	Nothing      bool
	Applications []choice
	Application  string
	Name         string
	Padlock      padlockView
	Waiting      int
	Windows      []tab
	Query        gridQuery
	Narrowed     bool
	Clear        string
	Filters      []selector
	Rows         []gridRow
	Connections  int
	Users        int
	// CountMore says that there are more than Connections.
	CountMore bool
	// Further is the address that looks further back, Newest the one that goes
	// back to the newest.
	Further, Newest string
	// CSV and JSON are the addresses of what is filtered, Try the room that
	// explains a typed address.
	CSV, JSON, Try string
	// PersonName is whose connections alone are shown.
	PersonName     string
	Previous, Next string
	PageNumber     int
	// NoGeo says that places are network prefixes: there is no geo file.
	NoGeo bool
}

// tab is one of several views of a page.
type tab struct {
	Name, Href string
	Current    bool
}

// selector is one choice among words (partial "select"); Any is the word for
// no choice, empty where one must be made.
type selector struct {
	ID, Name, Label, Any string
	Choices              []choice
}

// gridRow is one connection.
type gridRow struct {
	five
	standing
	ID, Rev     string
	Seen        time.Time
	SeenWords   string
	FirstWords  string
	Count       int
	PersonLink  string
	Application string
	// Explain says why it is answered as it is.
	Explain string
}

func showConnections(v *visit) error {
	f, err := v.frame("connections", []string{"grid.css"}, nil, "connections", "padlock", "rules", "people", "requests")
	if err != nil {
		return err
	}
	page := connectionsPage{frame: f}
	apps := v.applications()
	if len(apps) == 0 {
		page.Nothing = true
		return v.show(http.StatusOK, "connections", page)
	}
	app := apps[0]
	if asked := v.r.URL.Query().Get("app"); asked != "" {
		if app, err = v.application(asked); err != nil {
			return err
		}
	}
	q := readGrid(v.r.URL.Query(), app)
	page.Application, page.Name, page.Query = app, v.name(app), q
	page.Applications = v.applicationChoices(app)
	page.Narrowed, page.Clear = q.narrowed(), (gridQuery{Application: app, Window: q.Window, Sort: "last"}).with()
	for _, w := range windows {
		page.Windows = append(page.Windows, tab{v.say.Text("window." + w), q.with("window", w), w == q.Window})
	}
	if page.Padlock, err = v.padlock(app); err != nil {
		return err
	}
	waiting, err := v.Approvals.Waiting(v.ctx(), app)
	if err != nil {
		return err
	}
	page.Waiting = len(waiting)
	res, err := v.look(q)
	if err != nil {
		return err
	}
	page.Connections, page.Users, page.CountMore = res.Connections, res.Users, res.CountMore
	page.CSV, page.JSON = "/connections.csv?"+q.values().Encode(), "/connections.json?"+q.values().Encode()
	page.Try = "/explain?app=" + url.QueryEscape(app)
	if res.Further != "" {
		page.Further = "/connections?" + q.values("from", res.Further).Encode()
	}
	if q.From != "" {
		page.Newest = q.with()
	}
	page.Filters = v.filters(q, res)
	asks := map[string]bool{}
	for _, ask := range waiting {
		asks[ask.Person.User+"\x00"+ask.Device.ID] = true
	}
	if page.Rows, err = v.gridRows(res, asks); err != nil {
		return err
	}
	page.NoGeo = noGeo(res.Rows)
	if q.Person != "" {
		u, err := v.people().user(q.Person)
		if err != nil {
			return err
		}
		page.PersonName = v.called(u)
	}
	page.PageNumber = q.Page + 1
	if q.Page > 0 {
		page.Previous = q.with("page", itoa(q.Page))
	}
	if res.More {
		page.Next = q.with("page", itoa(q.Page+2))
	}
	return v.show(http.StatusOK, "connections", page)
}

func (v *visit) gridRows(res gridResult, asks map[string]bool) ([]gridRow, error) {
	names, devices := v.people(), v.deviceNames()
	var list []gridRow
	for i, c := range res.Rows {
		u, err := names.user(c.User)
		if err != nil {
			return nil, err
		}
		row := gridRow{ID: c.ID, Seen: c.Last, SeenWords: v.when(c.Last), FirstWords: v.when(c.First), Count: int(min(c.Count, 1<<30)), Application: v.name(c.Application)} //nolint:gosec // bounded
		if row.five, err = v.five(c, u, devices); err != nil {
			return nil, err
		}
		row.standing = v.standing(res.Verdicts[i], asks[c.User+"\x00"+c.Device.ID])
		row.PersonLink = row.Href
		row.Explain = "/explain/" + pathPart(c.Application) + "/" + pathPart(c.ID)
		list = append(list, row)
	}
	return list, nil
}

// filters are the selectors above the grid.
func (v *visit) filters(q gridQuery, res gridResult) []selector {
	any := v.say.Text("grid.any")
	var kinds, stands, orders []choice
	for _, k := range access.Kinds {
		kinds = append(kinds, choice{string(k), v.say.Kind(string(k)), string(k) == q.Kind})
	}
	for _, s := range states {
		stands = append(stands, choice{s, v.say.Text("grid.state." + s), s == q.State})
	}
	for _, s := range sorts {
		orders = append(orders, choice{s, v.say.Text("grid.sort." + s), s == q.Sort})
	}
	place := func(w string) string {
		if len(w) == 2 {
			return v.say.Country(w)
		}
		return lang.Inert(w, 60)
	}
	return []selector{
		{"f-state", "state", v.say.Text("grid.state"), any, stands},
		{"f-place", "place", v.say.Text("pin.place"), any, pick(res.Places, q.Place, place)},
		{"f-kind", "kind", v.say.Text("pin.device"), any, kinds},
		{"f-browser", "browser", v.say.Text("pin.browser"), any, pick(res.Browsers, q.Browser, func(w string) string { return v.say.Browser(w, "") })},
		{"f-sort", "sort", v.say.Text("grid.sort"), "", orders},
	}
}

// pick makes a selector of words; the chosen one is there even when the window
// has none of it.
func pick(words []string, chosen string, name func(string) string) []choice {
	var list []choice
	there := chosen == ""
	for _, w := range words {
		list = append(list, choice{w, name(w), w == chosen})
		there = there || w == chosen
	}
	if !there {
		list = append(list, choice{chosen, name(chosen), true})
	}
	return list
}

// noGeo reports whether no place among the rows says more than a network, and
// one of them has no name either: then a geo file would help.
func noGeo(list []books.Connection) bool {
	bare := false
	for _, c := range list {
		if c.Place.Country != "" || c.Place.City != "" {
			return false
		}
		bare = bare || c.Place.Name == ""
	}
	return bare
}
