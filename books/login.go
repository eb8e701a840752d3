package books

import (
	"context"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/store"
)

// LoginState is where a login stands; no row at all means ended.
type LoginState string

// The states of a login, as the table of the login watcher has them.
const (
	LoginNobody   LoginState = "nobody"
	LoginDeciding LoginState = "deciding"
	LoginHeld     LoginState = "held"
	LoginBound    LoginState = "bound"
	LoginEnded    LoginState = "ended"
)

// Login is one sign-in, as the allow-list keeps it.
type Login struct {
	ID          string
	Application string
	Device      string
	State       LoginState
	// Person is who signed in; nobody until a sign-in was proved.
	Person access.Person
	// Named says that the backend itself named the user (whoami), so that it
	// can be asked again.
	Named bool
	// Adopted says that the session is older than the gate: nobody signed
	// into it under the gate's eyes.
	Adopted bool
	Created time.Time
	// Last is the last use, written coarsely.
	Last time.Time
	// Until ends a held or deciding login.
	Until time.Time
	// Was and WasUntil are what a deciding login was before, to go back to
	// when the sign-in fails.
	Was      LoginState
	WasUntil time.Time
	// Typed is the name whose password was right, while the backend still asks
	// for a second step of its own: State is nobody then, and so is Person. It
	// is good until Until.
	Typed string
	// Factors are what was passed at this sign-in: "login", "biopass",
	// "approval".
	Factors []string

	Unknown
}

// LoginIdle is how long a login that is not used lives, where nothing else is
// said.
const LoginIdle = 30 * 24 * time.Hour

// Logins is the book of logins.
type Logins struct{ st store.Store }

// Key is the key of a login.
func (Logins) Key(application, id string) string { return Key(application, "login", id) }

// Put keeps a login and its place in the user's list; both go by themselves
// after as long without use as idle says, 0 for LoginIdle.
func (b Logins) Put(l Login, idle time.Duration) []store.Write {
	if idle <= 0 {
		idle = LoginIdle
	}
	writes := []store.Write{{Key: b.Key(l.Application, l.ID), Value: Encode(l), TTL: idle}}
	if l.Person.User != "" {
		writes = append(writes, store.Write{
			Key: Key(l.Application, "login-of", l.Person.User, l.ID), Value: []byte{1}, TTL: idle,
		})
	}
	return writes
}

// Delete ends a login.
func (b Logins) Delete(l Login) []store.Write {
	writes := []store.Write{{Key: b.Key(l.Application, l.ID)}}
	if l.Person.User != "" {
		writes = append(writes, store.Write{Key: Key(l.Application, "login-of", l.Person.User, l.ID)})
	}
	return writes
}

// Get returns a login, or store.ErrNotFound for one that ended.
func (b Logins) Get(ctx context.Context, application, id string) (Login, error) {
	return Get[Login](ctx, b.st, b.Key(application, id))
}

// IDs returns the identifiers of a user's logins in an application, oldest
// first. One may have ended meanwhile.
func (b Logins) IDs(ctx context.Context, application, user string) ([]string, error) {
	prefix := Prefix(application, "login-of", user)
	entries, err := b.st.Range(ctx, store.Query{Prefix: prefix, KeysOnly: true})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.Key[len(prefix):]
	}
	return ids, nil
}

// Of returns a user's logins in an application, oldest first.
func (b Logins) Of(ctx context.Context, application, user string) ([]Login, error) {
	ids, err := b.IDs(ctx, application, user)
	if err != nil {
		return nil, err
	}
	var list []Login
	for _, id := range ids {
		l, err := b.Get(ctx, application, id)
		if err != nil {
			continue // ended between the two reads
		}
		list = append(list, l)
	}
	return list, nil
}
