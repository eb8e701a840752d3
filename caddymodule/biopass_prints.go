package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/pages"
)

// ownPrints shows people what is kept of them, and lets them rename a
// keyboard, and erase one or all of it.
func (q *request) ownPrints() error {
	p, in, err := q.inside()
	if err != nil {
		return q.unavailable(err)
	}
	c := pages.Language(q.r, q.run.app.Languages)
	if !in {
		return biopass.WriteLink(q.w, q.r, c, biopass.LinkPage{Application: q.name, Languages: q.run.app.Languages, SignIn: "/", Prints: true})
	}
	action := strings.TrimPrefix(strings.TrimPrefix(q.r.URL.Path, biopass.PrintsPath), "/")
	if q.r.Method == http.MethodPost {
		return q.changePrints(p, action)
	}
	a, err := q.run.keptOf(q.r.Context(), q.name, p.User)
	if err != nil {
		return q.unavailable(err)
	}
	switch action {
	case "name":
		return q.nothingHere() // a form leads there, and nothing else
	case "erase":
		return q.askErase(a.Account)
	case "export":
		h := q.w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		return json.NewEncoder(q.w).Encode(a)
	}
	service := q.run.biopass
	page := biopass.PrintsPage{
		Application: q.name, Languages: q.run.app.Languages, Account: a.Account, Said: q.r.URL.Query().Get("said"),
	}
	if page.Keys, _, err = service.Keys(q.r.Context(), q.name, p.User); err != nil {
		return q.unavailable(err)
	}
	if page.AddKey, err = service.MayAddKey(q.r.Context(), q.name, p.User, q.confirmed()); err != nil {
		return q.unavailable(err)
	}
	return biopass.WritePrints(q.w, q.r, c, page)
}

// askErase asks once more. Looking erases nothing.
func (q *request) askErase(a biopass.Account) error {
	page := biopass.ErasePage{Application: q.name, Languages: q.run.app.Languages, Last: len(a.Keyboards) == 1}
	if id := q.r.URL.Query().Get("keyboard"); id != "" {
		for i := range a.Keyboards {
			if a.Keyboards[i].ID == id {
				page.Keyboard = &a.Keyboards[i]
			}
		}
		if page.Keyboard == nil { // erased meanwhile
			http.Redirect(q.w, q.r, biopass.PrintsPath, http.StatusSeeOther)
			return nil
		}
	}
	return biopass.WriteErase(q.w, q.r, pages.Language(q.r, q.run.app.Languages), page)
}

// changePrints does what a form of theirs asks for. The session cookie goes
// along on foreign posts too (threat L11).
func (q *request) changePrints(p access.Person, action string) error {
	if http.NewCrossOriginProtection().Check(q.r) != nil {
		return q.nothingHere()
	}
	q.r.Body = http.MaxBytesReader(q.w, q.r.Body, 4096)
	ctx, service := q.r.Context(), q.run.biopass
	keyboard := q.r.PostFormValue("keyboard")
	note := books.Entry{Who: "user:" + p.User, From: q.print.Address.String(), Via: "gate"}
	var said string
	var err error
	switch { // a form that cannot be read names nothing, and so erases nothing
	case action == "name":
		said = "renamed"
		_, _, err = service.RenameKeyboard(ctx, q.name, p.User, keyboard, q.r.PostFormValue("name"), note)
	case action == "erase" && keyboard != "":
		said = "erased"
		_, err = service.EraseKeyboard(ctx, q.name, p.User, keyboard, note)
	case action == "erase" && q.r.PostFormValue("all") != "":
		said = "gone"
		_, err = service.Erase(ctx, q.name, p.User, note)
	default:
		return q.nothingHere()
	}
	to := biopass.PrintsPath
	switch {
	case errors.Is(err, biopass.ErrNoKeyboard), errors.Is(err, biopass.ErrNoName):
		// Erased in another window, or an empty name that the form does not
		// let through: the page shows how it is.
	case err != nil:
		return q.unavailable(err)
	default:
		to += "?" + url.Values{"said": {said}}.Encode()
	}
	http.Redirect(q.w, q.r, to, http.StatusSeeOther)
	return nil
}
