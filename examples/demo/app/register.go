package app

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// child is one line of the register.
type child struct {
	ID      int       `json:"id"`
	Name    string    `json:"name"`
	Group   string    `json:"group"`
	Here    bool      `json:"here"`
	Since   time.Time `json:"since,omitzero"`
	By      string    `json:"by,omitempty"`
	Allergy string    `json:"allergy,omitempty"`
}

// At is the time of arrival as the page shows it.
func (c child) At() string {
	if !c.Here {
		return ""
	}
	return c.Since.Format("15:04")
}

// register is who is in the centre.
type register struct {
	mu       sync.Mutex
	children []child
}

// fill opens the day: most children have come.
func (g *register) fill(now time.Time) {
	opening := time.Date(now.Year(), now.Month(), now.Day(), 7, 2, 0, 0, now.Location())
	for i, c := range []child{
		{Name: "Alice Gagnon", Group: "Fireflies", Here: true, By: "her father"},
		{Name: "Amir Haddad", Group: "Otters", Here: true, By: "his mother"},
		{Name: "Béatrice Côté", Group: "Fireflies", Here: true, By: "her grandmother", Allergy: "peanuts"},
		{Name: "Émile Pelletier", Group: "Otters"},
		{Name: "Inès Moreau", Group: "Otters", Here: true, By: "her mother"},
		{Name: "Léo Bouchard", Group: "Fireflies", Here: true, By: "his father"},
		{Name: "Nora Lindqvist", Group: "Fireflies", Here: true, By: "her mother", Allergy: "eggs"},
		{Name: "Théo Nguyen", Group: "Otters"},
		{Name: "Zoé Fortin", Group: "Otters", Here: true, By: "her brother"},
	} {
		c.ID = i + 1
		if c.Here {
			c.Since = opening.Add(time.Duration(i*7) * time.Minute)
		}
		g.children = append(g.children, c)
	}
}

// list returns a copy of the register and how many children are here.
func (g *register) list() (children []child, here int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.children {
		if c.Here {
			here++
		}
	}
	return slices.Clone(g.children), here
}

// mark notes that a child came or left; unknown children are left alone.
func (g *register) mark(id int, here bool, now time.Time, by string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, c := range g.children {
		if c.ID == id && c.Here != here {
			g.children[i].Here, g.children[i].Since, g.children[i].By = here, now, by
		}
	}
}

type registerPage struct {
	Account  Account
	Day      string
	Children []child
	Here     int
	// Script is set where a script fills the page, with its token.
	Script bool
}

func (a *application) showRegister(w http.ResponseWriter, r *http.Request) {
	page := registerPage{Day: a.options.Now().Format("Monday, 2 January 2006")}
	if a.options.Login == Token {
		// The token is with the page's script: the server sends the bare page
		// to anybody.
		page.Script = true
		show(w, http.StatusOK, "register.html", page)
		return
	}
	account, ok := a.who(r)
	if !ok {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	page.Account = account
	page.Children, page.Here = a.register.list()
	show(w, http.StatusOK, "register.html", page)
}

func (a *application) mark(w http.ResponseWriter, r *http.Request, account Account) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogin)
	id, err := strconv.Atoi(r.PostFormValue("child"))
	if err != nil {
		http.Error(w, "which child?", http.StatusBadRequest)
		return
	}
	first, _, _ := strings.Cut(account.Name, " ")
	a.register.mark(id, r.PostFormValue("here") == "yes", a.options.Now(), first)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *application) present(w http.ResponseWriter, _ *http.Request, _ Account) {
	children, here := a.register.list()
	answer(w, http.StatusOK, map[string]any{"children": children, "here": here, "of": len(children)})
}

// sheet is the register as a file to take away.
func (a *application) sheet(w http.ResponseWriter, r *http.Request, _ Account) {
	children, _ := a.register.list()
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	rows := [][]string{{"name", "group", "here", "since"}}
	for _, c := range children {
		rows = append(rows, []string{c.Name, c.Group, strconv.FormatBool(c.Here), c.At()})
	}
	if err := out.WriteAll(rows); err != nil {
		http.Error(w, fmt.Sprintf("writing the register: %v", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Disposition", `attachment; filename="register.csv"`)
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	http.ServeContent(w, r, "register.csv", a.started, bytes.NewReader(b.Bytes()))
}
