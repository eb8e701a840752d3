package app

import "net/http"

// codePath is the page of the second step.
const codePath = "/login/code"

// askCode leads one whose password was right to the second step: nobody is
// signed in yet.
func (a *application) askCode(w http.ResponseWriter, r *http.Request, account Account) {
	a.sessions.end(a.carried(r))
	value := a.sessions.start("")
	a.sessions.ask(value, account.User)
	setCookie(w, value)
	http.Redirect(w, r, codePath, http.StatusSeeOther)
}

// ask notes whose code is asked for in a session.
func (s *sessions) ask(value, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.open[value]
	found.waits = user
	s.open[value] = found
}

func (a *application) showCode(w http.ResponseWriter, r *http.Request) {
	if found, ok := a.sessions.get(a.carried(r)); !ok || found.waits == "" {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	show(w, http.StatusOK, "code.html", nil)
}

func (a *application) checkCode(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogin)
	before := a.carried(r)
	found, ok := a.sessions.get(before)
	switch {
	case !ok || found.waits == "":
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	case !same(r.PostFormValue("code"), a.options.Code):
		http.Redirect(w, r, codePath, http.StatusSeeOther)
	default:
		a.sessions.end(before)
		setCookie(w, a.sessions.start(found.waits))
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}
