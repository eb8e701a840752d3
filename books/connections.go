package books

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/store"
)

// Connection is the five together, with when they were seen and what was
// last answered. It is never a TCP socket.
type Connection struct {
	// ID is of NewConnectionID.
	ID          string
	User        string
	Application string
	Device      access.Device
	Browser     access.Browser
	Place       access.Place
	First, Last time.Time
	// Count is how many visits it had, one visit being a burst of requests
	// within five minutes.
	Count uint64
	// Answer and Step are the last verdict's, with the padlock as it was;
	// Shadow is what a closed padlock would have answered.
	Answer, Shadow access.Answer
	Step           access.Step
	// New is what was new when it was last judged.
	New []access.Part
	// Adopted says that only sessions older than the gate were seen on it:
	// the first closing does not import it.
	Adopted bool

	Unknown
}

// Visit is the connection as the rule sees it.
func (c Connection) Visit() access.Visit {
	return access.Visit{User: c.User, Application: c.Application, Device: c.Device, Browser: c.Browser, Place: c.Place}
}

// Connections is the book of connections. In an application's partition it
// keeps, of each connection, the record
//
//	connection/<user>/<mark> -> record, see pack
//
// so that what is known of a user is read in one range, and a line in the index
// by last visit (see Seen). Both keys hold bytes, not text. All writes of
// visits are quiet: Recorded tells those who watch, once for many of them.
type Connections struct {
	st     store.Store
	places *placeTable
}

// Put keeps a connection and its line in the index by last visit. Writes of one
// batch must be one application's. Its identifier is of NewConnectionID.
func (b Connections) Put(c Connection) []store.Write {
	m := c.mark()
	return append(b.record(c, m), seenWrite(c, m))
}

// Touch is Put for a connection that is kept already; before is when it was
// last seen as stored, where the index has it.
func (b Connections) Touch(c Connection, before time.Time) []store.Write {
	m := c.mark()
	writes := b.record(c, m)
	if seenSecond(before) != seenSecond(c.Last) {
		writes = append(writes, store.Write{Key: seenKey(c.Application, before, m), Quiet: true}, seenWrite(c, m))
	}
	return writes
}

// record writes a connection, and the words of its place where they may not be
// in store yet.
func (b Connections) record(c Connection, m mark) []store.Write {
	writes := make([]store.Write, 0, 4)
	var code placeCode
	if w := wordsOf(c.Place); w != (placeWords{}) {
		code = b.places.code(w)
		if key := placeKey(c.Application, code); !b.places.isKept(key) {
			writes = append(writes, store.Write{Key: key, Value: Encode(w), Quiet: true})
		}
	}
	return append(writes, store.Write{Key: connectionKey(c.Application, c.User, m), Value: pack(c, m, code), Quiet: true})
}

// Delete forgets a connection. Its record's deletion is not quiet: what was
// decided of its user is forgotten with it.
func (Connections) Delete(c Connection) []store.Write {
	m := c.mark()
	return []store.Write{
		{Key: connectionKey(c.Application, c.User, m)},
		{Key: seenKey(c.Application, c.Last, m), Quiet: true},
	}
}

// Recorded ends a batch of Put and Touch: the one write of it that a watch is
// told of.
func (Connections) Recorded(application string, now time.Time) store.Write {
	return store.Write{Key: Key(application, "recorded"), Value: Encode(now)}
}

// Wrote takes note that writes of Put and Touch were carried out, so that the
// next ones say less.
func (b Connections) Wrote(writes []store.Write) {
	for _, w := range writes {
		if isPlace(w.Key) {
			b.places.keep(w.Key)
		}
	}
}

// Forget is for whoever learns that the store may have lost writes: what was
// noted by Wrote is written again.
func (b Connections) Forget() { b.places.forget() }

// Get returns one connection, or store.ErrNotFound.
func (b Connections) Get(ctx context.Context, application, id string) (Connection, error) {
	m, user, ok := cutID(id)
	if !ok {
		return Connection{}, store.ErrNotFound
	}
	return b.get(ctx, application, user, m)
}

func (b Connections) get(ctx context.Context, application, user string, m mark) (Connection, error) {
	value, err := b.st.Get(ctx, connectionKey(application, user, m))
	if err != nil {
		return Connection{}, err
	}
	return b.read(ctx, application, user, m, value)
}

func (b Connections) read(ctx context.Context, application, user string, m mark, value []byte) (Connection, error) {
	c, code, placed, err := unpack(application, user, m, value)
	if err == nil && placed {
		err = b.placeOf(ctx, application, code, &c.Place)
	}
	if err != nil {
		return Connection{}, fmt.Errorf("reading a connection of %s: %w", application, err)
	}
	return c, nil
}

// Of returns up to limit of a user's connections in an application, newest
// first seen first.
func (b Connections) Of(ctx context.Context, application, user string, limit int) ([]Connection, error) {
	prefix := Prefix(application, "connection", user)
	entries, err := b.st.Range(ctx, store.Query{Prefix: prefix, Reverse: true, Limit: limit})
	if err != nil {
		return nil, err
	}
	return b.readAll(ctx, application, user, len(prefix), entries)
}

// readAll reads the records of a user's connections; their marks stand at a
// place of their keys.
func (b Connections) readAll(ctx context.Context, application, user string, at int, entries []store.Entry) ([]Connection, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	list := make([]Connection, 0, len(entries))
	for _, e := range entries {
		m, ok := markAt(e.Key, at)
		if !ok {
			continue
		}
		c, err := b.read(ctx, application, user, m, e.Value)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// Each hands every connection of an application to do, user by user in the
// order of their keys, each one's oldest first seen first, until it returns
// false.
func (b Connections) Each(ctx context.Context, application string, do func(c Connection) bool) error {
	prefix := Prefix(application, "connection")
	q := store.Query{Prefix: prefix, Limit: 1000}
	for {
		entries, err := b.st.Range(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range entries {
			user, m, ok := connectionAt(e.Key, len(prefix))
			if !ok {
				continue
			}
			c, err := b.read(ctx, application, user, m, e.Value)
			if err != nil {
				return err
			}
			if !do(c) {
				return nil
			}
		}
		if len(entries) < q.Limit {
			return nil
		}
		q.After = entries[len(entries)-1].Key
	}
}

// Users hands the users of an application who have connections to do, in the
// order of their keys, from the first whose key begins with from, until it
// returns false. It reads one key for each.
func (b Connections) Users(ctx context.Context, application, from string, do func(user string) bool) error {
	prefix := Prefix(application, "connection")
	q := store.Query{Prefix: prefix + url.PathEscape(from), Limit: 1, KeysOnly: true}
	for {
		entries, err := b.st.Range(ctx, q)
		if err != nil || len(entries) == 0 {
			return err
		}
		user, _, ok := connectionAt(entries[0].Key, len(prefix))
		if ok && !do(user) {
			return nil
		}
		// Behind all of this user's: no mark begins with 0xff before the year 10889.
		q.After = Prefix(application, "connection", user) + "\xff"
	}
}

// connectionAt reads the end of a connection's key.
func connectionAt(key string, prefix int) (user string, m mark, ok bool) {
	escaped, _, ok := strings.Cut(key[prefix:], "/")
	if !ok {
		return "", m, false
	}
	user, err := url.PathUnescape(escaped)
	if err != nil {
		return "", m, false
	}
	m, ok = markAt(key, prefix+len(escaped)+1)
	return user, m, ok
}

// markAt reads the mark that a key ends with.
func markAt(key string, at int) (m mark, ok bool) {
	if len(key)-at != len(m) {
		return m, false
	}
	copy(m[:], key[at:])
	return m, true
}
