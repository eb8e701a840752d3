package adminui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
)

const (
	// restorePath takes the one large form there is.
	restorePath = "/settings/restore"
	// maxBackup bounds a backup that is sent to the console, in bytes; a larger
	// one is put back by the command line.
	maxBackup = 1 << 30
	// restoreLife is how long a backup that was looked at waits for the second
	// press.
	restoreLife = 10 * time.Minute
)

// restores are the backups that admins look at before they put them back: one
// a session, in a file only this process can read, gone after ten minutes.
type restores struct {
	mu   sync.Mutex
	wait map[string]waitingBackup
}

type waitingBackup struct {
	path  string
	holds books.BackupContents
	timer *time.Timer
}

// keep takes what is sent into a file and says what it holds. The file of the
// same session before it goes.
func (r *restores) keep(session string, from io.Reader) (holds books.BackupContents, err error) {
	file, err := os.CreateTemp("", "cadenas-restore-*") // mode 0600
	if err != nil {
		return holds, fmt.Errorf("keeping a backup that is looked at: %w", err)
	}
	defer func() {
		if cerr := file.Close(); err == nil && cerr != nil {
			err = cerr
		}
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	if _, err := io.Copy(file, from); err != nil {
		return holds, fmt.Errorf("keeping a backup that is looked at: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return holds, err
	}
	if holds, err = books.LookIntoBackup(file); err != nil {
		return holds, err
	}
	r.drop(session)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wait == nil {
		r.wait = map[string]waitingBackup{}
	}
	r.wait[session] = waitingBackup{file.Name(), holds, time.AfterFunc(restoreLife, func() { r.drop(session) })}
	return holds, nil
}

// take hands a session's backup over; whoever takes it removes the file.
func (r *restores) take(session string) (waitingBackup, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w, ok := r.wait[session]
	if ok {
		w.timer.Stop()
		delete(r.wait, session)
	}
	return w, ok
}

func (r *restores) drop(session string) {
	if w, ok := r.take(session); ok {
		_ = os.Remove(w.path)
	}
}

// restorePage says what a backup holds, before it takes the place of what there
// is.
type restorePage struct {
	frame
	Made  string
	Kinds []restoreKind
}

// restoreKind is one kind of record, in the backup and now.
type restoreKind struct {
	Name      string
	Then, Now int
}

// restored are the kinds that people know, in the order of the page.
var restored = []string{"user", "rule", "connection", "admin", "network", "device"}

// lookRestore looks into a backup; nothing is changed. The form's token stands
// in its address, so that nothing of the file is read before it is known who
// sends it.
func lookRestore(v *visit) error {
	file, _, err := v.r.FormFile("backup")
	if err != nil {
		return tell("restore.bad")
	}
	defer func() { _ = file.Close() }()
	holds, err := v.restores.keep(v.session.ID, file)
	switch {
	case errors.Is(err, books.ErrBackup):
		return tell("restore.bad")
	case errors.Is(err, books.ErrTooNew):
		return tell("restore.new")
	case err != nil:
		return err
	}
	f, err := v.frame("settings", nil, nil)
	if err != nil {
		return err
	}
	page := restorePage{frame: f, Made: v.say.When(holds.Made, v.now)}
	now, err := v.countKinds()
	if err != nil {
		return err
	}
	for _, kind := range restored {
		page.Kinds = append(page.Kinds, restoreKind{v.say.Text("restore.kind." + kind), holds.Kinds[kind], now[kind]})
	}
	return v.show(http.StatusOK, "restore", page)
}

// countKinds counts what the store holds now, as a backup made now would.
func (v *visit) countKinds() (map[string]int, error) {
	read, write := io.Pipe()
	go func() {
		_, err := books.Backup(v.ctx(), v.Books.Store, write, v.now)
		_ = write.CloseWithError(err)
	}()
	holds, err := books.LookIntoBackup(read)
	_ = read.CloseWithError(err)
	return holds.Kinds, err
}

// restoreBackup puts back the backup that was looked at.
func restoreBackup(v *visit) error {
	w, ok := v.restores.take(v.session.ID)
	if !ok {
		return tell("restore.late")
	}
	defer func() { _ = os.Remove(w.path) }() //nolint:gosec // a file of ours, made for the look at it
	file, err := os.Open(w.path)
	if err != nil {
		return fmt.Errorf("opening the backup that was looked at: %w", err)
	}
	defer func() { _ = file.Close() }()
	if _, err := v.Desk(v.by()).Restore(v.ctx(), file, w.holds.Made); err != nil {
		return err
	}
	return v.seeOther("/settings?done=restored")
}

// Restore puts a backup back, and says in the audit who did it: after it, for
// what was there before is gone. Made is when the backup was made, zero where
// nobody looked. It returns how many records it holds.
func (d Desk) Restore(ctx context.Context, from io.Reader, made time.Time) (int, error) {
	n, err := books.Restore(ctx, d.c.Books.Store, from)
	if err != nil {
		return 0, err
	}
	e := books.Entry{
		At: d.c.Clock(), Who: d.by.Who, From: d.by.From, Via: d.by.Via, What: "restore", Detail: map[string]string{"records": strconv.Itoa(n)},
	}
	if !made.IsZero() {
		e.Detail["made"] = made.UTC().Format(time.RFC3339)
	}
	return n, d.c.Books.Audit.Append(ctx, e)
}
