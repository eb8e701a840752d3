package adminui

import (
	"slices"

	"github.com/cadenas-gateway/cadenas/lang"
)

const (
	// groupsShown is how many groups of one person a line names.
	groupsShown = 12
	// groupsOffered is how many groups the form of a rule offers, groupsLook how
	// many people of an application they are taken from.
	groupsOffered = 200
	groupsLook    = 2000
)

// groupLines say the groups that the identity sources last named for a person,
// with the application where there are several.
func (v *visit) groupLines(user string) ([]string, error) {
	var lines []string
	apps := v.applications()
	for _, app := range apps {
		names, err := v.explain().Groups(v.ctx(), app, user)
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			continue
		}
		var said []string
		for _, name := range names[:min(len(names), groupsShown)] {
			said = append(said, lang.Inert(name, 60))
		}
		if more := len(names) - len(said); more > 0 {
			said = append(said, v.say.Text("person.groups.more", "count", more))
		}
		if len(apps) == 1 {
			lines = append(lines, v.say.Text("person.groups", "groups", v.say.List(said)))
		} else {
			lines = append(lines, v.say.Text("person.groups.in", "application", v.name(app), "groups", v.say.List(said)))
		}
	}
	return lines, nil
}

// groupNames are groups that people of the admin's applications were seen with,
// for the form of a rule: a name that is typed wrong touches nobody.
func (v *visit) groupNames() ([]string, error) {
	seen := map[string]struct{}{}
	for _, app := range v.applications() {
		looked := 0
		err := v.Books.Groups.Each(v.ctx(), app, func(_ string, names []string) bool {
			for _, name := range names {
				if len(seen) < groupsOffered {
					seen[name] = struct{}{}
				}
			}
			looked++
			return looked < groupsLook
		})
		if err != nil {
			return nil, err
		}
	}
	var list []string
	for name := range seen {
		list = append(list, name)
	}
	slices.Sort(list)
	return list, nil
}
