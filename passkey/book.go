package passkey

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// Book keeps the passkeys of each owner in one record, in the partition of the
// owner's application, so that a change and its line in the audit are one
// batch.
type Book struct {
	st    store.Store
	clock func() time.Time
}

// NewBook is the book on a store; a nil clock is time.Now.
func NewBook(st store.Store, clock func() time.Time) *Book {
	if clock == nil {
		clock = time.Now
	}
	return &Book{st: st, clock: clock}
}

// holder is the record of one owner.
type holder struct {
	Owner Owner
	// Handle is the user handle (WebAuthn §5.4.3): random, so that it says
	// nothing of who it is.
	Handle   []byte
	Passkeys []Passkey

	books.Unknown
}

func (o Owner) key() string { return books.Key(o.Application, "passkeys", o.Name) }

// handleKey finds an admin by the handle that a passkey answers with. Users are
// known before theirs are asked for.
func handleKey(handle []byte) string { return books.Key("", "passkey-handle", text(handle)) }

// find is the passkey of an identifier.
func (h holder) find(id string) int {
	return slices.IndexFunc(h.Passkeys, func(p Passkey) bool { return p.ID == id })
}

// idOf names a credential.
func idOf(credential []byte) string {
	sum := sha256.Sum256(credential)
	return text(sum[:12])
}

// Of returns an owner's passkeys, the newest last.
func (b *Book) Of(ctx context.Context, o Owner) ([]Passkey, error) {
	h, _, err := b.read(ctx, o)
	return h.Passkeys, err
}

// Has reports whether an owner has a passkey for a host.
func (b *Book) Has(ctx context.Context, o Owner, host string) (bool, error) {
	h, _, err := b.read(ctx, o)
	return slices.ContainsFunc(h.Passkeys, func(p Passkey) bool { return p.Host == host }), err
}

// read returns an owner's record and its bytes; the zero value and nil where
// there is none.
func (b *Book) read(ctx context.Context, o Owner) (holder, []byte, error) {
	raw, err := b.st.Get(ctx, o.key())
	if errors.Is(err, store.ErrNotFound) {
		return holder{Owner: o}, nil, nil
	}
	if err != nil {
		return holder{}, nil, fmt.Errorf("reading passkeys: %w", err)
	}
	var h holder
	if err := books.Decode(raw, &h); err != nil {
		return holder{}, nil, err
	}
	if h.Owner != o {
		return holder{}, nil, fmt.Errorf("reading passkeys: the record of %q is of another", o.Name)
	}
	return h, raw, nil
}

// ofHandle returns the admin of a user handle, ErrNone where there is none.
func (b *Book) ofHandle(ctx context.Context, handle []byte) (Owner, error) {
	o, err := books.Get[Owner](ctx, b.st, handleKey(handle))
	if errors.Is(err, store.ErrNotFound) {
		return Owner{}, ErrNone
	}
	if err != nil {
		return Owner{}, fmt.Errorf("finding a passkey's owner: %w", err)
	}
	return o, nil
}

// change alters an owner's record, with more writes and checks of the same
// partition; it starts again when somebody else wrote meanwhile. A record
// without passkeys goes.
func (b *Book) change(ctx context.Context, o Owner, alter func(h *holder) (store.Batch, error)) error {
	for try := 0; ; try++ {
		h, old, err := b.read(ctx, o)
		if err != nil {
			return err
		}
		batch, err := alter(&h)
		if err != nil {
			return err
		}
		batch.Checks = append(batch.Checks, store.Check{Key: o.key(), Value: old})
		batch.Writes = append(batch.Writes, h.writes()...)
		err = b.st.Apply(ctx, batch)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, store.ErrConflict) || try == 8:
			return fmt.Errorf("keeping passkeys: %w", err)
		}
	}
}

// writes keep a record, and an admin's handle with it.
func (h holder) writes() []store.Write {
	var writes []store.Write
	if len(h.Passkeys) == 0 {
		writes = append(writes, store.Write{Key: h.Owner.key()})
		if h.Owner.Application == "" && h.Handle != nil {
			writes = append(writes, store.Write{Key: handleKey(h.Handle)})
		}
		return writes
	}
	writes = append(writes, store.Write{Key: h.Owner.key(), Value: books.Encode(h)})
	if h.Owner.Application == "" {
		writes = append(writes, store.Write{Key: handleKey(h.Handle), Value: books.Encode(h.Owner)})
	}
	return writes
}

// Rename gives one of an owner's passkeys another name. Note is who does it.
func (b *Book) Rename(ctx context.Context, o Owner, id, name string, note books.Entry) error {
	return b.change(ctx, o, func(h *holder) (store.Batch, error) {
		i := h.find(id)
		if i < 0 {
			return store.Batch{}, ErrNone
		}
		h.Passkeys[i].Name = name
		return b.noted(note, "passkey.rename", h.Passkeys[i], o), nil
	})
}

// Remove takes one of an owner's passkeys away, and returns it: from then on it
// opens nothing.
func (b *Book) Remove(ctx context.Context, o Owner, id string, note books.Entry) (Passkey, error) {
	var gone Passkey
	err := b.change(ctx, o, func(h *holder) (store.Batch, error) {
		i := h.find(id)
		if i < 0 {
			return store.Batch{}, ErrNone
		}
		gone = h.Passkeys[i]
		h.Passkeys = slices.Delete(h.Passkeys, i, i+1)
		return b.noted(note, "passkey.remove", gone, o), nil
	})
	return gone, err
}

// RemoveAll takes all of an owner's passkeys away, with the owner, and returns
// how many they were.
func (b *Book) RemoveAll(ctx context.Context, o Owner) (int, error) {
	n := 0
	err := b.change(ctx, o, func(h *holder) (store.Batch, error) {
		n = len(h.Passkeys)
		h.Passkeys = nil
		return store.Batch{}, nil
	})
	return n, err
}

// Move hands an owner's passkeys to the name they have now, in the same
// application. What is under that name already is an error: two people would
// become one.
func (b *Book) Move(ctx context.Context, from Owner, to string) error {
	return b.change(ctx, from, func(h *holder) (store.Batch, error) {
		if len(h.Passkeys) == 0 {
			return store.Batch{}, nil
		}
		next := holder{Owner: Owner{Application: from.Application, Name: to}, Handle: h.Handle, Passkeys: h.Passkeys, Unknown: h.Unknown}
		// The record goes; its handle is written anew, behind the removal.
		h.Passkeys, h.Handle = nil, nil
		return store.Batch{
			Checks: []store.Check{{Key: next.Owner.key()}},
			Writes: next.writes(),
		}, nil
	})
}

// noted is the audit's line about one passkey.
func (b *Book) noted(note books.Entry, what string, p Passkey, o Owner) store.Batch {
	note.At, note.What, note.Application, note.Subject = b.clock(), what, o.Application, o.Name
	note.Detail = map[string]string{"passkey": p.Name, "id": p.ID}
	return store.Batch{Writes: []store.Write{books.Audit{}.Write(note)}}
}
