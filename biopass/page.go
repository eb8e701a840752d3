package biopass

import (
	"embed"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets/*
var assetFiles embed.FS

var _ = pages.Register(pages.Sub(assetFiles, "assets"))

// pageSet is parsed at first use: the command line imports this package too
// and shows no page.
var pageSet = sync.OnceValue(func() *pages.Set {
	return pages.Must(pages.New(pages.Sub(templateFiles, "templates")))
})

// view is what biopass.html reads.
type view struct {
	pages.Door
	// Scene is "start", "enrol", "words", "touch", "key", "done", "stopped", "locked"
	// or "gone".
	Scene string
	// Lead is how "words" is introduced ("first", "again", "more", "trial"),
	// and how "done" ended ("passed", "enrolled", "skipped", "key" for a passkey
	// that was added, "confirmed" for one that was used).
	Lead string
	// Name is the person's.
	Name string
	// Link says that it is another keyboard's enrolment.
	Link bool
	// Lines counts the lines of an enrolment, Of is how many there are.
	Lines []line
	Line  int
	Of    int
	// Try and Tries count tries.
	Try, Tries int
	Days       int
	Keyboard   string
	// Words is how many a line has; Prints where one sees what is kept.
	Words  int
	Prints string
	// Skip says that enrolment can be put off, Free that it can be declined
	// without asking an admin.
	Skip, Free bool
	// Key says that a passkey can be used, KeyNew that one can be added, and
	// KeyName what it may be called; KeySaid is why the last one was not taken.
	Key, KeyNew      bool
	KeyName, KeySaid string
	// Typing says that this person can type here.
	Typing bool
	// Back leads to the application.
	Back   string
	Onward Onward
	Base   string
}

// line is one of the pins of an enrolment.
type line struct {
	Number int
	// Is is "done", "now" or "" for to come.
	Is string
}

// show answers with the page as the errand has it.
func (s *Service) show(w http.ResponseWriter, r *http.Request, holder Holder, e Errand, ok bool) error {
	c := pages.Language(r, s.conf.Languages)
	app := s.conf.Application(holder.Application)
	v := view{
		Door: pages.Door{
			Application: app.Name, Here: BasePath, Languages: s.conf.Languages,
			Styles: []string{"biopass.css"}, Scripts: []string{"biopass.js"},
		},
		Scene: "gone", Base: BasePath, Words: s.conf.Words, Of: EnrolPrints, Days: int(s.conf.Retain / (24 * time.Hour)), Tries: s.conf.Policy.attempts(),
		Onward: Onward{Continue: "/"},
	}
	if !ok {
		return pageSet().Write(w, r, c, http.StatusForbidden, "biopass", v)
	}
	if e.Language != c.Tag() { // the words are in the language of the page
		var err error
		if e, err = s.change(r.Context(), e.Application, e.Device.ID, func(now *Errand) (bool, error) {
			now.Language = c.Tag()
			return now.Person.User != "", nil
		}); err != nil {
			return err
		}
	}
	if err := s.scene(r, c, e, &v); err != nil {
		return err
	}
	var options []pages.Option
	if v.Onward.Action != "" {
		options = append(options, pages.FormsTo(append([]string{v.Onward.Action}, v.Onward.Redirects...)...))
	}
	return pageSet().Write(w, r, c, http.StatusForbidden, "biopass", v, options...)
}

// scene finds out what the page shows.
func (s *Service) scene(r *http.Request, c *lang.Catalogue, e Errand, v *view) error {
	v.Name, v.Link, v.Prints = e.Person.Name, e.Why == WhyLink, e.Origin+PrintsPath
	if v.Name == "" {
		v.Name = e.Person.User
	}
	switch {
	case e.Done():
		v.Scene, v.Lead = "done", string(e.Stage)
		if e.Key && e.Stage == Enrolled {
			v.Lead = "key"
		} else if e.Key {
			v.Lead = "confirmed"
		}
		onward, err := s.conf.Onward(r.Context(), e)
		v.Onward = Onward{
			Action: local(onward.Action, ""), Ticket: onward.Ticket, Redirects: onward.Redirects,
			Continue: local(onward.Continue, "/"), Again: onward.Again, SignIn: local(onward.SignIn, "/"),
		}
		return err
	}
	if err := s.keyScene(r, c, e, v); err != nil {
		return err
	}
	switch {
	case e.Stage == Stopped:
		v.Scene = "stopped"
		return nil
	case e.Stage == Locked:
		v.Scene = "locked"
		return nil
	case e.Why == WhyKey, v.KeyNew && touch(e.Device.Kind) && r.URL.Query().Get("keyboard") == "":
		v.Scene, v.Skip = "key", e.Why == WhyEnrol
		return nil
	case touch(e.Device.Kind) && r.URL.Query().Get("keyboard") == "":
		v.Scene, v.Typing = "touch", true
		return nil
	case e.purpose() == Verifying && v.Key:
		can, err := s.canType(r.Context(), e.Application, e.Person.User, e.Device)
		if err != nil {
			return err
		}
		if !can {
			v.Scene = "touch"
			return nil
		}
	case e.purpose() == Enrolling:
		return s.enrolScene(r, c, e, v)
	}
	v.Scene, v.Lead, v.Try = "words", "first", e.Tries.Failed+1
	switch {
	case e.Tries.Failed > 0:
		v.Lead = "again"
	case e.Tries.Spared:
		v.Lead = "more"
	}
	return nil
}

func touch(k access.Kind) bool { return k == access.Phone || k == access.Tablet }

func (s *Service) enrolScene(r *http.Request, c *lang.Catalogue, e Errand, v *view) error {
	p, err := s.book.get(r.Context(), e.Application, e.Person.User)
	if err != nil {
		return err
	}
	d, err := s.book.readDraft(r.Context(), e.Application, e.Device.ID, e.Person.User)
	if err != nil {
		return err
	}
	later := s.free(e)
	v.Free = later || (e.unwatched() && !s.guarding(e))
	if d.Name == "" || !p.consented() {
		v.Scene, v.Skip, v.Keyboard = "start", later && e.Why == WhyEnrol, keyboardName(c, e.Device)
		return nil
	}
	v.Scene, v.Line = "enrol", d.prints()+1
	for n := 1; n <= EnrolPrints; n++ {
		l := line{Number: n}
		switch {
		case n < v.Line:
			l.Is = "done"
		case n == v.Line:
			l.Is = "now"
		}
		v.Lines = append(v.Lines, l)
	}
	return nil
}

// local lets through a path on this host and an http(s) URL, and nothing that
// a browser would take for something else (threat L13).
func local(address, otherwise string) string {
	if strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") && !strings.HasPrefix(address, `/\`) {
		return address
	}
	if u, err := url.Parse(address); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		return address
	}
	return otherwise
}
