package adminui

import (
	"context"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/lang"
)

// What one page costs at the most, however many connections there are.
const (
	// gridCount is how many connections are counted; of more the page says
	// "more than".
	gridCount = 10_000
	// gridLook is how many records a filter reads, gridJudge how many verdicts
	// it asks for; behind them the page offers to look further back.
	gridLook  = 2000
	gridJudge = 400
	// gridWords is how many records the words to filter by are taken from.
	gridWords = 500
)

// gridResult is one page of the grid.
type gridResult struct {
	Rows []books.Connection
	// Verdicts are those of Rows, as they are now.
	Verdicts []access.Verdict
	// Connections and Users are how many there are; CountMore says that there
	// are more than that.
	Connections, Users int
	CountMore          bool
	// More says that there is a next page; Further, where not empty, is the
	// position behind which nobody has looked yet.
	More    bool
	Further string
	// Places and Browsers are what can be filtered by.
	Places, Browsers []string
}

// judge gives the verdict on a connection as it is now.
func (v *visit) judge(c books.Connection) (access.Verdict, error) {
	return v.explain().Explain(v.ctx(), v.today(c).Visit(), gate.Circumstance{})
}

func (v *visit) explain() *gate.Explainer {
	if v.explainer == nil {
		v.explainer = v.Gate.Explainer()
	}
	return v.explainer
}

// look finds one page of the grid, in bounded time and memory.
func (v *visit) look(q gridQuery) (gridResult, error) {
	l := &looking{v: v, q: q, users: map[string]struct{}{}, places: newTally(), browsers: newTally()}
	err := l.run()
	if err == nil {
		l.v.mend(l.stale)
	}
	if err != nil {
		return l.res, err
	}
	l.res.Users = len(l.users)
	l.res.Places, l.res.Browsers = l.places.top(), l.browsers.top()
	for _, c := range l.res.Rows {
		verdict, err := v.judge(c)
		if err != nil {
			return l.res, err
		}
		l.res.Verdicts = append(l.res.Verdicts, verdict)
	}
	return l.res, nil
}

// looking is the search for one page.
type looking struct {
	v                *visit
	q                gridQuery
	res              gridResult
	users            map[string]struct{}
	places, browsers tally
	stale            []books.Sighting
}

func (l *looking) run() error {
	if l.q.Person == "" && l.q.Sort == "last" && !l.q.narrowed() {
		return l.unfiltered()
	}
	return l.filtered()
}

// mend removes lines of the index that are no longer true. A page does not
// fail for it.
func (v *visit) mend(stale []books.Sighting) {
	if len(stale) == 0 {
		return
	}
	if err := v.Books.Connections.Mend(context.WithoutCancel(v.ctx()), stale[:min(len(stale), 200)]); err != nil {
		v.Log.Warn("the index of connections cannot be mended", "error", err)
	}
}

// unfiltered counts in the index alone and reads the records of the page, and
// some for the words to filter by.
func (l *looking) unfiltered() error {
	v, q, book := l.v, l.q, l.v.Books.Connections
	first, behind := q.Page*gridRows, (q.Page+1)*gridRows
	var failed error
	err := book.Seen(v.ctx(), q.Application, q.since(v.now), q.From, func(s books.Sighting) bool {
		at := l.res.Connections
		if at == gridCount {
			l.res.CountMore = true
			return false
		}
		if on := at >= first && at < behind; on || at < gridWords {
			c, ok, err := book.Load(v.ctx(), s)
			if err != nil {
				failed = err
				return false
			}
			if !ok {
				l.stale = append(l.stale, s)
				return true
			}
			c = v.today(c)
			l.note(c)
			if on {
				l.res.Rows = append(l.res.Rows, c)
			}
		}
		l.res.Connections++
		l.users[s.User] = struct{}{}
		return true
	})
	if err == nil {
		err = failed
	}
	if l.res.Connections > behind || l.res.CountMore {
		l.next(behind)
	}
	return err
}

// next says where the next page is: one further, or, where paging through
// would cost too much, behind the last row.
func (l *looking) next(behind int) {
	if behind+gridRows <= gridDeep {
		l.res.More = true
	} else if n := len(l.res.Rows); n > 0 && l.q.Sort == "last" {
		l.res.Further = books.Position(l.res.Rows[n-1])
	}
}

func (l *looking) note(c books.Connection) {
	l.places.add(placeWord(c.Place))
	l.browsers.add(lang.Inert(c.Browser.Family, 0))
}

// filtered reads records, the last seen first, until it has looked at as many
// as a page may.
func (l *looking) filtered() error {
	v, q := l.v, l.q
	names, err := v.search(q.Search, gridNamed, q.Application)
	if err != nil {
		return err
	}
	behind := (q.Page + 1) * gridRows
	top := &rows{less: orderOf(q.Sort), limit: behind}
	looked, judged := 0, 0
	var last string
	var failed error
	err = v.walk(q, names, &l.stale, func(c books.Connection, position string) bool {
		if looked == gridLook || judged == gridJudge {
			l.res.CountMore, l.res.Further = true, last
			return false
		}
		if last = position; position != "" {
			looked++ // what is looked up by name is few, and costs nothing here
		}
		l.note(c)
		if ok, err := q.fits(c, names); err != nil || !ok {
			failed = err
			return err == nil
		}
		if q.State != "" {
			judged++
			ok, err := v.stands(q, c)
			if err != nil {
				failed = err
				return false
			}
			if !ok {
				return true
			}
		}
		l.res.Connections++
		l.users[c.User] = struct{}{}
		top.offer(c)
		return true
	})
	if err == nil {
		err = failed
	}
	l.res.Rows = top.page(q.Page * gridRows)
	if l.res.Connections > behind {
		further := l.res.Further
		if l.next(behind); l.res.More {
			l.res.Further = "" // first what was found
		} else if further != "" {
			l.res.Further = further
		}
	}
	return err
}

// walk hands the connections of a query's application, window and person to
// do, the last seen first, each with its position in the index. Those of
// people whom a search found by name come first, without a position: they are
// there wherever in the index they lie. What is not true in the index any more
// is added to stale.
func (v *visit) walk(q gridQuery, names *search, stale *[]books.Sighting, do func(c books.Connection, position string) bool) error {
	since, book := q.since(v.now), v.Books.Connections
	of := func(user string) (bool, error) {
		list, err := book.Of(v.ctx(), q.Application, user, gridCount)
		if err != nil {
			return false, err
		}
		slices.SortFunc(list, func(a, b books.Connection) int { return b.Last.Compare(a.Last) })
		for _, c := range list {
			if !c.Last.Before(since) && !do(v.today(c), "") {
				return false, nil
			}
		}
		return true, nil
	}
	if q.Person != "" {
		_, err := of(q.Person)
		return err
	}
	looked := map[string]bool{}
	if names != nil && !names.many {
		for _, user := range names.named {
			looked[user] = true
			if q.From != "" {
				continue // they stood on the first pages
			}
			if more, err := of(user); err != nil || !more {
				return err
			}
		}
	}
	var failed error
	err := book.Seen(v.ctx(), q.Application, since, q.From, func(s books.Sighting) bool {
		if looked[s.User] {
			return true
		}
		c, ok, err := book.Load(v.ctx(), s)
		if err != nil {
			failed = err
			return false
		}
		if !ok {
			if stale != nil {
				*stale = append(*stale, s)
			}
			return true
		}
		return do(v.today(c), books.Position(c))
	})
	if err == nil {
		err = failed
	}
	return err
}

// eachConnection is walk for a whole application or person, all of whose
// connections count.
func (v *visit) eachConnection(q gridQuery, do func(books.Connection) bool) error {
	return v.walk(q, nil, nil, func(c books.Connection, _ string) bool { return do(c) })
}

// fits reports whether a connection is among those asked for, its state aside.
func (q gridQuery) fits(c books.Connection, names *search) (bool, error) {
	if (q.Kind != "" && string(c.Device.Kind) != q.Kind) || (q.Browser != "" && lang.Inert(c.Browser.Family, 0) != q.Browser) ||
		(q.Place != "" && placeWord(c.Place) != q.Place) || (q.Device != "" && c.Device.ID != q.Device) {
		return false, nil
	}
	if q.Search == "" {
		return true, nil
	}
	return found(names, c)
}

// wanted reports whether a connection is among those asked for. The verdict is
// asked last: it costs most.
func (v *visit) wanted(q gridQuery, c books.Connection, names *search) (bool, error) {
	if ok, err := q.fits(c, names); err != nil || !ok {
		return false, err
	}
	return v.stands(q, c)
}

// stands reports whether a connection has the state asked for.
func (v *visit) stands(q gridQuery, c books.Connection) (bool, error) {
	if q.State == "" {
		return true, nil
	}
	verdict, err := v.judge(c)
	if err != nil {
		return false, err
	}
	shown := verdict
	if verdict.Shadow != nil {
		shown = *verdict.Shadow
	}
	switch q.State {
	case "in":
		return shown.Answer == access.LetIn, nil
	case "out":
		return shown.Answer != access.LetIn, nil
	case "refused":
		return shown.Answer == access.Deny, nil
	case "waiting":
		return shown.Answer == access.Approval || shown.Answer == access.Biopass, nil
	}
	return true, nil
}

// newest walks over the index of an application without reading records: whose
// connection was seen when.
func (v *visit) newest(application string, since time.Time, do func(books.Sighting) bool) error {
	return v.Books.Connections.Seen(v.ctx(), application, since, "", do)
}
