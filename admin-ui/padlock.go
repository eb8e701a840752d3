package adminui

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/lang"
)

// padlockView is the large padlock with its state in words.
type padlockView struct {
	Application string
	Closed      bool
	// Pinned says that the configuration holds it.
	Pinned bool
	// Cannot says why it cannot be closed yet.
	Cannot string
	// By and When are who turned it last.
	By, When string
	Draining bool
	// Draw is what the partial "padlock" takes.
	Draw string
}

func itoa(n int) string { return strconv.Itoa(n) }

// padlock reads the state of an application's padlock.
func (v *visit) padlock(app string) (padlockView, error) {
	state, err := v.Gate.Padlock(v.ctx(), app)
	if err != nil {
		return padlockView{}, err
	}
	conf := v.Gate.Application(app)
	p := padlockView{Application: app, Closed: state.Closed, Pinned: conf.Pinned != nil, Draining: state.Draining}
	if !p.Pinned && !state.Changed.At.IsZero() {
		p.By, p.When = v.author(state.Changed.By), v.say.When(state.Changed.At, v.now)
	}
	if !p.Closed && !p.Pinned && conf.CanClose != nil {
		if err := conf.CanClose(); err != nil {
			p.Cannot = v.cannotClose(err)
		}
	}
	switch {
	case !p.Closed:
		p.Draw = "open"
	case p.Pinned:
		p.Draw = "final"
	}
	return p, nil
}

// cannotClose says in the reader's language why a padlock cannot be closed.
func (v *visit) cannotClose(err error) string {
	var untaught *identity.Untaught
	if errors.As(err, &untaught) {
		return v.say.Text("teach.cannot")
	}
	return v.say.Text("padlock.cannot") + " " + lang.Inert(err.Error(), 600)
}

// previewPage says whom closing would stop, before it is done.
type previewPage struct {
	frame
	Application, Name string
	Padlock           padlockView
	First             bool
	// Imported is how many connections the first closing authorises by itself.
	Imported        int
	People          int
	ConnectionsHeld int
	Stopped         []stoppedPerson
	Adopted         int
	MorePeople      int
	Error           string
	PreviewDays     int
	// Teach is where the login is taught, where the padlock cannot close for
	// want of that; Device the same where people are but devices.
	Teach, Device string
}

// stoppedPerson is one whom closing would stop, with what would be stopped.
type stoppedPerson struct {
	Who, Href   string
	Connections []stoppedConnection
}

type stoppedConnection struct {
	five
	ID, Seen string
	// Adopted says that nobody signed into it under the gate's eyes.
	Adopted bool
}

func showClosing(v *visit) error {
	app, err := v.application(v.r.PathValue("application"))
	if err != nil {
		return err
	}
	return v.preview(http.StatusOK, app, "")
}

func (v *visit) preview(status int, app, problem string) error {
	f, err := v.frame("connections", []string{"grid.css"}, nil)
	if err != nil {
		return err
	}
	page := previewPage{frame: f, Application: app, Name: v.name(app), Error: problem, PreviewDays: gate.ImportDays}
	if page.Padlock, err = v.padlock(app); err != nil {
		return err
	}
	if page.Padlock.Closed {
		return v.seeOther(gridQuery{Application: app, Window: "7", Sort: "last"}.with("done", "padlock.was_closed"))
	}
	if v.Teaching != nil {
		switch known := v.Teaching.Login(app); {
		case page.Padlock.Cannot != "" && known.Teachable:
			page.Teach = "/teach/" + pathPart(app)
		case known.By == "device":
			page.Device = "/teach/" + pathPart(app)
		}
	}
	if err := v.Gate.Flush(v.ctx()); err != nil {
		return err
	}
	p, err := v.Gate.Preview(v.ctx(), app)
	if err != nil {
		return err
	}
	page.First, page.Imported, page.Adopted = p.First, p.Imported, p.Adopted
	page.People, page.ConnectionsHeld = len(p.Stop), p.Connections()
	page.MorePeople = max(len(p.Stop)-gate.PreviewPeople, 0)
	devices := v.deviceNames()
	for _, s := range p.Stop[:min(len(p.Stop), gate.PreviewPeople)] {
		person := stoppedPerson{Who: v.called(books.User{User: s.User, Name: s.Name}), Href: personHref(s.User)}
		for _, c := range s.Connections {
			line := stoppedConnection{ID: c.ID, Seen: v.when(c.Last), Adopted: p.First && c.Adopted}
			if line.five, err = v.five(c, books.User{User: s.User, Name: s.Name}, devices); err != nil {
				return err
			}
			person.Connections = append(person.Connections, line)
		}
		page.Stopped = append(page.Stopped, person)
	}
	return v.show(status, "padlock-close", page)
}

// closePadlock closes it, and lets those in first that were ticked.
func closePadlock(v *visit) error {
	app, err := v.application(v.r.PathValue("application"))
	if err != nil {
		return err
	}
	if err := v.ownTicked(app, v.r.PostForm["also"]); err != nil {
		return err
	}
	_, err = v.Gate.Close(v.ctx(), app, v.by(), v.r.PostForm["also"]...)
	switch {
	case errors.Is(err, gate.ErrPinned):
		return tell("padlock.pinned.error")
	case isNotFound(err):
		return v.preview(http.StatusConflict, app, v.say.Text("padlock.close.gone"))
	case err != nil:
		if cannot := v.Gate.Application(app).CanClose; cannot != nil && cannot() != nil {
			return v.preview(http.StatusConflict, app, "")
		}
		return err
	}
	return v.seeOther(gridQuery{Application: app, Window: "7", Sort: "last"}.with("done", "padlock.closed"))
}

// openingPage asks before the padlock opens.
type openingPage struct {
	frame
	Application, Name string
	Padlock           padlockView
}

func showOpening(v *visit) error {
	app, err := v.application(v.r.PathValue("application"))
	if err != nil {
		return err
	}
	f, err := v.frame("connections", []string{"grid.css"}, nil)
	if err != nil {
		return err
	}
	page := openingPage{frame: f, Application: app, Name: v.name(app)}
	if page.Padlock, err = v.padlock(app); err != nil {
		return err
	}
	return v.show(http.StatusOK, "padlock-open", page)
}

func openPadlock(v *visit) error {
	app, err := v.application(v.r.PathValue("application"))
	if err != nil {
		return err
	}
	err = v.Gate.OpenPadlock(v.ctx(), app, v.by())
	if errors.Is(err, gate.ErrPinned) {
		return tell("padlock.pinned.error")
	}
	if err != nil {
		return err
	}
	return v.seeOther(gridQuery{Application: app, Window: "7", Sort: "last"}.with("done", "padlock.opened"))
}
