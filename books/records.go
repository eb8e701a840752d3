package books

import (
	"context"
	"errors"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/store"
)

// Mark is who did something, when and why.
type Mark struct {
	By  string
	At  time.Time
	Why string
}

// User is what is kept about the person behind a user name.
type User struct {
	// User is the canonical name; the rest is for people and notices.
	User                string
	Name, Email, Mobile string
	Language            string
	// Locked and FullAccess say since when and by whom, by application; the
	// key "" stands for all.
	Locked     map[string]Mark
	FullAccess map[string]Mark
	// Exempt likewise.
	Exempt  map[string]Mark
	Created time.Time
	Last    time.Time

	Unknown
}

// IsLocked reports whether the user is locked in an application.
func (u User) IsLocked(application string) bool { return marked(u.Locked, application) }

// HasFullAccess reports whether the user has full access to an application.
func (u User) HasFullAccess(application string) bool { return marked(u.FullAccess, application) }

// IsExempt reports whether an admin exempted the user in an application.
func (u User) IsExempt(application string) bool { return marked(u.Exempt, application) }

func marked(m map[string]Mark, application string) bool {
	_, here := m[application]
	_, everywhere := m[""]
	return here || everywhere
}

// Users is the book of users.
type Users struct{ st store.Store }

// Key is the key of a user's record.
func (Users) Key(user string) string { return Key("", "user", user) }

// Get returns a user's record; one that was never written is returned with
// the name alone.
func (b Users) Get(ctx context.Context, user string) (User, error) {
	u, err := Get[User](ctx, b.st, b.Key(user))
	if errors.Is(err, store.ErrNotFound) {
		return User{User: user}, nil
	}
	return u, err
}

// Update changes a user's record; more writes must be Shared ones.
func (b Users) Update(ctx context.Context, user string, change func(u *User) (more []store.Write, ok bool, err error)) (User, error) {
	return Update(ctx, b.st, b.Key(user), func(u *User) ([]store.Write, bool, error) {
		before := *u
		u.User = user
		more, ok, err := change(u)
		if err != nil || !ok {
			return nil, ok, err
		}
		return append(more, nameWrites(before, *u)...), true, nil
	})
}

// All returns every user, by name.
func (b Users) All(ctx context.Context) ([]User, error) {
	return All[User](ctx, b.st, Prefix("", "user"))
}

// Rules is the book of rules.
type Rules struct{ st store.Store }

// Key is the key of a rule: its application, then its user or "" for the
// rules about groups and everybody.
func (Rules) Key(r access.Rule) string { return Key(r.Application, "rule", "u"+r.User, r.ID) }

// Put keeps a rule and its line in the index by when it was made.
func (b Rules) Put(r access.Rule) []store.Write {
	return []store.Write{{Key: b.Key(r), Value: Encode(r)}, madeWrite(r)}
}

// Delete ends a rule.
func (b Rules) Delete(r access.Rule) []store.Write {
	return []store.Write{{Key: b.Key(r)}, {Key: madeKey(r), Quiet: true}}
}

// For returns the rules that may concern a user in an application: theirs
// and everybody's, here and in all applications. Ended ones are among them.
func (b Rules) For(ctx context.Context, application, user string) ([]access.Rule, error) {
	var rules []access.Rule
	seen := map[string]bool{}
	for _, app := range []string{application, ""} {
		for _, u := range []string{user, ""} {
			prefix := Prefix(app, "rule", "u"+u)
			if seen[prefix] {
				continue
			}
			seen[prefix] = true
			some, err := All[access.Rule](ctx, b.st, prefix)
			if err != nil {
				return nil, err
			}
			rules = append(rules, some...)
		}
	}
	return rules, nil
}

// Shared returns the rules about groups and everybody that may concern somebody
// in an application: its own and those about all. Ended ones are among them.
func (b Rules) Shared(ctx context.Context, application string) ([]access.Rule, error) {
	return b.For(ctx, application, "")
}

// Of returns the rules about one user in an application, "" for those about
// groups and everybody.
func (b Rules) Of(ctx context.Context, application, user string) ([]access.Rule, error) {
	return All[access.Rule](ctx, b.st, Prefix(application, "rule", "u"+user))
}

// All returns every rule kept for an application, "" for those about all.
func (b Rules) All(ctx context.Context, application string) ([]access.Rule, error) {
	return All[access.Rule](ctx, b.st, Prefix(application, "rule"))
}

// Device is what is kept about the holder of a device cookie.
type Device struct {
	ID    string
	Kind  access.Kind
	Label string
	// Name is what an admin calls it ("the centre's tablet").
	Name string
	// Generation is the newest generation of its cookie that came back, and
	// Rotated when it first did: an older one that comes back after its grace
	// is a copy.
	Generation uint32
	Rotated    time.Time
	First      time.Time
	Last       time.Time

	Unknown
}

// Devices is the book of devices.
type Devices struct{ st store.Store }

// Key is the key of a device's record.
func (Devices) Key(id string) string { return Key("", "device", id) }

// Get returns a device's record, or store.ErrNotFound.
func (b Devices) Get(ctx context.Context, id string) (Device, error) {
	return Get[Device](ctx, b.st, b.Key(id))
}

// Update changes a device's record.
func (b Devices) Update(ctx context.Context, id string, change func(d *Device) bool) (Device, error) {
	return Update(ctx, b.st, b.Key(id), func(d *Device) ([]store.Write, bool, error) {
		d.ID = id
		return nil, change(d), nil
	})
}

// All returns every device.
func (b Devices) All(ctx context.Context) ([]Device, error) {
	return All[Device](ctx, b.st, Prefix("", "device"))
}

// Padlock is the state of one application's padlock.
type Padlock struct {
	Application string
	Closed      bool
	// Changed says who opened or closed it last, and when.
	Changed Mark
	// FirstClosed is when it was closed for the first time; the import of 30
	// days happens then and never again.
	FirstClosed time.Time
	// Draining takes the stamps off as browsers come by, before the gate is
	// removed.
	Draining bool

	Unknown
}

// Padlocks is the book of padlocks, and by it of applications: every
// application that was ever served has a record.
type Padlocks struct{ st store.Store }

// Key is the key of an application's padlock.
func (Padlocks) Key(application string) string { return Key(application, "padlock") }

// Get returns the padlock of an application, open where none was written.
func (b Padlocks) Get(ctx context.Context, application string) (Padlock, error) {
	p, err := Get[Padlock](ctx, b.st, b.Key(application))
	if errors.Is(err, store.ErrNotFound) {
		return Padlock{Application: application}, nil
	}
	return p, err
}

// Update changes a padlock; more writes must be the application's.
func (b Padlocks) Update(ctx context.Context, application string, change func(p *Padlock) (more []store.Write, ok bool, err error)) (Padlock, error) {
	return Update(ctx, b.st, b.Key(application), func(p *Padlock) ([]store.Write, bool, error) {
		p.Application = application
		return change(p)
	})
}

// Admin is one who may decide.
type Admin struct {
	// Email names the admin; it is compared in lower case.
	Email    string
	Name     string
	Mobile   string
	Language string
	// Users says who the admin is in an application, by application; where
	// nothing is said, the user whose name is the e-mail.
	Users map[string]string
	// Applications are those the admin looks after; empty means all.
	Applications []string
	// Notify is the order of channels with the wait before the next.
	Notify []Channel
	// QuietFrom and QuietTo are local times of day, "22:00"; empty for none.
	QuietFrom, QuietTo string
	// Fixed says that the Caddyfile names this admin: shown, not edited.
	Fixed   bool
	Created time.Time

	Unknown
}

// Channel is one step in the order in which an admin is told.
type Channel struct {
	Name string
	// Wait is how long to wait after this channel before the next one.
	Wait time.Duration
}

// LooksAfter reports whether the admin may decide for an application.
func (a Admin) LooksAfter(application string) bool {
	if len(a.Applications) == 0 {
		return true
	}
	for _, x := range a.Applications {
		if x == application {
			return true
		}
	}
	return false
}

// Is reports whether the admin is a user of an application.
func (a Admin) Is(application, user string) bool {
	if name, ok := a.Users[application]; ok {
		return name == user
	}
	return a.Email == user
}

// Admins is the book of the admins whom the console made; the Caddyfile's
// are joined to them where the configuration is read.
type Admins struct{ st store.Store }

// Key is the key of an admin's record.
func (Admins) Key(email string) string { return Key("", "admin", email) }

// All returns the admins whom the console made.
func (b Admins) All(ctx context.Context) ([]Admin, error) {
	return All[Admin](ctx, b.st, Prefix("", "admin"))
}

// Entry is one line of the audit: who did what to whom, when, from where.
type Entry struct {
	ID string
	At time.Time
	// Who is an admin's e-mail, a user name prefixed "user:", or "system".
	Who string
	// From is the address it came from; Via the way: console, mail, cli,
	// api, gate.
	From, Via string
	// What is the verb: "approve", "refuse", "padlock.close", "login.stolen".
	What        string
	Application string
	// Subject is what it was done to: a user, a rule, a request.
	Subject string
	// Detail holds the particulars, by name; never a secret.
	Detail map[string]string
}

// Audit is the append-only book of entries.
type Audit struct{ st store.Store }

// Write is the write that appends an entry; its ID and time are set where
// they are missing.
func (Audit) Write(e Entry) store.Write {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	if e.ID == "" {
		e.ID = NewID(e.At)
	}
	return store.Write{Key: Key(e.Application, "audit", e.ID), Value: Encode(e)}
}

// Append writes an entry that stands alone.
func (b Audit) Append(ctx context.Context, e Entry) error {
	return b.st.Apply(ctx, store.Batch{Writes: []store.Write{b.Write(e)}})
}

// Newest returns up to limit entries of an application before a given
// identifier ("" for the newest), newest first.
func (b Audit) Newest(ctx context.Context, application, before string, limit int) ([]Entry, error) {
	q := store.Query{Prefix: Prefix(application, "audit"), Reverse: true, Limit: limit}
	if before != "" {
		q.After = Key(application, "audit", before)
	}
	var list []Entry
	err := Each(ctx, b.st, q, func(_ string, e Entry) bool {
		list = append(list, e)
		return len(list) < limit
	})
	return list, err
}
