package adminui

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store"
)

// undo is what can be taken back, as the store keeps it for a minute.
type undo struct {
	Email   string
	To      string
	Moves   []undoMove
	Skipped map[string]int
	Ends    time.Time
	// Kept counts, once it was taken back, what was not: somebody has changed it
	// since, by whom, "" where nobody can be named.
	Kept map[string]int
}

type undoMove struct {
	User string
	Move gate.Move
}

func undoKey(app, id string) string { return books.Key(app, "console-undo", id) }

// moved reads what was just moved, for the page that follows.
func (v *visit) moved(app, id string) (*movedView, error) {
	if id == "" {
		return nil, nil
	}
	u, err := books.Get[undo](v.ctx(), v.Books.Store, undoKey(app, id))
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(u.Kept) > 0 {
		return v.keptMoves(u), nil
	}
	m := &movedView{Text: v.say.Text("moved."+u.To, "count", len(u.Moves))}
	for _, why := range []string{"inexact", "always", "locked", "own"} {
		if n := u.Skipped[why]; n > 0 {
			m.Skipped = append(m.Skipped, v.say.Text("moved.skipped."+why, "count", n))
		}
	}
	if len(u.Moves) > 0 && u.Email == v.by().Who && v.now.Before(u.Ends) {
		m.Undo = id
	}
	return m, nil
}

// undoMoves takes the last move back.
func undoMoves(v *visit) error {
	app, err := v.application(v.r.PostFormValue("app"))
	if err != nil {
		return err
	}
	id := v.r.PostFormValue("undo")
	back := v.backTo(columnsAddress(app, ""))
	u, err := books.Get[undo](v.ctx(), v.Books.Store, undoKey(app, id))
	if isNotFound(err) || (err == nil && (u.Email != v.by().Who || !v.now.Before(u.Ends))) {
		return v.seeOther(back + query(back) + "done=undo.late")
	}
	if err != nil {
		return err
	}
	u.Kept = map[string]int{}
	for _, m := range u.Moves {
		err := v.Gate.TakeBack(v.ctx(), m.Move, m.User, v.by())
		if errors.Is(err, gate.ErrMovedSince) {
			var who string
			if who, err = v.changedBy(m.Move); err == nil {
				u.Kept[who]++
			}
		}
		if err != nil {
			return err
		}
	}
	done, write := "done=undo.done", store.Write{Key: undoKey(app, id)}
	if len(u.Kept) > 0 {
		u.Ends = time.Time{} // once
		done, write.Value, write.TTL = "moved="+url.QueryEscape(id), books.Encode(u), undoLife
	}
	if err := v.Books.Store.Apply(v.ctx(), store.Batch{Writes: []store.Write{write}}); err != nil {
		return err
	}
	return v.seeOther(back + query(back) + done)
}

// changedLook is how many entries of the audit are looked at for who changed a
// connection.
const changedLook = 200

// changedBy is which other admin changed a connection last, "" where the audit
// names none: it was forgotten with its device or its person.
func (v *visit) changedBy(m gate.Move) (string, error) {
	list, err := v.Books.Audit.Newest(v.ctx(), m.Application, "", changedLook)
	for _, e := range list {
		if e.Detail["connection"] == m.Connection {
			if e.Who == v.by().Who {
				break
			}
			return e.Who, err
		}
	}
	return "", err
}

// keptMoves says what could not be taken back, and who had changed it.
func (v *visit) keptMoves(u undo) *movedView {
	m, kept := &movedView{}, 0
	for _, who := range slices.Sorted(maps.Keys(u.Kept)) {
		n := u.Kept[who]
		kept += n
		if who == "" {
			m.Skipped = append(m.Skipped, v.say.Text("undo.kept", "count", n))
			continue
		}
		m.Skipped = append(m.Skipped, v.say.Text("undo.kept.by", "count", n, "who", v.author(who)))
	}
	if kept < len(u.Moves) {
		m.Text = v.say.Text("done.undo.done")
	}
	return m
}
