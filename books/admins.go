package books

import (
	"context"
	"errors"
	"fmt"

	"github.com/cadenas-gateway/cadenas/store"
)

// ErrLastAdmin says that an admin cannot be removed, or looked to fewer
// applications: there would be none, or none who looks after all of them and so
// after the other admins.
var ErrLastAdmin = errors.New("the last admin cannot be removed")

// adminTries is how often a change is begun anew because another one came first.
const adminTries = 20

// Get returns an admin whom the console made, or store.ErrNotFound.
func (b Admins) Get(ctx context.Context, email string) (Admin, error) {
	return Get[Admin](ctx, b.st, b.Key(email))
}

// Save keeps an admin with the entry that says who did it. Before is the
// e-mail they had, empty for somebody new: store.ErrNotFound where they were
// removed meanwhile, who must not come back by it. Others says that the
// configuration names an admin of all applications; where it does not, one must
// stay: ErrLastAdmin.
func (b Admins) Save(ctx context.Context, a Admin, before string, others bool, e Entry) error {
	err := b.again(func() error {
		writes := []store.Write{{Key: b.Key(a.Email), Value: Encode(a)}, Audit{}.Write(e)}
		var checks []store.Check
		if before != a.Email {
			checks = append(checks, store.Check{Key: b.Key(a.Email)}) // nobody else has it
		}
		if before != "" {
			some, was, err := b.remaining(ctx, before, others, func(was, x Admin) bool {
				return len(a.Applications) == 0 || len(was.Applications) > 0 || (x.Email != was.Email && len(x.Applications) == 0)
			})
			if err != nil {
				return err
			}
			if checks = append(checks, some...); was.Email != a.Email {
				writes = append(writes, store.Write{Key: b.Key(was.Email)})
			}
		}
		return b.st.Apply(ctx, store.Batch{Checks: checks, Writes: writes})
	})
	if err != nil {
		return fmt.Errorf("keeping admin %s: %w", a.Email, err)
	}
	return nil
}

// Remove removes an admin whom the console made, with the entry that says who
// did it. Others says that the configuration names an admin of all applications;
// where it does not, the last one stays: ErrLastAdmin, also for two who remove
// each other at the same moment.
func (b Admins) Remove(ctx context.Context, email string, others bool, e Entry) error {
	err := b.again(func() error {
		checks, _, err := b.remaining(ctx, email, others, func(was, x Admin) bool {
			return x.Email != was.Email && (len(was.Applications) > 0 || len(x.Applications) == 0)
		})
		if err != nil {
			return err
		}
		return b.st.Apply(ctx, store.Batch{Checks: checks, Writes: []store.Write{{Key: b.Key(email)}, Audit{}.Write(e)}})
	})
	if err != nil {
		return fmt.Errorf("removing admin %s: %w", email, err)
	}
	return nil
}

// remaining returns the admin of an e-mail, and the checks with which they may be
// changed: that they are as they were read and, where the configuration names no
// other, that one whom enough says yes to is there too. ErrLastAdmin where there
// is none.
func (b Admins) remaining(ctx context.Context, email string, others bool, enough func(was, x Admin) bool) ([]store.Check, Admin, error) {
	entries, err := b.st.Range(ctx, store.Query{Prefix: Prefix("", "admin")})
	if err != nil {
		return nil, Admin{}, fmt.Errorf("reading the admins: %w", err)
	}
	var was Admin
	var checks []store.Check
	list := make([]Admin, len(entries))
	for i, entry := range entries {
		if err := Decode(entry.Value, &list[i]); err != nil {
			return nil, was, fmt.Errorf("%s: %w", entry.Key, err)
		}
		if entry.Key == b.Key(email) {
			was, checks = list[i], []store.Check{{Key: entry.Key, Value: entry.Value}}
		}
	}
	if len(checks) == 0 {
		return nil, was, store.ErrNotFound
	}
	if others {
		return checks, was, nil
	}
	for i, x := range list {
		if enough(was, x) { // this one stays, and must still be so when we write
			return append(checks, store.Check{Key: entries[i].Key, Value: entries[i].Value}), was, nil
		}
	}
	return nil, was, ErrLastAdmin
}

// again does what another write came between once more.
func (b Admins) again(do func() error) error {
	for try := 0; ; try++ {
		if err := do(); !errors.Is(err, store.ErrConflict) || try == adminTries {
			return err
		}
	}
}
