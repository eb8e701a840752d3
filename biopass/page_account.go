package biopass

import (
	"net/http"

	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
	"github.com/cadenas-gateway/cadenas/passkey"
)

// LinkPath is what a link for another keyboard opens, and PrintsPath where a
// person sees what is kept of them. Both stand on the application's host,
// where the person is signed in.
const (
	LinkPath   = BasePath + "/link"
	PrintsPath = BasePath + "/prints"
)

// LinkState says what a link for another keyboard is worth to who opened it.
type LinkState string

// The states. LinkSignIn is nobody who is signed in and let in here.
const (
	LinkSignIn LinkState = ""
	LinkGood   LinkState = "good"
	LinkBad    LinkState = "bad"
)

// LinkPage is the page behind a link for another keyboard.
type LinkPage struct {
	Application string
	Languages   []string
	State       LinkState
	// Token is the link's, for the button that uses it.
	Token  string
	SignIn string
	// Prints says that the page asked for was PrintsPath.
	Prints bool
}

type linkView struct {
	pages.Door
	Link LinkPage
	Post string
}

// WriteLink answers with the page behind a link.
func WriteLink(w http.ResponseWriter, r *http.Request, c *lang.Catalogue, p LinkPage) error {
	status := http.StatusOK
	if p.State != LinkGood {
		status = http.StatusForbidden
	}
	return pageSet().Write(w, r, c, status, "link", linkView{
		Door: pages.Door{
			Application: p.Application, Here: here(r), Languages: p.Languages, Styles: []string{"biopass.css"},
		},
		Link: p, Post: LinkPath,
	})
}

// here keeps the token of a link in the address of another language.
func here(r *http.Request) string {
	if r.Method == http.MethodGet {
		return local(r.URL.RequestURI(), BasePath)
	}
	return BasePath
}

// PrintsPage is what a person sees of what is kept of them.
type PrintsPage struct {
	Application string
	Languages   []string
	Account     Account
	// Keys are the person's passkeys, AddKey says that they may add one.
	Keys   []passkey.Passkey
	AddKey bool
	// Said is what was just done: "renamed", "erased" for one keyboard, "gone"
	// for all that was kept. Another word says nothing.
	Said string
}

type printsView struct {
	pages.Door
	Account Account
	Keys    []passkey.Passkey
	AddKey  bool
	Path    string
	Said    string
}

// WritePrints answers with what is kept of a person.
func WritePrints(w http.ResponseWriter, r *http.Request, c *lang.Catalogue, p PrintsPage) error {
	said := ""
	if key := "biopass.prints.said." + p.Said; c.Has(key) {
		said = c.Text(key)
	}
	return pageSet().Write(w, r, c, http.StatusOK, "prints", printsView{
		Door:    pages.Door{Application: p.Application, Here: PrintsPath, Languages: p.Languages, Styles: []string{"biopass.css"}},
		Account: p.Account, Keys: p.Keys, AddKey: p.AddKey, Path: PrintsPath, Said: said,
	})
}

// ErasePage asks once more before something is erased.
type ErasePage struct {
	Application string
	Languages   []string
	// Keyboard is what is to go; nil for all that is kept.
	Keyboard *AccountKeyboard
	// Last says that it is the only keyboard there is.
	Last bool
}

type eraseView struct {
	pages.Door
	Keyboard *AccountKeyboard
	Last     bool
	Path     string
}

// WriteErase answers with the question.
func WriteErase(w http.ResponseWriter, r *http.Request, c *lang.Catalogue, p ErasePage) error {
	return pageSet().Write(w, r, c, http.StatusOK, "erase", eraseView{
		Door:     pages.Door{Application: p.Application, Here: here(r), Languages: p.Languages, Styles: []string{"biopass.css"}},
		Keyboard: p.Keyboard, Last: p.Last, Path: PrintsPath,
	})
}
