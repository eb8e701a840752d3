package adminui

import (
	"time"

	"github.com/cadenas-gateway/cadenas/books"
)

const (
	// unusualDays is how far back what is unusual is looked for.
	unusualDays = 7
	// unusualLines is how many lines of a kind are shown.
	unusualLines = 5
)

// unusual reports whether an entry is of the kind that wants a look first:
// a copied session, refusals, closed numbers and codes, messages that failed.
func unusual(e books.Entry) bool {
	switch e.What {
	case "session.foreign", "login.stolen", "refuse", "number.closed", "code.closed", "notice.failed", "user.remove", "backup", "restore":
		return true
	}
	return false
}

// newCountry is somebody who came from a country they had never come from.
type newCountry struct {
	ID, Who, Href, Country, App, When, Explain string
	At                                         time.Time
}

// newCountries are the connections first seen in the last days from a country
// that their person had not been seen in before, the last seen first. Whoever
// was never seen elsewhere is new altogether, and stands among the requests.
func (v *visit) newCountries(app string, names *people) ([]newCountry, error) {
	apps := v.applications()
	if app != "" {
		apps = []string{app}
	}
	since := v.now.AddDate(0, 0, -unusualDays)
	var list []newCountry
	for _, id := range apps {
		looked, told := 0, map[string]bool{}
		var failed error
		err := v.eachConnection(gridQuery{Application: id, Window: "7"}, func(c books.Connection) bool {
			if looked++; looked > gridJudge {
				return false
			}
			country := c.Place.Country
			if country == "" || c.First.Before(since) || told[c.User+"\x00"+country] {
				return true
			}
			fresh, err := v.freshCountry(c)
			if err != nil || !fresh {
				failed = err
				return err == nil
			}
			told[c.User+"\x00"+country] = true
			u, err := names.user(c.User)
			if err != nil {
				failed = err
				return false
			}
			list = append(list, newCountry{
				ID: c.ID, Who: v.called(u), Href: personHref(c.User), Country: v.say.Country(country), App: v.name(id),
				When: capital(v.say.When(c.First, v.now)), At: c.First, Explain: "/explain/" + pathPart(c.Application) + "/" + pathPart(c.ID),
			})
			return len(list) < unusualLines
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return nil, err
		}
	}
	return list[:min(len(list), unusualLines)], nil
}

// freshCountry reports whether the person of a connection had come from
// somewhere before it, and never from its country.
func (v *visit) freshCountry(c books.Connection) (bool, error) {
	all, err := v.Books.Connections.Of(v.ctx(), c.Application, c.User, personConnections)
	if err != nil {
		return false, err
	}
	elsewhere := false
	for _, o := range all {
		if o.ID == c.ID || !o.First.Before(c.First) || o.Place.Country == "" {
			continue
		}
		if o.Place.Country == c.Place.Country {
			return false, nil
		}
		elsewhere = true
	}
	return elsewhere, nil
}
