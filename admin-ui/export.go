package adminui

import (
	"context"
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
)

// exportedConnection is one line of an export of the grid.
type exportedConnection struct {
	Application string    `json:"application"`
	User        string    `json:"user"`
	Name        string    `json:"name,omitempty"`
	Device      string    `json:"device"`
	Kind        string    `json:"kind"`
	Browser     string    `json:"browser"`
	Place       string    `json:"place"`
	Network     string    `json:"network,omitempty"`
	Address     string    `json:"address,omitempty"`
	First       time.Time `json:"first_seen"`
	Last        time.Time `json:"last_seen"`
	Visits      uint64    `json:"visits"`
	Answer      string    `json:"answer"`
	Reason      string    `json:"reason"`

	verdict access.Verdict
}

// exportedColumns are those of the table, "export." before them in the
// catalogue.
var exportedColumns = []string{
	"application", "user", "name", "device", "kind", "browser", "place", "network", "address", "first_seen", "last_seen", "visits", "answer", "reason",
}

// headings are the first row of a table, in the admin's language: a table is
// for people, JSON for programs.
func (v *visit) headings(columns []string) []string {
	row := make([]string, len(columns))
	for i, c := range columns {
		row[i] = v.say.Text("export." + c)
	}
	return row
}

// row is a line of the table, in the admin's language.
func (v *visit) row(e exportedConnection) []string {
	row := []string{
		e.Application, e.User, e.Name, e.Device, v.say.Kind(e.Kind), e.Browser, e.Place, e.Network, e.Address,
		e.First.UTC().Format(time.RFC3339), e.Last.UTC().Format(time.RFC3339), strconv.FormatUint(e.Visits, 10), v.say.Text("state." + e.Answer), v.reason(e.verdict),
	}
	for i := range row {
		row[i] = inertCell(row[i])
	}
	return row
}

// exportGrid hands what the grid's filters leave to do, the last seen first,
// up to exportRows of them.
func (v *visit) exportGrid(do func(exportedConnection) bool) error {
	app, err := v.application(v.r.URL.Query().Get("app"))
	if err != nil {
		return err
	}
	q := readGrid(v.r.URL.Query(), app)
	q.From = ""
	found, err := v.search(q.Search, gridNamed, app)
	if err != nil {
		return err
	}
	names, devices := v.people(), v.deviceNames()
	written := 0
	var failed error
	err = v.walk(q, found, nil, func(c books.Connection, _ string) bool {
		ok, err := v.wanted(q, c, found)
		if err != nil || !ok {
			failed = err
			return err == nil
		}
		line, err := v.exported(c, names, devices)
		if err != nil {
			failed = err
			return false
		}
		written++
		return do(line) && written < exportRows
	})
	if err == nil {
		err = failed
	}
	return err
}

func (v *visit) exported(c books.Connection, names *people, devices *deviceNames) (exportedConnection, error) {
	e := exportedConnection{
		Application: c.Application, User: c.User, Kind: string(c.Device.Kind), First: c.First, Last: c.Last, Visits: c.Count,
		Browser: v.say.Browser(c.Browser.Family, c.Browser.Platform),
	}
	u, err := names.user(c.User)
	if err != nil {
		return e, err
	}
	label, err := devices.label(c.Device)
	if err != nil {
		return e, err
	}
	verdict, err := v.judge(c)
	if err != nil {
		return e, err
	}
	if verdict.Shadow != nil {
		verdict = *verdict.Shadow
	}
	e.Name, e.Device, e.Answer, e.Reason = lang.Inert(u.Name, 0), lang.Inert(label, 0), string(verdict.Answer), verdict.Reason()
	e.verdict = verdict
	e.Place, e.Network = v.say.PlaceLines(placeParts(c.Place))
	if c.Place.Address.IsValid() {
		e.Address = c.Place.Address.String()
	}
	return e, nil
}

// exportConnectionsCSV streams what is filtered as a table.
func exportConnectionsCSV(v *visit) error {
	if _, err := v.application(v.r.URL.Query().Get("app")); err != nil {
		return err
	}
	out := v.table("cadenas-connections.csv")
	if out.Write(v.headings(exportedColumns)) != nil {
		return nil // the person went away
	}
	err := v.exportGrid(func(e exportedConnection) bool { return out.Write(v.row(e)) == nil })
	out.Flush()
	return v.endExport(err)
}

// exportConnectionsJSON streams what is filtered as one JSON value a line.
func exportConnectionsJSON(v *visit) error {
	if _, err := v.application(v.r.URL.Query().Get("app")); err != nil {
		return err
	}
	v.download("application/x-ndjson; charset=utf-8", "cadenas-connections.ndjson")
	out := json.NewEncoder(v.w)
	return v.endExport(v.exportGrid(func(e exportedConnection) bool { return out.Encode(e) == nil }))
}

// saveBackup streams a backup of the store, without its keys, and says in the
// audit who took it: it holds what everybody did.
func saveBackup(v *visit) error {
	desk := v.Desk(v.by())
	if err := desk.beginBackup(v.ctx()); err != nil {
		return err
	}
	v.download("application/octet-stream", "cadenas-"+v.now.UTC().Format("2006-01-02")+".backup")
	return v.endExport(desk.writeBackup(v.ctx(), v.w))
}

// Backup writes a backup of the store, without its keys, and says in the audit
// who took it. What was seen a moment ago is in it.
func (d Desk) Backup(ctx context.Context, w io.Writer) error {
	if err := d.beginBackup(ctx); err != nil {
		return err
	}
	return d.writeBackup(ctx, w)
}

func (d Desk) beginBackup(ctx context.Context) error {
	if err := d.c.Gate.Flush(ctx); err != nil {
		return err
	}
	return d.c.Books.Audit.Append(ctx, books.Entry{At: d.c.Clock(), Who: d.by.Who, From: d.by.From, Via: d.by.Via, What: "backup"})
}

func (d Desk) writeBackup(ctx context.Context, w io.Writer) error {
	_, err := books.Backup(ctx, d.c.Books.Store, w, d.c.Clock())
	return err
}
