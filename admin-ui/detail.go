package adminui

import (
	"strconv"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
)

// detail is one more thing that an entry of the audit says: a sentence of its
// own, or a name with what it is.
type detail struct{ Name, Value string }

// detailOrder is the order in which details are read; others follow by name.
var detailOrder = []string{
	"effect", "width", "until", "until_before", "note", "because", "number", "sure", "own", "channel", "reply", "user", "group", "kind", "device", "place", "browser",
	"before", "name", "prefixes", "applications",
}

// details says what an entry holds besides who did what, in words: identifiers
// that tell a person nothing are left to the exports.
func (v *visit) details(e books.Entry, names *people, devices *deviceNames) ([]detail, error) {
	var list []detail
	done := map[string]bool{"application": true, "connection": true, "rule": true, "session": true, "request": true, "device_id": true, "stop": true}
	if id := e.Detail["device_id"]; id != "" { // of a request: the device by what it said of itself
		device, err := devices.label(access.Device{ID: id, Label: e.Detail["device"]})
		if err != nil {
			return nil, err
		}
		done["device"], done["kind"] = true, true
		list = append(list, detail{Name: v.say.Text("detail.device"), Value: v.say.Device(e.Detail["kind"], device)})
	}
	if kind := e.Detail["kind"]; e.What == "notice.failed" && v.say.Has("messages.kind."+kind) {
		done["kind"] = true
		list = append(list, detail{Name: v.say.Text("detail.notice"), Value: v.say.Text("messages.kind." + kind)})
	}
	add := func(name, value string) error {
		d, shown, err := v.detail(name, value, names, devices)
		if shown {
			list = append(list, d)
		}
		return err
	}
	for _, name := range detailOrder {
		if value, ok := e.Detail[name]; ok && !done[name] {
			done[name] = true
			if err := add(name, value); err != nil {
				return nil, err
			}
		}
	}
	var rest []string
	for name := range e.Detail {
		if !done[name] {
			rest = append(rest, name)
		}
	}
	sortBy(rest, func(s string) string { return s })
	for _, name := range rest {
		if err := add(name, e.Detail[name]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// detail says one of them; shown is false for what says nothing.
func (v *visit) detail(name, value string, names *people, devices *deviceNames) (d detail, shown bool, err error) {
	d = detail{Name: lang.Inert(name, 60), Value: lang.Inert(value, 200)}
	if key := "detail." + name; v.say.Has(key) {
		d.Name = v.say.Text(key)
	}
	switch name {
	case "number", "sure", "own": // yes is a sentence, no is nothing
		return detail{Name: v.say.Text("detail." + name)}, value == "true", nil
	case "effect", "width", "because", "would", "refused", "why":
		if key := "detail." + name + "." + value; v.say.Has(key) {
			d.Value = v.say.Text(key)
		}
	case "until", "until_before", "made":
		if value == "never" {
			d.Value = v.say.Text("detail.until.never")
		} else if t, err := time.Parse(time.RFC3339, value); err == nil {
			d.Value = v.say.When(t, v.now)
		}
	case "channel":
		d.Value = v.channelName(value)
	case "user":
		u, err := names.user(value)
		if err != nil {
			return d, true, err
		}
		d.Value = lang.Inert(v.called(u), 120)
	case "kind":
		d.Value = v.say.Kind(value)
	case "device":
		known, err := devices.get(value)
		if err != nil {
			return d, true, err
		}
		label, err := devices.label(access.Device{ID: value, Kind: known.Kind, Label: known.Label})
		if err != nil {
			return d, true, err
		}
		d.Value = v.say.Device(string(known.Kind), label)
	case "place":
		if key, err := access.ParsePlaceKey(value); err == nil {
			d.Value = v.placeKey(key)
		}
	case "browser":
		if family, platform, ok := strings.Cut(value, " / "); ok { // of a request
			d.Value = v.say.Browser(family, platform)
		} else if key, err := access.ParseBrowserKey(value); err == nil {
			d.Value = v.say.Browser(key.Family, key.Platform)
		}
	case "applications":
		var apps []string
		for _, id := range strings.Fields(value) {
			apps = append(apps, lang.Inert(v.name(id), 80))
		}
		if d.Value = v.say.List(apps); len(apps) == 0 {
			d.Value = v.say.Text("rules.every_application")
		}
	case "prefixes":
		d.Value = strings.Join(strings.Fields(d.Value), ", ")
	default:
		if n, err := strconv.Atoi(value); err == nil {
			d.Value = v.say.Number(int64(n))
		}
	}
	return d, d.Value != "", nil
}
