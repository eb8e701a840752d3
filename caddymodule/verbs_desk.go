package caddymodule

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/books"
)

// What the rooms of the console do about people, admins, devices and places,
// by the same handlers.

func init() {
	for name, do := range map[string]verb{
		"user-add":       func(ctx context.Context, c *call) (any, error) { return c.savePerson(ctx, true) },
		"user-edit":      func(ctx context.Context, c *call) (any, error) { return c.savePerson(ctx, false) },
		"user-exempt":    func(ctx context.Context, c *call) (any, error) { return c.exemptUser(ctx, true) },
		"user-exempt-no": func(ctx context.Context, c *call) (any, error) { return c.exemptUser(ctx, false) },
		"admins":         listAdmins,
		"admins-add":     addAdmin,
		"admins-edit":    editAdmin,
		"admins-remove": func(ctx context.Context, c *call) (any, error) {
			return c.did("email", func(email string) (string, error) { return c.desk().RemoveAdmin(ctx, email) })
		},
		"admins-sessions": listSessions,
		"admins-sign-out": signOutAdmin,
		"devices":         func(ctx context.Context, c *call) (any, error) { return c.desk().Devices(ctx) },
		"devices-name": func(ctx context.Context, c *call) (any, error) {
			return c.did("id", func(id string) (string, error) { return c.desk().NameDevice(ctx, id, c.words["called"]) })
		},
		"devices-allow":  allowDevice,
		"devices-forget": forgetDevice,
		"places":         func(ctx context.Context, c *call) (any, error) { return c.desk().Places(ctx) },
		"places-name": func(ctx context.Context, c *call) (any, error) {
			return c.did("name", func(name string) (string, error) {
				return c.desk().NamePlace(ctx, name, c.words["networks"], c.words["user"])
			})
		},
		"places-edit": func(ctx context.Context, c *call) (any, error) {
			return c.did("name", func(name string) (string, error) {
				return c.desk().EditPlace(ctx, name, c.words["called"], c.words["networks"])
			})
		},
		"places-remove": func(ctx context.Context, c *call) (any, error) {
			return c.did("name", func(name string) (string, error) { return c.desk().UnnamePlace(ctx, name) })
		},
	} {
		verbs[name] = do
	}
}

// done is what a verb says it did.
type done struct {
	Done string `json:"done"`
}

func (c *call) desk() adminui.Desk { return c.rooms.Desk(c.by) }

// did carries out something about what a word names.
func (c *call) did(word string, do func(name string) (string, error)) (any, error) {
	name, err := c.word(word)
	if err != nil {
		return nil, err
	}
	said, err := do(name)
	return done{said}, deskError(err, name)
}

// deskError says a desk's errors in the command line's words.
func deskError(err error, name string) error {
	var said adminui.Said
	switch {
	case errors.As(err, &said):
		return badWords("%s", said)
	case errors.Is(err, adminui.ErrNobody):
		return unknownName(name)
	}
	return err
}

// unknownName is a name that nobody and nothing has.
type unknownName string

func (n unknownName) Error() string { return "there is none of the name " + string(n) }

// set writes a word into a field where it was given; a dash empties it.
func (c *call) set(word string, field *string) {
	switch v := c.words[word]; v {
	case "":
	case "-":
		*field = ""
	default:
		*field = v
	}
}

func (c *call) savePerson(ctx context.Context, add bool) (any, error) {
	return c.did("name", func(name string) (string, error) {
		seen, err := c.seen(ctx, name)
		if err != nil {
			return "", err
		}
		u := books.User{User: name}
		switch {
		case add && seen:
			return "", badWords("%s is there already: `caddy cadenas user edit %s` changes what is known", name, name)
		case !add && !seen:
			return "", adminui.ErrNobody
		case !add:
			if u, err = c.state.books.Users.Get(ctx, name); err != nil {
				return "", err
			}
		}
		c.set("called", &u.Name)
		c.set("email", &u.Email)
		c.set("mobile", &u.Mobile)
		c.set("language", &u.Language)
		return c.desk().SavePerson(ctx, u, add)
	})
}

func (c *call) exemptUser(ctx context.Context, exempt bool) (any, error) {
	name, err := c.word("name")
	if err != nil {
		return nil, err
	}
	if _, err := c.apps(ctx); err != nil {
		return nil, err
	}
	seen, err := c.seen(ctx, name)
	if err != nil {
		return nil, err
	}
	u, err := c.state.gate.Exempt(ctx, name, c.words["app"], exempt, c.words["why"], c.by)
	if err == nil && !exempt {
		err = otherScope(u.User, u.Exempt, c.words["app"], "is still exempt")
	}
	return c.treated(ctx, u, seen, err)
}

// adminLine is an admin at the command line.
type adminLine struct {
	Email        string   `json:"email"`
	Name         string   `json:"name"`
	Mobile       string   `json:"mobile,omitempty"`
	Language     string   `json:"language,omitempty"`
	Applications []string `json:"applications,omitempty"`
	Notify       string   `json:"notify,omitempty"`
	Quiet        string   `json:"quiet,omitempty"`
	// Configured says that the Caddyfile names the admin: changed there.
	Configured bool `json:"configured"`
}

func listAdmins(_ context.Context, c *call) (any, error) {
	list := []adminLine{}
	for _, a := range c.admins() {
		line := adminLine{Email: a.Email, Name: a.Name, Mobile: a.Mobile, Language: a.Language, Applications: a.Applications, Configured: a.Fixed}
		var order []string
		for _, ch := range a.Notify {
			order = append(order, ch.Name)
			if ch.Wait > 0 {
				order = append(order, ch.Wait.String())
			}
		}
		if line.Notify = strings.Join(order, " "); a.QuietFrom != "" {
			line.Quiet = a.QuietFrom + " " + a.QuietTo
		}
		list = append(list, line)
	}
	return list, nil
}

func addAdmin(ctx context.Context, c *call) (any, error) {
	return c.did("email", func(email string) (string, error) {
		a := books.Admin{Email: email, Name: c.words["called"], Language: c.running.app.Languages[0]}
		if err := c.readAdmin(&a); err != nil {
			return "", err
		}
		return c.desk().SaveAdmin(ctx, a, "")
	})
}

func editAdmin(ctx context.Context, c *call) (any, error) {
	return c.did("email", func(email string) (string, error) {
		i := slices.IndexFunc(c.admins(), func(a books.Admin) bool { return strings.EqualFold(a.Email, email) })
		if i < 0 {
			return "", adminui.ErrNobody
		}
		a := c.admins()[i]
		if a.Fixed {
			return "", badWords("%s stands in the Caddyfile: change it there", a.Email)
		}
		before := a.Email
		c.set("called", &a.Name)
		c.set("new-email", &a.Email)
		if err := c.readAdmin(&a); err != nil {
			return "", err
		}
		return c.desk().SaveAdmin(ctx, a, before)
	})
}

// readAdmin reads the words that add and edit share.
func (c *call) readAdmin(a *books.Admin) error {
	c.set("mobile", &a.Mobile)
	c.set("language", &a.Language)
	switch text := c.words["applications"]; text {
	case "":
	case "-", "all":
		a.Applications = nil
	default:
		a.Applications = strings.Fields(strings.ReplaceAll(text, ",", " "))
	}
	switch text := c.words["notify"]; text {
	case "":
	case "-":
		a.Notify = nil
	default:
		steps, err := parseNotifyOrder(strings.Fields(text))
		if err != nil {
			return badWords("--%v", err)
		}
		a.Notify = nil
		for _, s := range steps {
			a.Notify = append(a.Notify, books.Channel{Name: s.Channel, Wait: time.Duration(s.Wait)})
		}
	}
	switch text := c.words["quiet"]; text {
	case "":
	case "-":
		a.QuietFrom, a.QuietTo = "", ""
	default:
		from, to, ok := strings.Cut(strings.TrimSpace(text), " ")
		if !ok || !isClock(from) || !isClock(to) {
			return badWords(`--quiet %q: write two times of day, "22:00 06:00"`, text)
		}
		a.QuietFrom, a.QuietTo = from, to
	}
	return nil
}

func listSessions(ctx context.Context, c *call) (any, error) {
	all := []adminui.ConsoleSession{}
	for _, a := range c.admins() {
		if who := c.words["email"]; who != "" && !strings.EqualFold(who, a.Email) {
			continue
		}
		list, err := c.desk().Sessions(ctx, a.Email)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

func signOutAdmin(ctx context.Context, c *call) (any, error) {
	email, err := c.word("email")
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(c.admins(), func(a books.Admin) bool { return strings.EqualFold(a.Email, email) }) {
		return nil, unknownName(email)
	}
	n, err := c.desk().SignOut(ctx, email)
	return map[string]any{"ended": n, "admin": strings.ToLower(email)}, err
}

func allowDevice(ctx context.Context, c *call) (any, error) {
	app, err := c.app(ctx)
	if err != nil {
		return nil, err
	}
	return c.did("id", func(id string) (string, error) { return c.desk().AllowDevice(ctx, id, app) })
}

func forgetDevice(ctx context.Context, c *call) (any, error) {
	return c.did("id", func(id string) (string, error) { return c.desk().ForgetDevice(ctx, id, c.words["user"]) })
}
