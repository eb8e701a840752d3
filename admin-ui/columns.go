package adminui

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store"
)

const (
	// columnRows is how many entries a column shows.
	columnRows = 150
	// moveMost is how many connections one move takes.
	moveMost = 1000
	// moveAsk is how many connections move without being shown first.
	moveAsk = 10
	// undoLife is how long a move can be taken back; the page offers it for
	// ten seconds.
	undoLife = time.Minute
)

// columnsPage is the two columns, for everybody or one person.
type columnsPage struct {
	frame
	Nothing           bool
	Tabs              []tab
	Application, Name string
	Applications      []choice
	Person            string
	PersonName        string
	PersonHref        string
	Search            string
	Open              bool
	Out, In           column
	Moved             *movedView
}

// column is one side.
type column struct {
	Entries []columnEntry
	Count   int
	// More is how many are not shown.
	More int
}

type columnEntry struct {
	five
	standing
	ID   string
	Seen string
}

// movedView says what was moved, and offers to take it back.
type movedView struct {
	Text    string
	Skipped []string
	Undo    string
}

// columnsOf are the views of the room of rules.
func (v *visit) ruleTabs(current string) []tab {
	return []tab{
		{v.say.Text("rules.tab.columns"), "/columns", current == "columns"},
		{v.say.Text("rules.tab.sentences"), "/rules", current == "sentences"},
	}
}

func columnsAddress(app, person string) string {
	q := url.Values{}
	if app != "" {
		q.Set("app", app)
	}
	if person != "" {
		q.Set("person", person)
	}
	if len(q) == 0 {
		return "/columns"
	}
	return "/columns?" + q.Encode()
}

func showColumns(v *visit) error {
	f, err := v.frame("rules", []string{"columns.css"}, []string{"columns.js"}, "rules", "connections", "people", "padlock")
	if err != nil {
		return err
	}
	page := columnsPage{frame: f, Tabs: v.ruleTabs("columns")}
	apps := v.applications()
	if len(apps) == 0 {
		page.Nothing = true
		return v.show(http.StatusOK, "columns", page)
	}
	app := apps[0]
	if asked := v.r.URL.Query().Get("app"); asked != "" {
		if app, err = v.application(asked); err != nil {
			return err
		}
	}
	page.Application, page.Name, page.Applications = app, v.name(app), v.applicationChoices(app)
	closed, err := v.Gate.Closed(v.ctx(), app)
	if err != nil {
		return err
	}
	page.Open = !closed
	if page.Person = v.r.URL.Query().Get("person"); page.Person != "" {
		u, err := v.people().user(page.Person)
		if err != nil {
			return err
		}
		page.PersonName, page.PersonHref = v.called(u), personHref(page.Person)
	}
	page.Search = v.r.URL.Query().Get("q")
	q := gridQuery{Application: app, Window: "all", Sort: "last", Person: page.Person, Search: page.Search}
	if err := v.fillColumns(&page, q); err != nil {
		return err
	}
	if page.Moved, err = v.moved(app, v.r.URL.Query().Get("moved")); err != nil {
		return err
	}
	return v.show(http.StatusOK, "columns", page)
}

// sides walks over the connections a query asks for and tells on which side
// each stands, until do returns false or it has looked at as many as limit.
func (v *visit) sides(q gridQuery, limit int, do func(c books.Connection, verdict access.Verdict, in bool) bool) error {
	names, err := v.search(q.Search, gridNamed, q.Application)
	if err != nil {
		return err
	}
	var failed error
	scanned := 0
	err = v.walk(q, names, nil, func(c books.Connection, _ string) bool {
		if scanned++; scanned > limit {
			return false
		}
		ok, err := v.wanted(q, c, names)
		if err != nil || !ok {
			failed = err
			return err == nil
		}
		verdict, err := v.judge(c)
		if err != nil {
			failed = err
			return false
		}
		shown := verdict
		if verdict.Shadow != nil {
			shown = *verdict.Shadow
		}
		return do(c, shown, shown.Answer == access.LetIn)
	})
	if err == nil {
		err = failed
	}
	return err
}

func (v *visit) fillColumns(page *columnsPage, q gridQuery) error {
	order := orderOf("last")
	in, out := &rows{less: order, limit: columnRows}, &rows{less: order, limit: columnRows}
	verdicts := map[string]access.Verdict{}
	err := v.sides(q, gridJudge, func(c books.Connection, verdict access.Verdict, inside bool) bool {
		side, col := out, &page.Out
		if inside {
			side, col = in, &page.In
		}
		side.offer(c)
		verdicts[c.ID] = verdict
		col.Count++
		return true
	})
	if err != nil {
		return err
	}
	names, devices := v.people(), v.deviceNames()
	for _, side := range []struct {
		rows *rows
		col  *column
	}{{out, &page.Out}, {in, &page.In}} {
		for _, c := range side.rows.page(0) {
			u, err := names.user(c.User)
			if err != nil {
				return err
			}
			e := columnEntry{ID: c.ID, Seen: v.when(c.Last), standing: v.standing(verdicts[c.ID], false)}
			if e.five, err = v.five(c, u, devices); err != nil {
				return err
			}
			side.col.Entries = append(side.col.Entries, e)
		}
		side.col.More = side.col.Count - len(side.col.Entries)
	}
	return nil
}

// movePage asks before more than ten connections move.
type movePage struct {
	frame
	To                        string
	Application, Name, Person string
	Entries                   []columnEntry
	More                      int
	Count                     int
	Back                      string
	All, Open                 bool
}

// moveConnections moves the ticked connections, or all of a side, to the other.
func moveConnections(v *visit) error {
	app, err := v.application(v.r.PostFormValue("app"))
	if err != nil {
		return err
	}
	person := v.r.PostFormValue("person")
	move := v.r.PostFormValue("move")
	to, all := "in", false
	switch move {
	case "in":
	case "out":
		to = "out"
	case "all-in":
		all = true
	case "all-out":
		to, all = "out", true
	default:
		return errBadWords
	}
	var list []books.Connection
	if all {
		q := gridQuery{Application: app, Window: "all", Sort: "last", Person: person, Search: v.r.PostFormValue("q")}
		err = v.sides(q, gridScan, func(c books.Connection, _ access.Verdict, in bool) bool {
			if in != (to == "in") {
				list = append(list, c)
			}
			return len(list) < moveMost
		})
	} else {
		// What moves right is ticked on the left, and the other way about.
		list, err = v.ticked(app, v.r.PostForm[map[string]string{"in": "out", "out": "in"}[to]])
	}
	if err != nil {
		return err
	}
	if len(list) == 0 {
		back := v.backTo(columnsAddress(app, person))
		return v.seeOther(back + query(back) + "done=move.nothing")
	}
	if len(list) > moveAsk && v.r.PostFormValue("sure") == "" {
		return v.askMove(app, person, to, all, list)
	}
	id, err := v.move(app, to, list)
	if err != nil {
		return err
	}
	back := v.backTo(columnsAddress(app, person))
	return v.seeOther(back + query(back) + "moved=" + url.QueryEscape(id))
}

// query is what joins one more field to an address.
func query(address string) string {
	if u, err := url.Parse(address); err == nil && u.RawQuery != "" {
		return "&"
	}
	return "?"
}

// ticked reads the connections of identifiers; one that went meanwhile is left
// out.
func (v *visit) ticked(app string, ids []string) ([]books.Connection, error) {
	var list []books.Connection
	for _, id := range ids[:min(len(ids), moveMost)] {
		c, err := v.Books.Connections.Get(v.ctx(), app, id)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

func (v *visit) askMove(app, person, to string, all bool, list []books.Connection) error {
	f, err := v.frame("rules", []string{"columns.css"}, nil)
	if err != nil {
		return err
	}
	page := movePage{
		frame: f, To: to, Application: app, Name: v.name(app), Person: person, Count: len(list), All: all,
		Back: v.backTo(columnsAddress(app, person)), More: max(len(list)-columnRows, 0),
	}
	closed, err := v.Gate.Closed(v.ctx(), app)
	if err != nil {
		return err
	}
	page.Open = !closed
	names, devices := v.people(), v.deviceNames()
	for _, c := range list {
		u, err := names.user(c.User)
		if err != nil {
			return err
		}
		e := columnEntry{ID: c.ID, Seen: v.when(c.Last)}
		if e.five, err = v.five(c, u, devices); err != nil {
			return err
		}
		page.Entries = append(page.Entries, e)
	}
	return v.show(http.StatusOK, "move", page)
}

// move carries the moves out, one connection after the other, and keeps how to
// take them back. What cannot be moved is counted and said.
func (v *visit) move(app, to string, list []books.Connection) (string, error) {
	u := undo{Email: v.by().Who, To: to, Skipped: map[string]int{}, Ends: v.now.Add(undoLife)}
	for _, c := range list {
		var m gate.Move
		var err error
		if to == "in" {
			own, uerr := v.mine(c)
			if uerr != nil {
				return "", uerr
			}
			if own {
				u.Skipped["own"]++
				continue
			}
			m, err = v.Gate.Authorise(v.ctx(), c, v.by())
		} else {
			m, err = v.Gate.Withdraw(v.ctx(), c, v.by())
		}
		switch {
		case errors.Is(err, gate.ErrInexact):
			u.Skipped["inexact"]++
		case errors.Is(err, gate.ErrAlwaysIn):
			u.Skipped["always"]++
		case errors.Is(err, gate.ErrLocked):
			u.Skipped["locked"]++
		case err != nil:
			return "", err
		default:
			u.Moves = append(u.Moves, undoMove{c.User, m})
		}
	}
	id := books.NewID(v.now)
	err := v.Books.Store.Apply(v.ctx(), store.Batch{Writes: []store.Write{
		{Key: undoKey(app, id), Value: books.Encode(u), TTL: undoLife},
	}})
	return id, err
}
