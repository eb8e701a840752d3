package adminui

import (
	"container/heap"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
)

const (
	// gridRows is how many rows a page of the grid has.
	gridRows = 30
	// gridDeep is how many rows are paged through from one position; then the
	// next page begins at another. It bounds what a page keeps in memory.
	gridDeep = 1500
	// gridScan bounds how many connections a change looks at that is about all
	// of them.
	gridScan = 250_000
)

// windows are the times the grid can look back.
var windows = []string{"today", "7", "30", "all"}

// gridQuery is what the grid is asked to show.
type gridQuery struct {
	Application                         string
	Window                              string
	Search, Person                      string
	Kind, Browser, Place, Device, State string
	Sort                                string
	Page                                int
	// From is the position in the index behind which to look; "" is the newest.
	From string
}

// sorts are the orders of the grid: by the last visit, the first, the count.
var sorts = []string{"last", "first", "count"}

// states are what the grid can be filtered by.
var states = []string{"in", "out", "waiting", "refused"}

// readGrid reads the grid's address. What is not one of its words means the
// default.
func readGrid(values url.Values, application string) gridQuery {
	word := func(name string, words []string, otherwise string) string {
		if w := values.Get(name); slices.Contains(words, w) {
			return w
		}
		return otherwise
	}
	var kinds []string
	for _, k := range access.Kinds {
		kinds = append(kinds, string(k))
	}
	q := gridQuery{
		Application: application,
		Window:      word("window", windows, "7"),
		Search:      strings.TrimSpace(values.Get("q")),
		Person:      values.Get("person"),
		Kind:        word("kind", kinds, ""),
		Browser:     values.Get("browser"),
		Place:       values.Get("place"),
		Device:      values.Get("device"),
		State:       word("state", states, ""),
		Sort:        word("sort", sorts, "last"),
	}
	if from := values.Get("from"); len(from) < 100 {
		q.From = from
	}
	if page, err := strconv.Atoi(values.Get("page")); err == nil && page > 1 {
		q.Page = min(page-1, gridDeep/gridRows-1)
	}
	return q
}

// with returns the address of the grid with some fields changed, always from
// the first page, and from the newest but where it is the page that changes.
func (q gridQuery) with(pairs ...string) string {
	if len(pairs) == 0 || pairs[0] != "page" {
		q.From = ""
	}
	return "/connections?" + q.values(pairs...).Encode()
}

func (q gridQuery) values(pairs ...string) url.Values {
	v := url.Values{}
	set := func(name, value, otherwise string) {
		if value != otherwise {
			v.Set(name, value)
		}
	}
	set("app", q.Application, "")
	set("window", q.Window, "7")
	set("q", q.Search, "")
	set("person", q.Person, "")
	set("kind", q.Kind, "")
	set("browser", q.Browser, "")
	set("place", q.Place, "")
	set("device", q.Device, "")
	set("state", q.State, "")
	set("sort", q.Sort, "last")
	set("from", q.From, "")
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		} else {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

// WithoutPerson is the address of the same grid for everybody.
func (q gridQuery) WithoutPerson() string { return q.with("person", "") }

// narrowed reports whether anything but application and window is chosen.
func (q gridQuery) narrowed() bool {
	return q.Search != "" || q.Person != "" || q.Kind != "" || q.Browser != "" || q.Place != "" || q.Device != "" || q.State != ""
}

// since is the first moment the grid shows; zero for all.
func (q gridQuery) since(now time.Time) time.Time {
	switch q.Window {
	case "today":
		return dayStart(now)
	case "7":
		return now.AddDate(0, 0, -7)
	case "30":
		return now.AddDate(0, 0, -30)
	}
	return time.Time{}
}

// found reports whether the words of a search are in what a connection says,
// its user's name and address among it.
func found(s *search, c books.Connection) (bool, error) {
	return s.finds(c.User, c.Device.Label, c.Browser.Family, c.Browser.Platform,
		c.Place.Name, c.Place.City, c.Place.Region, c.Place.Country, c.Place.Owner, c.Place.Address.String())
}

// placeWord is what a place is filtered by: its name, else its city, else its
// country.
func placeWord(p access.Place) string {
	word := p.Country
	switch {
	case p.Name != "":
		word = p.Name
	case p.City != "":
		word = p.City
	}
	return lang.Inert(word, 0)
}

// orderOf returns whether a comes after b.
func orderOf(sort string) func(a, b books.Connection) bool {
	return func(a, b books.Connection) bool {
		switch sort {
		case "first":
			if !a.First.Equal(b.First) {
				return a.First.Before(b.First)
			}
		case "count":
			if a.Count != b.Count {
				return a.Count < b.Count
			}
		}
		if !a.Last.Equal(b.Last) {
			return a.Last.Before(b.Last)
		}
		return a.ID < b.ID
	}
}

// rows keeps the first so many connections of an order, with the last of them
// on top of a heap.
type rows struct {
	list  []books.Connection
	less  func(a, b books.Connection) bool
	limit int
}

func (r *rows) Len() int           { return len(r.list) }
func (r *rows) Less(i, j int) bool { return r.less(r.list[i], r.list[j]) }
func (r *rows) Swap(i, j int)      { r.list[i], r.list[j] = r.list[j], r.list[i] }
func (r *rows) Push(x any)         { r.list = append(r.list, x.(books.Connection)) }
func (r *rows) Pop() any {
	last := len(r.list) - 1
	x := r.list[last]
	r.list = r.list[:last]
	return x
}

func (r *rows) offer(c books.Connection) {
	switch {
	case len(r.list) < r.limit:
		heap.Push(r, c)
	case r.less(r.list[0], c):
		r.list[0] = c
		heap.Fix(r, 0)
	}
}

// page returns what is kept from an offset on, in order.
func (r *rows) page(from int) []books.Connection {
	list := slices.Clone(r.list)
	slices.SortFunc(list, func(a, b books.Connection) int {
		switch {
		case r.less(b, a):
			return -1
		case r.less(a, b):
			return 1
		}
		return 0
	})
	if from >= len(list) {
		return nil
	}
	return list[from:]
}

// tally counts words, a bounded number of them.
type tally struct{ count map[string]int }

const tallyWords = 5000

func newTally() tally { return tally{map[string]int{}} }

func (t tally) add(word string) {
	if _, known := t.count[word]; word != "" && (known || len(t.count) < tallyWords) {
		t.count[word]++
	}
}

// top returns the forty most frequent words, in alphabetical order.
func (t tally) top() []string {
	var words []string
	for w := range t.count {
		words = append(words, w)
	}
	slices.SortFunc(words, func(a, b string) int {
		if t.count[a] != t.count[b] {
			return t.count[b] - t.count[a]
		}
		return strings.Compare(a, b)
	})
	words = words[:min(len(words), 40)]
	slices.Sort(words)
	return words
}
