package biopass

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

// The bounds of what is kept of one person.
const (
	// DefaultRetain is how long prints that are not used are kept.
	DefaultRetain = 400 * 24 * time.Hour
	// maxKeyboards bounds a person's profiles; the longest unused goes.
	maxKeyboards = 6
	// maxDevices bounds the devices noted with one keyboard.
	maxDevices = 8
)

// ConsentVersion names the text that is consented to; a new text asks anew.
const ConsentVersion = 1

// Consent is what a person agreed to, before their first print.
type Consent struct {
	At       time.Time
	Version  int
	Language string
}

// person is everything kept of somebody in one application. It lies under an
// opaque identifier, sealed with a key of its own, and holds no name.
type person struct {
	Consent   Consent
	Declined  time.Time
	Keyboards []keyboard
	// Last is the last use: the retention counts from it.
	Last time.Time

	books.Unknown
}

// keyboard is a person's prints on one keyboard.
type keyboard struct {
	ID, Name   string
	Kind       access.Kind
	Made, Used time.Time
	// Devices are those it was typed on: they tell which profile is meant.
	Devices []string
	Profile []byte
}

func (p person) ready() bool { return len(p.Keyboards) > 0 }

func (p person) consented() bool {
	return !p.Consent.At.IsZero() && p.Consent.Version == ConsentVersion
}

// meant are the keyboards that typing on a device is held against: those
// known on it, else all.
func (p person) meant(device string) []keyboard {
	var some []keyboard
	for _, k := range p.Keyboards {
		if slices.Contains(k.Devices, device) {
			some = append(some, k)
		}
	}
	if len(some) > 0 {
		return some
	}
	return p.Keyboards
}

func (k *keyboard) usedOn(device string, now time.Time) {
	k.Used = now
	if device == "" || slices.Contains(k.Devices, device) {
		return
	}
	k.Devices = append(k.Devices, device)
	k.Devices = slices.Delete(k.Devices, 0, max(0, len(k.Devices)-maxDevices))
}

// Book keeps prints. Its records are bound to one application: the same name
// may be another person elsewhere, and nothing links what one person typed
// here and there.
type Book struct {
	st     store.Store
	ring   func() *seal.Ring
	retain time.Duration
	clock  func() time.Time
	log    *slog.Logger

	mu   sync.Mutex
	own  *ownKeys
	read time.Time
}

// ownKeys are the keys of prints, not those of cookies: who has the one
// cannot read the other.
type ownKeys struct {
	print *seal.Ring
	name  []byte
}

// storedKeys is how they are kept, in a box of the gate's ring.
type storedKeys struct{ Print, Name []byte }

const (
	keysPurpose   = "print-key"
	personPurpose = "print"
	draftPurpose  = "print-draft"
	// keysFresh is how long the keys are believed without a look at the store:
	// another instance may have made new ones after a restore.
	keysFresh = time.Minute
)

func ownKeysKey() string { return books.Key("", "biopass-keys") }

// keys returns the keys of prints, made at the first use, and closes their
// box again under the ring's newest key when that was rotated.
func (b *Book) keys(ctx context.Context) (*ownKeys, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.own != nil && b.clock().Sub(b.read) < keysFresh {
		return b.own, nil
	}
	for range 3 {
		box, err := b.st.Get(ctx, ownKeysKey())
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("reading the keys of prints: %w", err)
		}
		var plain []byte
		if err == nil {
			if plain, err = b.ring().Open(nil, box, keysPurpose); err != nil {
				// A store that was restored without its keys: the prints in it
				// can be read by nobody, and people type theirs anew.
				b.log.Warn("the keys of prints cannot be opened: new ones are made, and prints typed before are lost", "error", err)
				plain = nil
			}
		}
		if plain != nil && b.ring().Newest(box) {
			return b.believe(plain)
		}
		if plain == nil {
			plain = books.Encode(storedKeys{Print: seal.NewKey(), Name: seal.NewKey()})
		}
		err = b.st.Apply(ctx, store.Batch{
			Checks: []store.Check{{Key: ownKeysKey(), Value: box}},
			Writes: []store.Write{{Key: ownKeysKey(), Value: b.ring().Seal(nil, plain, keysPurpose)}},
		})
		if err == nil {
			return b.believe(plain)
		}
		if !errors.Is(err, store.ErrConflict) {
			return nil, fmt.Errorf("keeping the keys of prints: %w", err)
		}
	}
	return nil, fmt.Errorf("keeping the keys of prints: %w", store.ErrConflict)
}

// believe is called with b.mu held.
func (b *Book) believe(plain []byte) (*ownKeys, error) {
	var kept storedKeys
	if err := books.Decode(plain, &kept); err != nil {
		return nil, err
	}
	ring, err := seal.NewRing(map[byte][]byte{1: kept.Print}, 1)
	if err != nil {
		return nil, fmt.Errorf("reading the keys of prints: %w", err)
	}
	b.own, b.read = &ownKeys{print: ring, name: kept.Name}, b.clock()
	return b.own, nil
}

// opaque is the identifier that prints lie under: without the key nobody can
// tell whose it is, nor that two are one person's.
func (k *ownKeys) opaque(application, user string) string {
	mac := hmac.New(sha256.New, k.name)
	mac.Write([]byte(application + "\x00" + user))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

func personKey(application, id string) string { return books.Key(application, "biopass-person", id) }

// get returns what is kept of a user; nothing is the zero value.
func (b *Book) get(ctx context.Context, application, user string) (person, error) {
	p, _, err := b.load(ctx, application, user)
	return p, err
}

func (b *Book) load(ctx context.Context, application, user string) (person, []byte, error) {
	keys, err := b.keys(ctx)
	if err != nil {
		return person{}, nil, err
	}
	id := keys.opaque(application, user)
	box, err := b.st.Get(ctx, personKey(application, id))
	if errors.Is(err, store.ErrNotFound) {
		return person{}, nil, nil
	}
	if err != nil {
		return person{}, nil, fmt.Errorf("reading prints: %w", err)
	}
	var p person
	plain, err := keys.print.Open(nil, box, personPurpose, id)
	if err != nil {
		return person{}, box, fmt.Errorf("reading prints: %w", err)
	}
	if err := books.Decode(plain, &p); err != nil {
		return person{}, box, err
	}
	if b.clock().Sub(p.Last) >= b.retain {
		return person{}, box, nil // over, though the store still has it
	}
	return p, box, nil
}

// update changes what is kept of a user, and counts as a use. Change returns
// false to leave things as they are.
func (b *Book) update(ctx context.Context, application, user string, change func(p *person) (bool, error)) (person, error) {
	return b.write(ctx, application, user, func(p *person) (bool, []store.Write, error) {
		ok, err := change(p)
		p.Last = b.clock()
		return ok, nil, err
	})
}

// write changes what is kept of a user, together with the further writes that
// change returns; false leaves things as they are. It is no use: what is kept
// goes when it would have gone.
func (b *Book) write(ctx context.Context, application, user string, change func(p *person) (bool, []store.Write, error)) (person, error) {
	for range 8 {
		p, before, err := b.load(ctx, application, user)
		if err != nil {
			return p, err
		}
		ok, further, err := change(&p)
		if err != nil || !ok {
			return p, err
		}
		keys, err := b.keys(ctx)
		if err != nil {
			return p, err
		}
		id := keys.opaque(application, user)
		err = b.st.Apply(ctx, store.Batch{
			Checks: []store.Check{{Key: personKey(application, id), Value: before}},
			Writes: append([]store.Write{{
				Key: personKey(application, id), Value: keys.print.Seal(nil, books.Encode(p), personPurpose, id), TTL: b.retain - b.clock().Sub(p.Last),
			}}, further...),
		})
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return p, fmt.Errorf("keeping prints: %w", err)
		}
	}
	return person{}, fmt.Errorf("keeping prints: %w", store.ErrConflict)
}

// erase forgets everything kept of a user in an application, and tells
// whether there was anything.
func (b *Book) erase(ctx context.Context, application, user string) (bool, error) {
	keys, err := b.keys(ctx)
	if err != nil {
		return false, err
	}
	id := keys.opaque(application, user)
	all, found := []string{personKey(application, id), tallyKey(application, id)}, false
	var writes []store.Write
	for _, key := range all {
		_, err = b.st.Get(ctx, key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, fmt.Errorf("erasing prints: %w", err)
		}
		found = found || err == nil
		writes = append(writes, store.Write{Key: key})
	}
	if !found {
		return false, nil
	}
	if err := b.st.Apply(ctx, store.Batch{Writes: writes}); err != nil {
		return false, fmt.Errorf("erasing prints: %w", err)
	}
	return true, nil
}

// draft is an enrolment that is under way on a device: the prints so far.
type draft struct {
	User    string
	Profile []byte
	Name    string
}

// draftLife is how long an enrolment may rest.
const draftLife = 15 * time.Minute

func draftKey(application, device string) string {
	return books.Key(application, "biopass-draft", device)
}

func (b *Book) readDraft(ctx context.Context, application, device, user string) (draft, error) {
	keys, err := b.keys(ctx)
	if err != nil {
		return draft{}, err
	}
	box, err := b.st.Get(ctx, draftKey(application, device))
	if errors.Is(err, store.ErrNotFound) {
		return draft{User: user}, nil
	}
	if err != nil {
		return draft{}, fmt.Errorf("reading an enrolment: %w", err)
	}
	var d draft
	plain, err := keys.print.Open(nil, box, draftPurpose, application, device)
	if err != nil || books.Decode(plain, &d) != nil || d.User != user {
		return draft{User: user}, nil // another's, or of keys that are gone: it begins anew
	}
	return d, nil
}

func (b *Book) writeDraft(ctx context.Context, application, device string, d draft) error {
	keys, err := b.keys(ctx)
	if err != nil {
		return err
	}
	w := store.Write{Key: draftKey(application, device)}
	if d.User != "" {
		w.Value, w.TTL = keys.print.Seal(nil, books.Encode(d), draftPurpose, application, device), draftLife
	}
	if err := b.st.Apply(ctx, store.Batch{Writes: []store.Write{w}}); err != nil {
		return fmt.Errorf("keeping an enrolment: %w", err)
	}
	return nil
}

// Account is what a person, or an admin, can be shown of what is kept: never
// a print.
type Account struct {
	Consented time.Time         `json:"consented,omitzero"`
	Declined  time.Time         `json:"declined,omitzero"`
	Last      time.Time         `json:"last_used,omitzero"`
	Forgotten time.Time         `json:"erased_unless_used_before,omitzero"`
	Keyboards []AccountKeyboard `json:"keyboards"`
	Tally     Tally             `json:"outcomes"`
}

// Kept reports whether anything is kept at all.
func (a Account) Kept() bool {
	return len(a.Keyboards) > 0 || !a.Consented.IsZero() || !a.Declined.IsZero() || a.Tally != Tally{}
}

// AccountKeyboard is one keyboard of an Account.
type AccountKeyboard struct {
	ID   string      `json:"id"`
	Name string      `json:"name"`
	Kind access.Kind `json:"kind"`
	Made time.Time   `json:"made"`
	Used time.Time   `json:"last_used,omitzero"`
	// Prints counts all, Learnt those of them taken in from sign-ins since.
	Prints int `json:"prints"`
	Learnt int `json:"learnt"`
	Bytes  int `json:"bytes"`
}

// account lists what is kept.
func (b *Book) account(ctx context.Context, application, user string) (Account, error) {
	p, err := b.get(ctx, application, user)
	if err != nil {
		return Account{}, err
	}
	tally, err := b.tally(ctx, application, user)
	if err != nil {
		return Account{}, err
	}
	a := Account{Tally: tally, Consented: p.Consent.At, Declined: p.Declined, Last: p.Last, Keyboards: []AccountKeyboard{}}
	if !p.Last.IsZero() {
		a.Forgotten = p.Last.Add(b.retain)
	}
	for _, k := range p.Keyboards {
		var prints Profile
		n, learnt := 0, 0
		if prints.UnmarshalBinary(k.Profile) == nil {
			n, learnt = prints.Len(), len(prints.grown)
		}
		a.Keyboards = append(a.Keyboards, AccountKeyboard{
			ID: k.ID, Name: k.Name, Kind: k.Kind, Made: k.Made, Used: k.Used, Prints: n, Learnt: learnt, Bytes: len(k.Profile),
		})
	}
	return a, nil
}
