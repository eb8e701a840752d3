package adminui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
	"github.com/cadenas-gateway/cadenas/store"
)

const (
	// deviceRows is how many devices the room shows, deviceLook how many
	// connections of an application it takes them from, the last seen first.
	deviceRows = 60
	deviceLook = 4000
	// unusedDays is after how long a device counts as unused.
	unusedDays = 60
)

// deviceViews are what the room can show.
var deviceViews = []string{"shared", "all", "unused"}

// devicesPage lists devices, those several people use first.
type devicesPage struct {
	frame
	View    string
	Search  string
	Tabs    []tab
	Devices []deviceLine
	More    int
}

// deviceLine is one device with who uses it.
type deviceLine struct {
	ID, Icon, Name, Label, People, Seen, Href string
	Shared                                    bool
	Applications                              []choice
}

// usedDevice is what the connections tell of one device.
type usedDevice struct {
	access.Device
	last  time.Time
	users []string
	apps  []string
}

// usedDevices gathers the devices of the admin's applications from the
// connections last seen.
func (v *visit) usedDevices() (map[string]*usedDevice, error) {
	all := map[string]*usedDevice{}
	return all, v.gatherDevices(all, "")
}

// oldDevices gathers besides those from the connections that were last seen
// before as many days as make a device unused: of a large application the
// connections last seen are all of this week.
func (v *visit) oldDevices(all map[string]*usedDevice) error {
	return v.gatherDevices(all, books.PositionAt(v.now.AddDate(0, 0, -unusedDays)))
}

// gatherDevices adds the devices of the connections behind a position of the
// index, "" for the newest.
func (v *visit) gatherDevices(all map[string]*usedDevice, from string) error {
	for _, app := range v.applications() {
		looked := 0
		err := v.eachConnection(gridQuery{Application: app, Window: "all", From: from}, func(c books.Connection) bool {
			looked++
			if c.Device.ID == "" {
				return looked < deviceLook
			}
			d := all[c.Device.ID]
			if d == nil {
				d = &usedDevice{Device: c.Device}
				all[c.Device.ID] = d
			}
			if c.Last.After(d.last) {
				d.last = c.Last
			}
			if !slices.Contains(d.users, c.User) {
				d.users = append(d.users, c.User)
			}
			if !slices.Contains(d.apps, app) {
				d.apps = append(d.apps, app)
			}
			return looked < deviceLook
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// since reports whether a device was used in the last days after all, on a
// connection that was not among those gathered, by somebody who used it before.
func (d *usedDevice) since(v *visit, day time.Time) (bool, error) {
	for _, app := range v.applications() {
		for _, user := range d.users[:min(len(d.users), 20)] {
			list, err := v.Books.Connections.Of(v.ctx(), app, user, personConnections)
			if err != nil {
				return false, err
			}
			if slices.ContainsFunc(list, func(c books.Connection) bool { return c.Device.ID == d.ID && c.Last.After(day) }) {
				return true, nil
			}
		}
	}
	return false, nil
}

func showDevices(v *visit) error {
	f, err := v.frame("devices", []string{"person.css"}, nil, "people", "connections", "rules")
	if err != nil {
		return err
	}
	query := v.r.URL.Query()
	page := devicesPage{frame: f, View: "shared", Search: strings.TrimSpace(query.Get("q"))}
	if asked := query.Get("view"); slices.Contains(deviceViews, asked) {
		page.View = asked
	}
	for _, view := range deviceViews {
		page.Tabs = append(page.Tabs, tab{v.say.Text("devices.view." + view), "/devices?view=" + view, view == page.View})
	}
	all, err := v.usedDevices()
	if err == nil && page.View == "unused" {
		err = v.oldDevices(all)
	}
	if err != nil {
		return err
	}
	var list []*usedDevice
	day := v.now.AddDate(0, 0, -unusedDays)
	for _, d := range all {
		unused := d.last.Before(day)
		if (page.View == "shared" && len(d.users) < 2) || (page.View == "unused" && !unused) {
			continue
		}
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b *usedDevice) int {
		if c := b.last.Compare(a.last); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	names, devices := v.people(), v.deviceNames()
	for _, d := range list {
		if len(page.Devices) == deviceRows {
			page.More++
			continue
		}
		named, err := devices.get(d.ID)
		if err != nil {
			return err
		}
		line := deviceLine{
			ID: d.ID, Icon: pages.DeviceIcon(string(d.Kind)), Name: lang.Inert(named.Name, 80), Seen: v.when(d.last),
			Label: v.say.Device(string(d.Kind), d.Label), Href: "/devices/" + pathPart(d.ID), Shared: len(d.users) > 1,
		}
		var who []string
		for _, user := range d.users[:min(len(d.users), 5)] {
			u, err := names.user(user)
			if err != nil {
				return err
			}
			who = append(who, lang.Inert(v.called(u), 120))
		}
		line.People = v.say.List(who)
		if more := len(d.users) - len(who); more > 0 {
			line.People = v.say.Text("devices.and_more", "who", strings.Join(who, ", "), "count", more)
		}
		if !contains(page.Search, line.Name, line.Label, line.People) {
			continue
		}
		if page.View == "unused" {
			if again, err := d.since(v, day); err != nil {
				return err
			} else if again {
				continue
			}
		}
		for _, app := range d.apps {
			line.Applications = append(line.Applications, choice{Value: app, Name: v.name(app)})
		}
		page.Devices = append(page.Devices, line)
	}
	return v.show(http.StatusOK, "devices", page)
}

// device returns the device a request names, where one of the admin's
// applications has seen it.
func (v *visit) device() (*usedDevice, error) {
	all, err := v.usedDevices()
	if err != nil {
		return nil, err
	}
	id := v.r.PathValue("device")
	if all[id] == nil {
		if err := v.oldDevices(all); err != nil {
			return nil, err
		}
	}
	if d := all[id]; d != nil {
		return d, nil
	}
	return nil, errNotHere
}

// nameDevice gives a device the name that people read from then on.
func nameDevice(v *visit) error {
	used, err := v.device()
	if err != nil {
		return err
	}
	name, by := lang.Inert(v.r.PostFormValue("name"), 80), v.by()
	_, err = books.Update(v.ctx(), v.Books.Store, v.Books.Devices.Key(used.ID), func(d *books.Device) ([]store.Write, bool, error) {
		if d.ID == "" {
			d.ID, d.Kind, d.Label, d.Last = used.ID, used.Kind, used.Label, used.last
		}
		before := d.Name
		d.Name = name
		return []store.Write{v.Books.Audit.Write(books.Entry{
			At: v.now, Who: by.Who, From: by.From, Via: by.Via, What: "device.rename", Subject: used.users[0],
			Detail: map[string]string{"before": before, "name": name, "application": used.apps[0]},
		})}, before != name, nil
	})
	if err != nil {
		return err
	}
	return v.backDone("/devices", "device.renamed")
}

// allowDevice lets everybody in on a device, in one application.
func allowDevice(v *visit) error {
	used, err := v.device()
	if err != nil {
		return err
	}
	app, err := v.application(v.r.PostFormValue("application"))
	if err != nil {
		return err
	}
	if !slices.Contains(used.apps, app) {
		return errNotHere
	}
	rule := access.Rule{Application: app, Device: used.ID, Effect: access.Allow}
	if err := v.ownRule(rule); err != nil {
		return err
	}
	if _, err := v.Gate.AddRule(v.ctx(), rule, v.by()); err != nil {
		return err
	}
	return v.backDone("/devices", "device.allowed")
}

// forgetForAll makes a device unknown for everybody who used it: also for whom
// only a rule names, and the rules that let everybody in on it end.
func forgetForAll(v *visit) error {
	used, err := v.device()
	if err != nil {
		return err
	}
	apps := used.apps
	if v.all() {
		apps = append(slices.Clone(apps), "")
	}
	for _, app := range apps {
		rules, err := v.rulesOn(app, used.ID)
		if err != nil {
			return err
		}
		users := slices.Clone(used.users)
		for _, r := range rules {
			if r.User != "" {
				users = append(users, r.User)
			} else if r.Effect == access.Allow {
				if _, err := v.Gate.EndRule(v.ctx(), app, r.ID, v.by()); err != nil && !isNotFound(err) {
					return err
				}
			}
		}
		slices.Sort(users)
		for _, user := range slices.Compact(users) {
			if err := v.Gate.ForgetDevice(v.ctx(), app, user, used.ID, v.by()); err != nil {
				return err
			}
		}
	}
	return v.backDone("/devices", "device.forgotten")
}

// rulesOn are the rules of an application, "" for those about all, that name a
// device.
func (v *visit) rulesOn(app, device string) ([]access.Rule, error) {
	var list []access.Rule
	err := books.Each(v.ctx(), v.Books.Store, store.Query{Prefix: books.Prefix(app, "rule")}, func(_ string, r access.Rule) bool {
		if r.Device == device {
			list = append(list, r)
		}
		return true
	})
	return list, err
}

// backDone leads back to the page of a form and says what was done.
func (v *visit) backDone(otherwise, done string) error {
	to := local(v.r.PostFormValue("back"))
	if to == "" {
		to = otherwise
	}
	u, err := url.Parse(to)
	if err != nil {
		return errBadWords
	}
	q := u.Query()
	q.Set("done", done)
	u.RawQuery = q.Encode()
	return v.seeOther(u.RequestURI())
}
