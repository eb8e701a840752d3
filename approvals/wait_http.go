package approvals

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Holder is the browser that waits, told from its device cookie.
type Holder struct {
	Application string
	DeviceID    string
	// LoginID is the login whose request is meant; empty for the newest.
	LoginID string
	// Back is a path on this host to which forms without script return; it
	// comes from the server's own memory, never from the request (threat L13).
	// Empty means WaitPath, which then bears ?said= (WaitingPage.Said).
	Back string
	// MadeUp is the request that one who holds none was shown elsewhere.
	MadeUp *Imitation
}

// Status is what the waiting page learns of its request. It holds nothing
// that the page did not show already.
type Status struct {
	// State is "waiting", "approved", "refused", "cancelled" or "expired".
	State     string     `json:"state"`
	Reference string     `json:"reference,omitempty"`
	Version   int        `json:"version,omitempty"`
	Opened    *time.Time `json:"opened,omitempty"`
	Decided   *time.Time `json:"decided,omitempty"`
	Until     *time.Time `json:"until,omitempty"`
	Reply     string     `json:"reply,omitempty"`
	Note      string     `json:"note,omitempty"`
	// Said is what a form brought (see WaitingPage.Said).
	Said string `json:"said,omitempty"`
}

// statusOf is a request as its page is told of it. One without an identifier
// is made up, for somebody who holds none: from outside they wait like any
// other (threat L17).
func statusOf(ask AccessRequest) Status {
	st := Status{State: string(Waiting), Reference: ask.Reference, Version: ask.Version, Note: ask.Note}
	st.Opened = moment(ask.Opened)
	switch ask.State {
	case Approved, Refused:
		st.State, st.Decided, st.Until, st.Reply = string(ask.State), moment(ask.Decision.At), moment(ask.Decision.Until), ask.Decision.Reply
	case Cancelled, Expired:
		st.State = string(ask.State)
	case Waiting, Deciding:
	}
	return st
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// waiter serves what is below WaitPath.
type waiter struct {
	s        *Service
	holder   func(*http.Request) (Holder, bool)
	stopping <-chan struct{}
	guard    *http.CrossOriginProtection
}

// WaitHandler serves /.cadenas/wait/{state,events,note,cancel,name,pass,code,
// again} to the browser that holds a request. Nothing here can approve, but a
// code that came another way: a pass, or one over the second channel. Event streams end when stopping is closed.
func (s *Service) WaitHandler(holder func(*http.Request) (Holder, bool), stopping <-chan struct{}) http.Handler {
	return &waiter{s: s, holder: holder, stopping: stopping, guard: http.NewCrossOriginProtection()}
}

func (h *waiter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	action, ok := strings.CutPrefix(r.URL.Path, WaitPath+"/")
	method := map[string]string{
		"state": http.MethodGet, "events": http.MethodGet,
		"note": http.MethodPost, "name": http.MethodPost, "cancel": http.MethodPost, "pass": http.MethodPost,
		"code": http.MethodPost, "again": http.MethodPost,
	}[action]
	if !ok || method == "" {
		http.NotFound(w, r)
		return
	}
	if r.Method != method && (r.Method != http.MethodHead || action != "state") {
		w.Header().Set("Allow", method)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if method == http.MethodPost {
		// The device cookie goes along on foreign posts too (SameSite=None), so
		// this is what stops them (threat L11).
		if err := h.guard.Check(r); err != nil {
			h.s.say(w, r, http.StatusForbidden, "trouble.foreign")
			return
		}
	}
	holder, ok := h.holder(r)
	if !ok || holder.DeviceID == "" {
		http.NotFound(w, r)
		return
	}
	ask, err := h.s.ForHolder(r.Context(), holder.Application, holder.DeviceID, holder.LoginID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		h.trouble(w, r, err)
		return
	}
	if err != nil {
		ask = h.madeUp(r.Context(), holder)
	}
	switch action {
	case "state":
		writeStatus(w, http.StatusOK, statusOf(ask))
	case "events":
		h.events(w, r, holder, ask)
	default:
		h.post(w, r, holder, ask, action)
	}
}

// madeUp is the request that one who holds none was shown. Once the gate lets
// them in their page hears of it and opens, as anybody's.
func (h *waiter) madeUp(ctx context.Context, holder Holder) AccessRequest {
	ask, ok := h.s.madeUpFor(holder)
	if ok && (holder.MadeUp == nil || !holder.MadeUp.Grouped) && h.s.LetsIn(ctx, ask) {
		ask.State = Approved
		ask.Decision.At = h.s.conf.Clock()
	}
	return ask
}

// post carries a form out. Whoever holds no request is answered as if they
// did (threat L17).
func (h *waiter) post(w http.ResponseWriter, r *http.Request, holder Holder, ask AccessRequest, action string) {
	r.Body = http.MaxBytesReader(w, r.Body, formLimit)
	err := r.ParseForm()
	if err == nil && strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		err = r.ParseMultipartForm(formLimit) //nolint:gosec // the body is bounded above
	}
	if err != nil {
		h.s.say(w, r, http.StatusBadRequest, "trouble.form")
		return
	}
	said := action
	switch action {
	case "note":
		note := r.PostForm.Get(FieldNote)
		if len([]rune(strings.TrimSpace(note))) > NoteLimit {
			said = "long"
			break
		}
		if ask.ID != "" {
			ask, err = h.s.Note(r.Context(), holder.Application, ask.ID, note)
		} else {
			ask = h.s.imitateForm(ask, func(made *AccessRequest) { made.Note = CleanText(note, NoteLimit) })
		}
	case "name":
		if ask.ID != "" {
			ask, err = h.s.Name(r.Context(), holder.Application, ask.ID, r.PostForm.Get(FieldName))
		}
	case "cancel":
		said = ""
		if ask.ID != "" {
			if err = h.s.Cancel(r.Context(), holder.Application, ask.ID); err == nil {
				ask.State = Cancelled
			}
		} else {
			ask = h.s.imitateForm(ask, func(made *AccessRequest) { made.State = Cancelled })
		}
	case "pass":
		said = ""
		if ask.ID == "" {
			said = "pass"
			break
		}
		ask, err = h.s.UsePass(r.Context(), holder.Application, ask.ID, r.PostForm.Get(FieldCode))
		if errors.Is(err, ErrPass) || errors.Is(err, ErrWidth) {
			said, err = "pass", nil
		}
	case "code":
		ask, said, err = h.code(r, holder, ask)
	case "again":
		if ask.ID == "" {
			break // as if one were on its way (threat L17)
		}
		again, sendErr := h.s.SendCode(r.Context(), holder.Application, ask.ID)
		if errors.Is(sendErr, ErrCodeSends) {
			said = "none"
			break
		}
		ask, err = again, sendErr
	}
	var decided *DecidedError
	switch {
	case err == nil:
	case errors.As(err, &decided), errors.Is(err, ErrExpired), errors.Is(err, ErrCancelled), errors.Is(err, ErrNotFound):
		said = "" // it is over: the page shows how
		if ask, err = h.s.ForHolder(r.Context(), holder.Application, holder.DeviceID, holder.LoginID); err != nil {
			ask = AccessRequest{}
		}
	default:
		h.trouble(w, r, err)
		return
	}
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		st := statusOf(ask)
		st.Said = said
		status := http.StatusOK
		switch said {
		case "pass", "long", "code", "tries", "none":
			status = http.StatusUnprocessableEntity
		}
		writeStatus(w, status, st)
		return
	}
	http.Redirect(w, r, backPath(holder.Back, said), http.StatusSeeOther) //nolint:gosec // backPath keeps to this host (threat L13)
}

// code carries the form of a code out that came over the second channel.
func (h *waiter) code(r *http.Request, holder Holder, ask AccessRequest) (AccessRequest, string, error) {
	if ask.ID == "" {
		return ask, "code", nil
	}
	now, err := h.s.UseCode(r.Context(), holder.Application, ask.ID, r.PostForm.Get(FieldCode))
	switch {
	case errors.Is(err, ErrCode), errors.Is(err, ErrWidth):
		return ask, "code", nil
	case errors.Is(err, ErrCodeTries):
		return ask, "tries", nil
	}
	return now, "", err
}

// backPath is where a form without script returns: the server's own path if
// it is one, never anything a browser would take for another host.
func backPath(back, said string) string {
	if back != "" && back != WaitPath && back[0] == '/' && !strings.HasPrefix(back, "//") && !strings.ContainsFunc(back, func(c rune) bool {
		return c < ' ' || c == 0x7f || c == '\\'
	}) {
		return back
	}
	if said != "" {
		return WaitPath + "?said=" + said
	}
	return WaitPath
}

func writeStatus(w http.ResponseWriter, code int, st Status) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(st) // the person went away: nobody left to tell
}

func (h *waiter) trouble(w http.ResponseWriter, r *http.Request, err error) {
	code := randomText(referenceLetters, 6)
	h.s.conf.Log.Error("a waiting page could not be served", "code", code, "error", err)
	w.Header().Set("Retry-After", "5")
	h.s.say(w, r, http.StatusServiceUnavailable, "trouble.again", "code", code)
}
