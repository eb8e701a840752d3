package biopass

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/cadenas-gateway/cadenas/pages"
)

// BasePath is where the page is had by GET on its host; its forms and its
// calls are below it.
const BasePath = "/.cadenas/biopass"

// Holder is the browser that is to type, told from its device cookie or from
// the ticket that led it to the gate's host.
type Holder struct {
	Application string
	DeviceID    string
	// Waiting is the waiting page on this host, where a person goes who asked
	// an admin.
	Waiting string
}

type handler struct {
	s      *Service
	holder func(*http.Request) (Holder, bool)
	guard  *http.CrossOriginProtection
}

// Handler serves BasePath and what is below it to the browser of an errand.
// What it answers holds no score, no print and no threshold.
func (s *Service) Handler(holder func(*http.Request) (Holder, bool)) http.Handler {
	return &handler{s: s, holder: holder, guard: http.NewCrossOriginProtection()}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	action := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, BasePath), "/")
	post := r.Method == http.MethodPost
	switch action {
	case "":
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.notAllowed(w, "GET, HEAD")
			return
		}
	case "passkey", "passkey/options", "passkey/new", "passkey/new/options", "words", "begin", "typed", "consent", "decline", "skip", "ask":
		if !post {
			h.notAllowed(w, http.MethodPost)
			return
		}
		// The device cookie goes along on foreign posts too (threat L11).
		if err := h.guard.Check(r); err != nil {
			h.say(w, r, http.StatusForbidden, "trouble.foreign")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, MaxCapture+1)
	default:
		http.NotFound(w, r)
		return
	}
	holder, ok := h.holder(r)
	if !ok || holder.DeviceID == "" {
		http.NotFound(w, r)
		return
	}
	e, ok, err := h.s.Errand(r.Context(), holder.Application, holder.DeviceID)
	if err != nil {
		h.trouble(w, r, err)
		return
	}
	switch {
	case action == "":
		err = h.s.show(w, r, holder, e, ok)
	case !ok:
		h.refuse(w, r, RefusedLate)
	case action == "words", action == "begin", action == "typed":
		err = h.call(w, r, e, action)
	case action == "passkey/options", action == "passkey/new/options":
		err = h.keyOptions(w, r, e, action == "passkey/new/options")
	case action == "passkey", action == "passkey/new":
		err = h.keyForm(w, r, e, action == "passkey/new")
	default:
		err = h.form(w, r, holder, e, action)
	}
	if err != nil {
		h.trouble(w, r, err)
	}
}

// told is what a call of the page's script is answered.
type told struct {
	// State is "line" (enrolment goes on), "again", "more", "done", "stopped"
	// or "refused".
	State string `json:"state,omitempty"`
	// Line and Of count the lines of an enrolment.
	Line int `json:"line,omitempty"`
	Of   int `json:"of,omitempty"`
	// Challenge and Words are the line to type; Starts and Life how many
	// seconds it waits for its first key, and lasts from there.
	Challenge string   `json:"challenge,omitempty"`
	Words     []string `json:"words,omitempty"`
	Starts    int      `json:"starts,omitempty"`
	Life      int      `json:"life,omitempty"`
	// Why is the refusal's key, Say its sentence; Other says that this
	// keyboard cannot do it.
	Why   string `json:"why,omitempty"`
	Say   string `json:"say,omitempty"`
	Other bool   `json:"other,omitempty"`
}

// call answers the page's script.
func (h *handler) call(w http.ResponseWriter, r *http.Request, e Errand, action string) error {
	switch action {
	case "words":
		line, err := h.s.Line(r.Context(), e)
		if err != nil {
			return h.or(w, r, err)
		}
		t := told{
			State: "line", Challenge: line.ID, Words: line.Words,
			Starts: int(StartGrace.Seconds()), Life: int(LineLife.Seconds()),
		}
		if line.Purpose == Enrolling {
			t.Line, t.Of = line.Step, EnrolPrints
		}
		return answer(w, http.StatusOK, t)
	case "begin":
		c, err := ReadCapture(r.Body)
		if err == nil && len(c.Events) > 0 {
			err = RefusedForm
		}
		if err == nil {
			err = h.s.Start(r.Context(), e, c.Challenge)
		}
		if err != nil {
			return h.or(w, r, err)
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	c, err := ReadCapture(r.Body)
	if err != nil {
		return h.or(w, r, err)
	}
	next, err := h.s.Typed(r.Context(), e, c)
	if err != nil {
		return h.or(w, r, err)
	}
	return answer(w, next.status(), h.told(r, next))
}

func (n Next) status() int {
	if n.Refused != nil {
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

func (h *handler) told(r *http.Request, next Next) told {
	var t told
	switch {
	case next.Stage == Passed || next.Stage == Enrolled || next.Stage == Skipped:
		t.State = "done"
	case next.Stage == Stopped || next.Stage == Locked:
		t.State = "stopped"
	case next.Outcome == TryAgain || next.Outcome == WouldSpend:
		t.State = "again"
	case next.Outcome == OneMore && next.Refused == nil:
		t.State = "more"
	case next.Refused == nil:
		t.State, t.Line, t.Of = "line", next.Done+1, EnrolPrints
	default:
		t.State = "refused"
	}
	if next.Refused != nil {
		t.Why, t.Other = next.Refused.Key, next.Refused.Other
		t.Say = pages.Language(r, h.s.conf.Languages).Text("biopass.refused." + next.Refused.Key)
	}
	return t
}

// or answers a refusal; other errors are the caller's.
func (h *handler) or(w http.ResponseWriter, r *http.Request, err error) error {
	var refused *Refusal
	if errors.As(err, &refused) {
		h.refuse(w, r, refused)
		return nil
	}
	if errors.Is(err, errGone) {
		h.refuse(w, r, RefusedLate)
		return nil
	}
	return err
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, refused *Refusal) {
	// The browser went away: nobody left to tell.
	_ = answer(w, http.StatusUnprocessableEntity, h.told(r, Next{Refused: refused}))
}

func answer(w http.ResponseWriter, status int, t told) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(t)
}

// form carries a form out and leads back to the page, or to the waiting page.
func (h *handler) form(w http.ResponseWriter, r *http.Request, holder Holder, e Errand, action string) error {
	if err := r.ParseForm(); err != nil {
		h.say(w, r, http.StatusBadRequest, "trouble.form")
		return nil
	}
	to := BasePath
	var err error
	switch action {
	case "consent":
		err = h.s.Consent(r.Context(), e, pages.Language(r, h.s.conf.Languages).Tag(), r.PostForm.Get("keyboard"))
	case "skip":
		err = h.s.Skip(r.Context(), e)
	case "decline":
		var asked bool
		if asked, err = h.s.Decline(r.Context(), e); asked {
			to = holder.Waiting
		}
	case "ask":
		if err = h.s.AskAdmin(r.Context(), e); err == nil && !e.Done() && e.Why != WhyLink && e.Why != WhyKey && !e.unwatched() {
			to = holder.Waiting
		}
	}
	if err != nil && !errors.Is(err, errGone) {
		return err
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func (h *handler) notAllowed(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
}

// say answers with one sentence in the reader's language, for what no page of
// ours can show.
func (h *handler) say(w http.ResponseWriter, r *http.Request, status int, key string, pairs ...any) {
	http.Error(w, pages.Language(r, h.s.conf.Languages).Text(key, pairs...), status)
}

// trouble answers where the gate cannot tell, with a code that finds the log
// line.
func (h *handler) trouble(w http.ResponseWriter, r *http.Request, err error) {
	var b [5]byte
	rand.Read(b[:])
	code := base32.StdEncoding.EncodeToString(b[:])
	h.s.conf.Log.Error("a Biopass page could not be served", "code", code, "error", err)
	w.Header().Set("Retry-After", "5")
	h.say(w, r, http.StatusServiceUnavailable, "trouble.again", "code", code)
}
