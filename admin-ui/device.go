package adminui

import (
	"slices"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/store"
)

// hasDevice reports in which of the admin's applications a user came on a
// device.
func (v *visit) hasDevice(user, device string) ([]string, books.Connection, error) {
	var apps []string
	var one books.Connection
	for _, app := range v.applications() {
		list, err := v.Books.Connections.Of(v.ctx(), app, user, personConnections)
		if err != nil {
			return nil, one, err
		}
		for _, c := range list {
			if c.Device.ID == device && device != "" {
				apps, one = append(apps, app), c
				break
			}
		}
	}
	return apps, one, nil
}

// renameDevice gives a device the name that people read from then on.
func renameDevice(v *visit) error {
	user, err := v.person()
	if err != nil {
		return err
	}
	id := v.r.PathValue("device")
	apps, c, err := v.hasDevice(user, id)
	if err != nil {
		return err
	}
	if len(apps) == 0 {
		return errNotHere
	}
	name, by := lang.Inert(v.r.PostFormValue("name"), 80), v.by()
	_, err = books.Update(v.ctx(), v.Books.Store, v.Books.Devices.Key(id), func(d *books.Device) ([]store.Write, bool, error) {
		if d.Name == name {
			return nil, false, nil
		}
		if d.ID == "" { // never written before: keep what the connection knows
			d.ID, d.Kind, d.Label, d.First, d.Last = id, c.Device.Kind, c.Device.Label, c.First, c.Last
		}
		before := d.Name
		d.Name = name
		return []store.Write{v.Books.Audit.Write(books.Entry{
			At: v.now, Who: by.Who, From: by.From, Via: by.Via, What: "device.rename", Subject: user,
			Detail: map[string]string{"before": before, "name": name, "application": apps[0]},
		})}, true, nil
	})
	if err != nil {
		return err
	}
	return v.seeOther(personHref(user) + "?done=device.renamed#devices")
}

// forgetDevice makes a device of a person unknown.
func forgetDevice(v *visit) error {
	user, err := v.person()
	if err != nil {
		return err
	}
	id := v.r.PathValue("device")
	apps, _, err := v.hasDevice(user, id)
	if err != nil {
		return err
	}
	if len(apps) == 0 {
		return errNotHere
	}
	if v.all() {
		apps = append(apps, "") // what lets them in on it everywhere
	}
	done := "device.forgotten"
	for _, app := range apps {
		if err := v.Gate.ForgetDevice(v.ctx(), app, user, id, v.by()); err != nil {
			return err
		}
		shared, err := v.Books.Rules.Shared(v.ctx(), app)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(shared, func(r access.Rule) bool { return r.Device == id && r.Effect == access.Allow && !r.Ended(v.now) }) {
			done = "device.forgotten.shared"
		}
	}
	// An admin of some applications knows a person by their connections: the
	// last may just have gone.
	if ok, err := v.mayKnow(user); err != nil || !ok {
		if err != nil {
			return err
		}
		return v.seeOther("/people?done=" + done)
	}
	return v.seeOther(personHref(user) + "?done=" + done + "#devices")
}
