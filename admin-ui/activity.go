package adminui

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
)

const (
	// activityRows is how many lines a page of the audit shows.
	activityRows = 50
	// activityScan bounds how many entries are looked at for one page.
	activityScan = 5000
	// exportRows bounds one export.
	exportRows = 100_000
)

// activityPage is the audit, newest first.
type activityPage struct {
	frame
	Search, Application string
	Applications        []choice
	Lines               []entryLine
	Older               string
	CSV, JSON           string
	// Chart and Unusual stand on the first page alone.
	Chart     *chart
	Unusual   []entryLine
	Countries []newCountry
}

// mayRead reports whether the admin may read an entry. What belongs to no
// application is for admins of all, but what names one of theirs (threat L23).
func (v *visit) mayRead(e books.Entry) bool {
	app := e.Application
	if app == "" {
		app = e.Detail["application"]
	}
	if app == "" {
		return v.all()
	}
	return v.admin.LooksAfter(app)
}

// entries hands the audit of the admin's applications to do, newest first,
// before a moment, until do returns false. It merges the applications' books.
func (v *visit) entries(app string, before string, do func(books.Entry) bool) error {
	apps := append(v.applications(), "")
	if app != "" {
		apps = []string{app, ""}
	}
	const piece = 200
	type book struct {
		app  string
		list []books.Entry
		done bool
	}
	open := make([]*book, len(apps))
	fill := func(b *book, before string) error {
		list, err := v.Books.Audit.Newest(v.ctx(), b.app, before, piece)
		b.list, b.done = list, len(list) < piece
		return err
	}
	for i, a := range apps {
		open[i] = &book{app: a}
		if err := fill(open[i], before); err != nil {
			return err
		}
	}
	for {
		var newest *book
		for _, b := range open {
			if len(b.list) > 0 && (newest == nil || b.list[0].ID > newest.list[0].ID) {
				newest = b
			}
		}
		if newest == nil {
			return nil
		}
		e := newest.list[0]
		newest.list = newest.list[1:]
		ours := app == "" || e.Application == app || e.Detail["application"] == app
		if ours && v.mayRead(e) && !do(e) {
			return nil
		}
		if len(newest.list) == 0 && !newest.done {
			if err := fill(newest, e.ID); err != nil {
				return err
			}
		}
	}
}

// activityQuery reads what the audit is narrowed to.
func (v *visit) activityQuery() (app, search string, err error) {
	q := v.r.URL.Query()
	search = strings.TrimSpace(q.Get("q"))
	if asked := q.Get("app"); asked != "" {
		app, err = v.application(asked)
	}
	return app, search, err
}

func fits(e books.Entry, search string) bool {
	if search == "" {
		return true
	}
	texts := []string{e.Who, e.What, e.Subject, e.From, e.Via, e.Application}
	for _, value := range e.Detail {
		texts = append(texts, value)
	}
	return contains(search, texts...)
}

func showActivity(v *visit) error {
	app, search, err := v.activityQuery()
	if err != nil {
		return err
	}
	f, err := v.frame("activity", []string{"chart.css"}, nil, "activity")
	if err != nil {
		return err
	}
	page := activityPage{frame: f, Search: search, Application: app, Applications: v.applicationChoices(app)}
	narrowed := url.Values{}
	if app != "" {
		narrowed.Set("app", app)
	}
	if search != "" {
		narrowed.Set("q", search)
	}
	page.CSV, page.JSON = "/activity.csv?"+narrowed.Encode(), "/activity.json?"+narrowed.Encode()
	names := v.people()
	fresh := v.r.URL.Query().Get("before") == ""
	if fresh && search == "" {
		if page.Chart, err = v.chart(app); err != nil {
			return err
		}
		if page.Countries, err = v.newCountries(app, names); err != nil {
			return err
		}
	}
	scanned := 0
	var last string
	var failed error
	err = v.entries(app, v.r.URL.Query().Get("before"), func(e books.Entry) bool {
		scanned++
		last = e.ID
		if !fits(e, search) {
			return scanned < activityScan
		}
		if len(page.Lines) == activityRows || scanned >= activityScan {
			return false
		}
		line, err := v.entryLine(e, names)
		if err != nil {
			failed = err
			return false
		}
		page.Lines = append(page.Lines, line)
		if fresh && search == "" && unusual(e) && len(page.Unusual) < unusualLines && v.now.Sub(e.At) < unusualDays*24*time.Hour {
			line.ID += "-u" // it stands in the list too
			page.Unusual = append(page.Unusual, line)
		}
		return true
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	if len(page.Lines) == activityRows {
		last = page.Lines[activityRows-1].ID
	}
	if len(page.Lines) == activityRows || scanned >= activityScan {
		narrowed.Set("before", last)
		page.Older = "/activity?" + narrowed.Encode()
	}
	return v.show(http.StatusOK, "activity", page)
}

// inertCell is a cell that no spreadsheet takes for a formula (threat L14): a
// text that begins like one gets an apostrophe before it, which is shown.
func inertCell(s string) string {
	s = lang.Inert(s, 0)
	if s != "" && strings.ContainsAny(s[:1], "=+-@|%\t\r") {
		return "'" + s
	}
	return s
}

// table begins a download that a spreadsheet opens. The mark at its beginning
// says that it is UTF-8: without it Excel shows every accent as two letters.
func (v *visit) table(name string) *csv.Writer {
	v.download("text/csv; charset=utf-8", name)
	_, _ = io.WriteString(v.w, "\ufeff") // who went away is noticed with the first row
	out := csv.NewWriter(v.w)
	out.UseCRLF = true
	return out
}

func (v *visit) download(mime, name string) {
	h := v.w.Header()
	h.Set("Content-Type", mime)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
}

// exportCSV streams the audit as a table.
func exportCSV(v *visit) error {
	app, search, err := v.activityQuery()
	if err != nil {
		return err
	}
	out := v.table("cadenas-activity.csv")
	if err := out.Write(v.headings([]string{"at", "who", "what", "application", "subject", "via", "from", "detail", "entry"})); err != nil {
		return nil //nolint:nilerr // the person went away
	}
	rows, names := 0, v.people()
	var failed error
	err = v.entries(app, "", func(e books.Entry) bool {
		if !fits(e, search) {
			return true
		}
		line, err := v.entryLine(e, names)
		if err != nil {
			failed = err
			return false
		}
		row := []string{e.At.UTC().Format(time.RFC3339), line.Who, line.What, e.Application, line.Subject, line.Via, e.From, details(e), e.What}
		for i := range row {
			row[i] = inertCell(row[i])
		}
		rows++
		return out.Write(row) == nil && rows < exportRows
	})
	if err == nil {
		err = failed
	}
	out.Flush()
	return v.endExport(err)
}

// endExport ends a download that cannot be finished so that it is seen to be
// broken: a page of ours would be taken for its last lines.
func (v *visit) endExport(err error) error {
	if err != nil {
		v.Log.Error("an export broke off", "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

func details(e books.Entry) string {
	var parts []string
	for name, value := range e.Detail {
		parts = append(parts, name+"="+value)
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

// exportJSON streams the audit as one JSON value a line.
func exportJSON(v *visit) error {
	app, search, err := v.activityQuery()
	if err != nil {
		return err
	}
	v.download("application/x-ndjson; charset=utf-8", "cadenas-activity.ndjson")
	out := json.NewEncoder(v.w)
	rows := 0
	err = v.entries(app, "", func(e books.Entry) bool {
		if !fits(e, search) {
			return true
		}
		rows++
		return out.Encode(e) == nil && rows < exportRows
	})
	return v.endExport(err)
}
