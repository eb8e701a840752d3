package identity

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

// LessonLife is how long a lesson lives after it was started, and after each
// thing that the admin does in it.
const LessonLife = 15 * time.Minute

// LessonStep is where a lesson stands.
type LessonStep string

// The steps of a lesson, in their order. LessonTryWrong and LessonTryRight
// come each time the admin tries what was found.
const (
	// LessonLink: the link to the application was not opened yet.
	LessonLink LessonStep = "link"
	// LessonWrong waits for a sign-in with a wrong password, LessonRight for
	// one with the right password, LessonLeave for a sign-out.
	LessonWrong LessonStep = "wrong"
	LessonRight LessonStep = "right"
	LessonLeave LessonStep = "leave"
	// LessonFound: what was seen is shown, to be corrected and tried.
	LessonFound LessonStep = "found"
	// LessonTryWrong and LessonTryRight wait for the pair that is judged.
	LessonTryWrong LessonStep = "try_wrong"
	LessonTryRight LessonStep = "try_right"
	// LessonTried: the pair was judged.
	LessonTried LessonStep = "tried"
)

// Lesson is one teaching of an application's login, as the store keeps it.
// Nothing that was typed is in it but as keyed hashes, whose key is the
// secret of the teaching cookie.
type Lesson struct {
	ID, Application string
	// By is who teaches; Session is the console session it is bound to,
	// empty for the command line.
	By, Session    string
	Started, Until time.Time
	Step           LessonStep
	// Link and Cookie are the SHA-256 of the single-use link's secret, until
	// it was used, and of the cookie's.
	Link, Cookie string

	// Known says that the browser sent a name and a password by itself (basic
	// authentication) that it had from before: no wrong one can be typed there.
	Known bool

	// Page is the page that showed the form; Before are paths that something
	// was sent to before the sign-in (a form in two steps).
	Page   string
	Before []string
	// Assets are folders and endings of the pictures, styles and scripts that
	// were fetched by nobody.
	Assets []string
	Wrong  *Exchange
	Right  *Exchange
	// Second are the addresses of a second step of the backend's, its page
	// first.
	Second []string
	// Named are the answers in which the user's name stood.
	Named []Whoami
	// Logout is what signed out; empty where nothing was seen.
	Logout string

	// Words are being tried; TriedWrong and TriedRight is what came of it.
	Words                  Words
	TriedWrong, TriedRight *Tried

	// Users and Typed are keyed hashes of what was typed.
	Users, Typed []string
}

// Tried is a sign-in as it was judged by the words that are being tried.
type Tried struct {
	// Proof is "signed", "failed", "none" or "broken"; Reason says why.
	Proof, Reason string
	Status        int
	// Named says that whoami named somebody, Otherwise that it calls them
	// otherwise than they typed.
	Named, Otherwise bool
}

// Passed reports whether the wrong password was told from the right one.
func (l *Lesson) Passed() bool {
	return l.TriedWrong != nil && l.TriedRight != nil && l.TriedWrong.Proof == "failed" && l.TriedRight.Proof == "signed"
}

// Taught is a login that was taught, as the store keeps it.
type Taught struct {
	Words Words
	By    string
	At    time.Time
	// Tried says that a wrong and a right password were told apart before it
	// was kept.
	Tried bool
	// Preset is the name of the preset it comes from, empty for a lesson.
	Preset string
}

// Teacher says who teaches: a console session, or (Session empty) the
// command line, which may lead anybody's lesson.
type Teacher struct {
	Who, Session string
	// Secret is known to that session alone: the link is made from it, so that
	// the page can show it again. Empty: the link is random.
	Secret string
}

// LinkOf is the secret of the lesson's link, for the session that began it.
func (l *Lesson) LinkOf(by Teacher) string {
	if by.Secret == "" || l.Link == "" {
		return ""
	}
	m := hmac.New(sha256.New, []byte(by.Secret))
	m.Write([]byte("cadenas lesson link " + l.Application + " " + l.ID))
	link := base64.RawURLEncoding.EncodeToString(m.Sum(nil))
	if hashedSecret(link) != l.Link && l.Link != linkUnset {
		return ""
	}
	return link
}

// linkUnset stands for a link that is being made.
const linkUnset = "-"

// Errors of lessons.
var (
	// ErrLessonOther: somebody else teaches this application's login.
	ErrLessonOther = errors.New("somebody else is teaching this login")
	// ErrLessonStep: the lesson does not stand where that can be done.
	ErrLessonStep = errors.New("the lesson does not stand there")
	// ErrLessonLink: the link was used, or is over.
	ErrLessonLink = errors.New("the teaching link was used already, or is over")
)

// Lessons are the lessons and taught logins of all applications.
type Lessons struct {
	Books *books.Books
	Ring  func() *seal.Ring
	// Clock tells the time; nil means time.Now.
	Clock func() time.Time
	Log   *slog.Logger
	// Probe is as in Deps.
	Probe func(probe, parent *http.Request, w http.ResponseWriter) *http.Request
}

func (b *Lessons) now() time.Time {
	if b.Clock != nil {
		return b.Clock()
	}
	return time.Now()
}

func lessonKey(application string) string { return books.Key(application, "lesson", "login") }
func taughtKey(application string) string { return books.Key(application, "taught", "login") }

// TaughtKinds are the kinds of keys, in an application's partition, whose
// events concern lessons and taught logins.
const (
	KindLesson = "lesson"
	KindTaught = "taught"
)

// Get returns the lesson under way, or store.ErrNotFound.
func (b *Lessons) Get(ctx context.Context, application string) (Lesson, error) {
	l, err := books.Get[Lesson](ctx, b.Books.Store, lessonKey(application))
	if err == nil && !b.now().Before(l.Until) {
		err = store.ErrNotFound
	}
	if err != nil {
		return Lesson{}, fmt.Errorf("reading the lesson of %s: %w", application, err)
	}
	return l, nil
}

// Start begins a lesson and returns the secret of its single-use link.
func (b *Lessons) Start(ctx context.Context, application string, by Teacher) (Lesson, string, error) {
	switch l, err := b.Get(ctx, application); {
	case err == nil && !l.mayLead(by):
		return l, "", ErrLessonOther
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return l, "", err
	}
	now := b.now()
	l := Lesson{
		ID: books.NewID(now), Application: application, By: by.Who, Session: by.Session, Started: now, Until: now.Add(LessonLife),
		Step: LessonLink, Link: linkUnset,
	}
	link := l.LinkOf(by)
	if link == "" {
		link = newLessonSecret()
	}
	l.Link = hashedSecret(link)
	return l, link, b.put(ctx, l)
}

func (b *Lessons) put(ctx context.Context, l Lesson) error {
	err := b.Books.Store.Apply(ctx, store.Batch{Writes: []store.Write{{Key: lessonKey(l.Application), Value: books.Encode(l), TTL: LessonLife}}})
	if err != nil {
		return fmt.Errorf("writing the lesson of %s: %w", l.Application, err)
	}
	return nil
}

func (l *Lesson) mayLead(by Teacher) bool { return by.Session == "" || by.Session == l.Session }

// Open takes the secret of a link, once, and returns that of the cookie.
func (b *Lessons) Open(ctx context.Context, application, link string) (string, error) {
	cookie := newLessonSecret()
	_, err := b.update(ctx, application, func(l *Lesson) error {
		if l.Link == "" || l.Link != hashedSecret(link) {
			return ErrLessonLink
		}
		l.Link, l.Cookie, l.Step = "", hashedSecret(cookie), LessonWrong
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		err = ErrLessonLink
	}
	return cookie, err
}

// Waits reports whether a link would open, without using it.
func (b *Lessons) Waits(ctx context.Context, application, link string) (Lesson, bool) {
	l, err := b.Get(ctx, application)
	return l, err == nil && l.Link != "" && l.Link == hashedSecret(link)
}

// Again goes back to a step and forgets what was seen from there on.
func (b *Lessons) Again(ctx context.Context, application string, by Teacher, step LessonStep) (Lesson, error) {
	return b.update(ctx, application, func(l *Lesson) error {
		if !l.mayLead(by) {
			return ErrLessonOther
		}
		if l.Cookie == "" {
			return ErrLessonStep
		}
		switch step {
		case LessonWrong:
			l.Wrong, l.Right, l.Page, l.Before, l.Assets, l.Known = nil, nil, "", nil, nil, false
			l.Users, l.Typed, l.Second = nil, nil, nil
		case LessonRight:
			l.Right, l.Second = nil, nil
		case LessonLeave:
		case LessonLink, LessonFound, LessonTryWrong, LessonTryRight, LessonTried:
			return ErrLessonStep
		default:
			return ErrLessonStep
		}
		if step != LessonLeave {
			l.Named = nil
		}
		l.Logout, l.Step, l.TriedWrong, l.TriedRight = "", step, nil, nil
		return nil
	})
}

// Skip says that the application has no sign-out, or that it was not seen.
func (b *Lessons) Skip(ctx context.Context, application string, by Teacher) (Lesson, error) {
	return b.update(ctx, application, func(l *Lesson) error {
		switch {
		case !l.mayLead(by):
			return ErrLessonOther
		case l.Step != LessonLeave:
			return ErrLessonStep
		}
		l.Step, l.Words = LessonFound, l.Find()
		return nil
	})
}

// Try begins the pair of sign-ins that words are judged by.
func (b *Lessons) Try(ctx context.Context, application string, by Teacher, w Words) (Lesson, error) {
	if err := w.Check(); err != nil {
		return Lesson{}, err
	}
	return b.update(ctx, application, func(l *Lesson) error {
		switch {
		case !l.mayLead(by):
			return ErrLessonOther
		case l.Cookie == "":
			return ErrLessonStep
		}
		l.Words, l.Step, l.TriedWrong, l.TriedRight = w, LessonTryWrong, nil, nil
		if l.Basic() && w.User == "basic" && w.Whoami.Path == "" {
			// A browser sends by itself what it was told once: a wrong password
			// cannot be typed again. The pair that was seen is what is judged.
			l.TriedWrong, l.TriedRight, l.Step = l.Wrong.tried(), l.Right.tried(), LessonTried
		}
		return nil
	})
}

// Stop ends a lesson; one that is over is no error.
func (b *Lessons) Stop(ctx context.Context, application string, by Teacher) error {
	l, err := b.Get(ctx, application)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !l.mayLead(by) {
		return ErrLessonOther
	}
	return b.drop(ctx, lessonKey(application))
}

// StopOf ends the lessons of a console session that ends.
func (b *Lessons) StopOf(ctx context.Context, session string, applications []string) error {
	var failed error
	for _, app := range applications {
		if l, err := b.Get(ctx, app); err == nil && l.Session == session {
			failed = errors.Join(failed, b.drop(ctx, lessonKey(app)))
		}
	}
	return failed
}

func (b *Lessons) drop(ctx context.Context, keys ...string) error {
	var writes []store.Write
	for _, k := range keys {
		writes = append(writes, store.Write{Key: k})
	}
	if err := b.Books.Store.Apply(ctx, store.Batch{Writes: writes}); err != nil {
		return fmt.Errorf("ending a lesson: %w", err)
	}
	return nil
}

// update changes the lesson under way.
func (b *Lessons) update(ctx context.Context, application string, change func(l *Lesson) error) (Lesson, error) {
	for try := 0; ; try++ {
		old, err := b.Books.Store.Get(ctx, lessonKey(application))
		if err != nil {
			return Lesson{}, fmt.Errorf("reading the lesson of %s: %w", application, err)
		}
		var l Lesson
		if err := books.Decode(old, &l); err != nil {
			return l, err
		}
		if !b.now().Before(l.Until) {
			return l, fmt.Errorf("the lesson of %s is over: %w", application, store.ErrNotFound)
		}
		if err := change(&l); err != nil {
			return l, err
		}
		l.Until = b.now().Add(LessonLife)
		err = b.Books.Store.Apply(ctx, store.Batch{
			Checks: []store.Check{{Key: lessonKey(application), Value: old}},
			Writes: []store.Write{{Key: lessonKey(application), Value: books.Encode(l), TTL: LessonLife}},
		})
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, store.ErrConflict) || try >= 50 {
			return l, fmt.Errorf("writing the lesson of %s: %w", application, err)
		}
	}
}

// Taught returns the login that was taught, or store.ErrNotFound.
func (b *Lessons) Taught(ctx context.Context, application string) (Taught, error) {
	t, err := books.Get[Taught](ctx, b.Books.Store, taughtKey(application))
	if err != nil {
		return t, fmt.Errorf("reading the taught login of %s: %w", application, err)
	}
	return t, nil
}

// Keep keeps a taught login and ends the lesson, with more writes of the same
// application. One that passed its trial counts as understood: the padlock
// may close.
func (b *Lessons) Keep(ctx context.Context, application string, t Taught, more ...store.Write) error {
	if err := t.Words.Check(); err != nil {
		return err
	}
	t.At = b.now()
	if t.Tried {
		n, err := newNames(Config{Application: application}, b.Books.Store)
		if err != nil {
			return err
		}
		n.load(ctx)
		n.learnLogin(foldField(t.Words.User), t.Words.Token != "")
	}
	writes := append([]store.Write{{Key: taughtKey(application), Value: books.Encode(t)}, {Key: lessonKey(application)}}, more...)
	if err := b.Books.Store.Apply(ctx, store.Batch{Writes: writes}); err != nil {
		return fmt.Errorf("keeping the taught login of %s: %w", application, err)
	}
	return nil
}

// Forget forgets a taught login, with more writes of the same application.
func (b *Lessons) Forget(ctx context.Context, application string, more ...store.Write) error {
	writes := append([]store.Write{{Key: taughtKey(application)}}, more...)
	if err := b.Books.Store.Apply(ctx, store.Batch{Writes: writes}); err != nil {
		return fmt.Errorf("forgetting the taught login of %s: %w", application, err)
	}
	return nil
}

// newLessonSecret is 256 random bits (threat L15).
func newLessonSecret() string {
	var raw [32]byte
	rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

func hashedSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
