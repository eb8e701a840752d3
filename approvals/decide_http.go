package approvals

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
	"github.com/cadenas-gateway/cadenas/seal"
)

const (
	formPurpose = "decide-form"
	formLife    = 24 * time.Hour
	formLimit   = 16 << 10
)

// decider serves /decide/{token} on the console's host.
type decider struct {
	s       *Service
	session func(*http.Request) (books.Admin, bool)
	guard   *http.CrossOriginProtection
}

// DecideHandler serves the page behind a notice's link, /decide/{token}, on
// the console's host. Session tells the signed-in admin of a request; nil
// means that nobody ever is.
//
// GET and HEAD change nothing. A POST needs the number that only the waiting
// person sees, or a console session; a refusal needs a tick where there is
// neither: whatever a mail scanner presses, nothing happens (threat L10).
func (s *Service) DecideHandler(session func(*http.Request) (books.Admin, bool)) http.Handler {
	if session == nil {
		session = func(*http.Request) (books.Admin, bool) { return books.Admin{}, false }
	}
	return &decider{s: s, session: session, guard: http.NewCrossOriginProtection()}
}

// reader is who looks at the page, and by what.
type reader struct {
	link link
	// admin is the approver: who is signed in, else whom the link was sent to.
	admin    books.Admin
	signedIn bool
	// channel is the link's, where it was sent to this very approver.
	channel string
	ask     AccessRequest
}

func (d *decider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	token, ok := strings.CutPrefix(r.URL.Path, DecidePath)
	if !ok || token == "" || strings.Contains(token, "/") {
		http.NotFound(w, r)
		return
	}
	if r.Method == http.MethodPost {
		if err := d.guard.Check(r); err != nil { // threat L11
			d.s.say(w, r, http.StatusForbidden, "trouble.foreign")
			return
		}
	}
	who, problem := d.read(r, token)
	if problem != nil && !known(problem) {
		d.trouble(w, r, problem)
		return
	}
	page := d.page(r, token, who)
	if problem != nil || r.Method != http.MethodPost {
		page.Problem = problem
		if errors.Is(problem, ErrNotYours) {
			page.Ask = AccessRequest{Application: who.link.Application} // nothing of it is told
		}
		page.Done = page.Mine && r.URL.Query().Has("done")
		d.write(w, r, who, page)
		return
	}
	d.post(w, r, token, who, page)
}

// read opens the token and looks up what it is about and who holds it.
func (d *decider) read(r *http.Request, token string) (reader, error) {
	var who reader
	sealed, err := d.s.lengthen(r.Context(), token)
	if err != nil && !errors.Is(err, seal.ErrOpen) {
		return who, err
	}
	l, err := d.s.openLink(sealed)
	if errors.Is(err, seal.ErrOpen) {
		return who, ErrNotFound
	}
	overdue := err // ErrExpired or nil: the page may still say what it was
	who.link = l
	if l.Self {
		return d.readSelf(r, who, overdue)
	}
	who.admin, who.signedIn = d.session(r)
	if !who.signedIn {
		var ok bool
		if who.admin, ok = d.s.admin(l.Admin); !ok {
			return who, ErrNotYours // no admin any more (threat L23)
		}
	}
	if !who.admin.LooksAfter(l.Application) {
		return who, ErrNotYours
	}
	if strings.EqualFold(who.admin.Email, l.Admin) {
		who.channel = l.Channel
	}
	if who.ask, err = d.s.Get(r.Context(), l.Application, l.ID); err != nil {
		return who, err
	}
	if overdue != nil && who.ask.State.Open() && !who.signedIn {
		return who, overdue
	}
	if IsOwn(who.ask, who.admin) {
		// Being signed in here may be being signed in on the very device that
		// waits: it counts for nothing about one's own request (threat L24).
		who.signedIn = false
		if who.ask.State.Open() && !d.s.selfChannel(l.Application, who.channel) {
			return who, ErrOwnRequest
		}
	}
	return who, nil
}

// readSelf is read for the link that was sent to the person who asks. A
// console session counts for nothing here, also an admin's.
func (d *decider) readSelf(r *http.Request, who reader, overdue error) (reader, error) {
	var err error
	l := who.link
	if who.ask, err = d.s.Get(r.Context(), l.Application, l.ID); err != nil {
		return who, err
	}
	who.admin, who.channel = selfApprover(who.ask), l.Channel
	switch {
	case !who.ask.State.Open():
		return who, nil
	case overdue != nil:
		return who, overdue
	case !d.s.ownChannel(l.Application, who.admin, l.Channel):
		return who, ErrOwnRequest
	}
	return who, nil
}

// known reports whether the page has words for an error; others are trouble
// of ours.
func known(err error) bool {
	var decided *DecidedError
	var changed *ChangedError
	var number *NumberError
	if errors.As(err, &decided) || errors.As(err, &changed) || errors.As(err, &number) {
		return true
	}
	for _, e := range []error{
		ErrNotFound, ErrExpired, ErrCancelled, ErrNotYours, ErrOwnRequest, ErrLinkClosed, ErrNotConfirmed,
		ErrUnsure, ErrWidth, ErrUntil, ErrEnd,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (d *decider) page(r *http.Request, token string, who reader) DecidePage {
	app := d.s.conf.Application(who.ask.Application)
	here := DecidePath + url.PathEscape(token)
	p := DecidePage{
		Ask: WithoutSecrets(who.ask), Application: app.Name, Languages: d.s.conf.Languages,
		Here: here, Admin: lang.Inert(who.admin.Name, 80), SignedIn: who.signedIn,
		Console: d.s.conf.Console, GrantFor: app.GrantFor, Now: d.s.conf.Clock(), Limits: d.s.conf.Limits,
	}
	p.Mine = who.ask.Decision.By != "" && strings.EqualFold(who.ask.Decision.By, who.admin.Email)
	if who.ask.State.Open() {
		p.Widths = d.s.PossibleWidths(who.ask)
		if IsOwn(who.ask, who.admin) {
			p.Widths = []Width{WidthConnection}
		}
		p.Token = d.formToken(token, who)
	}
	return p
}

// formState is what a form was made for: the POST decides what was shown, for
// who was shown it.
type formState struct {
	Version  int       `cbor:"1,keyasint"`
	Issued   time.Time `cbor:"2,keyasint"`
	SignedIn bool      `cbor:"3,keyasint"`
}

// formToken seals a form to its page, its request's version and its approver:
// it cannot be made elsewhere (threat L11), nor used for what changed since
// (threat L10).
func (d *decider) formToken(token string, who reader) string {
	state := formState{Version: who.ask.Version, Issued: d.s.conf.Clock(), SignedIn: who.signedIn}
	return d.s.conf.Ring().SealText(books.Encode(state), formPurpose, digest(token), who.admin.Email)
}

func (d *decider) openForm(sealed, token string, who reader) (formState, bool) {
	plain, err := d.s.conf.Ring().OpenText(sealed, formPurpose, digest(token), who.admin.Email)
	if err != nil {
		return formState{}, false
	}
	var f formState
	if books.Decode(plain, &f) != nil || d.s.conf.Clock().Sub(f.Issued) >= formLife {
		return formState{}, false
	}
	return f, true
}

func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func (d *decider) post(w http.ResponseWriter, r *http.Request, token string, who reader, page DecidePage) {
	r.Body = http.MaxBytesReader(w, r.Body, formLimit)
	if err := r.ParseForm(); err != nil {
		d.s.say(w, r, http.StatusBadRequest, "trouble.form")
		return
	}
	form := r.PostForm
	page.Chosen = Chosen{
		Width: Width(form.Get(FieldWidth)), End: End(form.Get(FieldEnd)), Until: form.Get(FieldUntil),
		Reply: CleanText(form.Get(FieldReply), NoteLimit), Sure: form.Get(FieldSure) != "",
	}
	shown, ok := d.openForm(form.Get(FieldToken), token, who)
	if !ok {
		// Made for somebody else, too long ago, or not by us: look again.
		page.Problem = &ChangedError{Ask: page.Ask}
		d.write(w, r, who, page)
		return
	}
	choice, err := d.choice(r, who, shown, page)
	var ask AccessRequest
	if err == nil {
		ask, err = d.s.Decide(r.Context(), choice)
	}
	switch {
	case err == nil && (ask.State == Approved || ask.State == Refused):
		http.Redirect(w, r, page.Here+"?done", http.StatusSeeOther)
		return
	case err == nil:
		err = errors.New("the decision was not carried out")
		fallthrough
	case !known(err):
		d.trouble(w, r, err)
		return
	}
	// The page shows what holds now, and keeps what was typed.
	if now, again := d.s.Get(r.Context(), who.link.Application, who.link.ID); again == nil {
		who.ask = now
		fresh := d.page(r, token, who)
		fresh.Chosen = page.Chosen
		page = fresh
	}
	page.Problem = withoutSecretsIn(err)
	d.write(w, r, who, page)
}

func withoutSecretsIn(err error) error {
	var decided *DecidedError
	var changed *ChangedError
	switch {
	case errors.As(err, &decided):
		return &DecidedError{Ask: WithoutSecrets(decided.Ask)}
	case errors.As(err, &changed):
		return &ChangedError{Ask: WithoutSecrets(changed.Ask)}
	}
	return err
}

func (d *decider) choice(r *http.Request, who reader, shown formState, page DecidePage) (Choice, error) {
	form := r.PostForm
	c := Choice{
		Application: who.link.Application, ID: who.link.ID, Version: shown.Version,
		By: who.admin, From: d.s.clientIP(r), Via: ViaMail, Channel: who.channel,
		SignedIn: who.signedIn, Number: form.Get(FieldNumber), Sure: form.Get(FieldSure) != "",
		Confirmed: form.Get(FieldConfirmed) != "", Reply: form.Get(FieldReply),
	}
	if who.link.Admin != "" && !strings.EqualFold(who.link.Admin, who.admin.Email) {
		c.detail = map[string]string{"link_of": who.link.Admin}
	}
	switch form.Get(FieldDecision) {
	case "refuse":
		c.Effect = access.Refuse
		return c, nil
	case "approve":
		c.Effect = access.Allow
	default:
		return c, ErrNotConfirmed // no button of ours was pressed
	}
	c.Width = page.Chosen.Width
	end, until := page.Chosen.End, page.Chosen.Until
	if end == "" {
		end, until = endFor(page.GrantFor, page.Now)
	}
	var err error
	c.Until, err = end.Time(until, page.Now)
	return c, err
}

func (d *decider) write(w http.ResponseWriter, r *http.Request, who reader, page DecidePage) {
	c := pages.Language(r, d.s.conf.Languages)
	if _, err := r.Cookie(pages.LangCookie); err != nil && !r.URL.Query().Has(pages.LangQuery) && who.admin.Language != "" {
		c = lang.For(lang.Choose(who.admin.Language, "", d.s.conf.Languages))
	}
	if err := WriteDecide(w, r, c, page); err != nil {
		d.s.conf.Log.Error("a page could not be drawn", "page", "decide", "error", err)
	}
}

// say answers with one sentence in the reader's language, for what no page of
// ours can show.
func (s *Service) say(w http.ResponseWriter, r *http.Request, status int, key string, pairs ...any) {
	http.Error(w, pages.Language(r, s.conf.Languages).Text(key, pairs...), status)
}

// trouble answers for an error of ours; nothing was decided.
func (d *decider) trouble(w http.ResponseWriter, r *http.Request, err error) {
	code := randomText(referenceLetters, 6)
	d.s.conf.Log.Error("an access request could not be decided", "code", code, "error", err)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Retry-After", "5")
	d.s.say(w, r, http.StatusServiceUnavailable, "trouble.decide", "code", code)
}

func (s *Service) clientIP(r *http.Request) string {
	if s.conf.ClientIP != nil {
		return s.conf.ClientIP(r)
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
