package adminui

import (
	"net/netip"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/places"
)

// entryLine is one line of the audit, in words.
type entryLine struct {
	ID      string
	At      time.Time
	When    string
	Who     string
	What    string
	Subject string
	Href    string
	// IsRule says that Subject is a rule's sentence.
	IsRule bool
	App    string
	// From is where it came from in words, Address the address beside it.
	From, Address string
	Via           string
	Details       []detail
}

// entryLine says an entry of the audit. A verb the catalogue lacks is shown as
// it is written.
func (v *visit) entryLine(e books.Entry, names *people) (entryLine, error) {
	line := entryLine{ID: e.ID, At: e.At, When: capital(v.say.When(e.At, v.now)), Subject: lang.Inert(e.Subject, 120)}
	line.From, line.Address = v.cameFrom(e.From)
	who, isUser := strings.CutPrefix(e.Who, "user:")
	line.Who = capital(v.author(who))
	switch {
	case isUser:
		u, err := names.user(who)
		if err != nil {
			return line, err
		}
		line.Who = v.called(u)
	case v.say.Has("who." + e.Who):
		line.Who = v.say.Text("who." + e.Who)
	}
	line.What = lang.Inert(e.What, 120)
	if key := "audit." + e.What; v.say.Has(key) {
		line.What = v.say.Text(key)
	}
	if e.What == "drain" && e.Detail["stop"] == "true" {
		line.What = v.say.Text("audit.drain.stop")
	}
	if key := "audit." + e.What + ".nobody"; e.Subject == "" && v.say.Has(key) {
		line.What = v.say.Text(key)
	}
	app := e.Application
	if app == "" {
		app = e.Detail["application"]
	}
	if app != "" {
		line.App = v.name(app)
	}
	if e.Via != "" && v.say.Has("via."+e.Via) {
		line.Via = v.say.Text("via." + e.Via)
	}
	rule, isRule := ruleOf(e)
	if isRule {
		var err error
		if line.Subject, err = v.sentence(rule, names, v.deviceNames()); err != nil {
			return line, err
		}
		line.IsRule, line.App = true, "" // the sentence names the application
	} else if aboutUser(e) {
		u, err := names.user(e.Subject)
		if err != nil {
			return line, err
		}
		line.Subject, line.Href = v.called(u), personHref(e.Subject)
	} else if e.Subject == app {
		line.Subject = ""
	}
	if e.Subject == who {
		line.Subject, line.Href = "", "" // who did it to themself needs no second naming
	}
	var err error
	if isRule {
		e.Detail = withoutRule(e.Detail)
	}
	line.Details, err = v.details(e, names, v.deviceNames())
	return line, err
}

// cameFrom says where an entry came from: "local" is this server, an address is
// the place it is in, in words, with the address beside (row C3).
func (v *visit) cameFrom(from string) (words, address string) {
	a, err := netip.ParseAddr(from)
	if err != nil {
		if key := "from." + from; v.say.Has(key) {
			return v.say.Text(key), ""
		}
		return lang.Inert(from, 120), ""
	}
	place := access.Place{Address: a, Private: places.PrivateKind(a) != ""}
	if v.Place != nil {
		place = v.Place(a, "")
	}
	words, _ = v.say.PlaceLines(placeParts(place))
	return words, a.String()
}

// ruleOf is the rule that an entry is about, as it was then: what the entry
// itself says of it, for the rule may have ended since.
func ruleOf(e books.Entry) (access.Rule, bool) {
	effect, err := access.ParseEffect(e.Detail["effect"])
	if area, _, _ := strings.Cut(e.What, "."); area != "rule" || err != nil {
		return access.Rule{}, false
	}
	r := access.Rule{
		ID: e.Subject, Application: e.Application, Effect: effect, User: e.Detail["user"], Group: e.Detail["group"],
		Device: e.Detail["device"], Kind: access.Kind(e.Detail["kind"]),
	}
	var err1, err2 error
	r.Place, err1 = access.ParsePlaceKey(e.Detail["place"])
	r.Browser, err2 = access.ParseBrowserKey(e.Detail["browser"])
	if err1 != nil || err2 != nil {
		return access.Rule{}, false // a half of it would be another rule
	}
	if e.What != "rule.edit" { // where the end is what changed, and told as such
		r.Until, _ = time.Parse(time.RFC3339, e.Detail["until"])
	}
	return r, true
}

// withoutRule are the details of an entry but for those that its rule's
// sentence says.
func withoutRule(all map[string]string) map[string]string {
	kept := map[string]string{}
	for name, value := range all {
		switch name {
		case "effect", "user", "group", "device", "kind", "place", "browser":
		case "until":
			if _, edited := all["until_before"]; edited {
				kept[name] = value
			}
		default:
			kept[name] = value
		}
	}
	return kept
}

// aboutUser reports whether an entry's subject is a user.
func aboutUser(e books.Entry) bool {
	area, _, _ := strings.Cut(e.What, ".")
	switch area {
	case "user", "connection", "device", "login", "session", "ask", "cancel", "expire", "approve", "refuse", "number", "code", "pass", "biopass":
		return e.Subject != ""
	}
	return false
}
