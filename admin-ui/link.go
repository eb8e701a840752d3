package adminui

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

const (
	// linkLife is how long a sign-in link can be used.
	linkLife = 15 * time.Minute
	// codeTries is how often the code of a mailed link may be typed wrong;
	// then the link is void.
	codeTries = 5
)

// link is a sign-in link, as the store keeps it under the hash of its token.
type link struct {
	// Email is the admin's, or operator.
	Email         string
	Created, Ends time.Time
	// Browser is the hash of the cookie of the browser that asked for the
	// mail, Code what that browser shows. A link from the command line has
	// neither: whoever reads that terminal could do anything.
	//
	// With them, a mail scanner that opens the link and presses its only
	// button gets nowhere and burns nothing (threat L10).
	Browser, Code string
	Wrong         int
	// To is where the person was going, a place of this host.
	To string
}

var (
	// errLink says that a link is not good: unknown, used, or too old.
	errLink = errors.New("sign-in link is not good")
	// errCode says that another browser than the one that asked must type the
	// code, and did not.
	errCode = errors.New("the code of the sign-in link is missing or wrong")
)

// links keeps them, hashed, in the shared partition.
type links struct {
	st    store.Store
	clock func() time.Time
}

func linkKey(token string) string { return books.Key("", "console-link", hashed(token)) }

// add keeps a link and returns its token.
func (b links) add(ctx context.Context, l link) (string, error) {
	token := newSecret()
	l.Created = b.clock()
	l.Ends = l.Created.Add(linkLife)
	err := b.st.Apply(ctx, store.Batch{Writes: []store.Write{
		{Key: linkKey(token), Value: books.Encode(l), TTL: linkLife},
	}})
	if err != nil {
		return "", fmt.Errorf("keeping a sign-in link: %w", err)
	}
	return token, nil
}

// look returns a link without using it up, or errLink.
func (b links) look(ctx context.Context, token string) (link, error) {
	if !plausible(token) {
		return link{}, errLink
	}
	l, err := books.Get[link](ctx, b.st, linkKey(token))
	if errors.Is(err, store.ErrNotFound) || (err == nil && !b.clock().Before(l.Ends)) {
		return link{}, errLink
	}
	return l, err
}

// use uses a link up: of two at the same moment one gets errLink. Browser is
// the cookie of the browser that asked for a mail, code what was typed in
// another one.
func (b links) use(ctx context.Context, token, browser, code string) (link, error) {
	l, err := b.look(ctx, token)
	if err != nil {
		return link{}, err
	}
	key, old := linkKey(token), books.Encode(l)
	if l.Code != "" && !same(hashed(browser), l.Browser) && !same(digits(code), l.Code) {
		if digits(code) == "" {
			return link{}, errCode
		}
		l.Wrong++
		w := store.Write{Key: key}
		if l.Wrong < codeTries {
			w.Value, w.TTL = books.Encode(l), max(l.Ends.Sub(b.clock()), time.Second)
		}
		err := b.st.Apply(ctx, store.Batch{Checks: []store.Check{{Key: key, Value: old}}, Writes: []store.Write{w}})
		if err != nil && !errors.Is(err, store.ErrConflict) {
			return link{}, fmt.Errorf("counting a wrong code: %w", err)
		}
		if l.Wrong >= codeTries {
			return link{}, errLink
		}
		return link{}, errCode
	}
	err = b.st.Apply(ctx, store.Batch{
		Checks: []store.Check{{Key: key, Value: old}}, Writes: []store.Write{{Key: key}},
	})
	if errors.Is(err, store.ErrConflict) {
		return link{}, errLink
	}
	if err != nil {
		return link{}, fmt.Errorf("using a sign-in link: %w", err)
	}
	return l, nil
}

// digits keeps what was typed of a code: people put spaces into it.
func digits(s string) string {
	if len(s) > 40 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// Link makes a single-use sign-in link for an admin, good for 15 minutes. An
// empty e-mail means the only admin there is; while there is none at all, the
// link signs in a local operator who is asked to add themself. It is for the
// command line and whoever stands at the machine: what it returns opens the
// console without more.
func (c *Console) Link(ctx context.Context, email string) (string, error) {
	admins := c.Admins()
	to := operator
	switch {
	case email != "":
		admin, ok := c.admin(email)
		if !ok {
			return "", fmt.Errorf("no admin has the e-mail %q", email)
		}
		to = canonical(admin.Email)
	case len(admins) == 1:
		to = canonical(admins[0].Email)
	case len(admins) > 1:
		return "", errors.New("there are several admins: say whose link it is")
	}
	token, err := c.links.add(ctx, link{Email: to})
	if err != nil {
		return "", err
	}
	who := to
	if who == operator {
		who = "operator"
	}
	err = c.Books.Audit.Append(ctx, books.Entry{
		At: c.Clock(), Who: "command line", From: "local", Via: "cli", What: "console.link", Subject: who,
	})
	if err != nil {
		return "", fmt.Errorf("noting the sign-in link: %w", err)
	}
	return c.enterURL(token), nil
}

func (c *Console) enterURL(token string) string { return c.URL + "/enter/" + url.PathEscape(token) }

// admin returns the admin of an e-mail address.
func (c *Console) admin(email string) (books.Admin, bool) {
	email = canonical(email)
	for _, a := range c.Admins() {
		if email != "" && canonical(a.Email) == email {
			return a, true
		}
	}
	return books.Admin{}, false
}

// canonical is the form in which admins' addresses are compared, whole.
func canonical(email string) string { return strings.ToLower(strings.TrimSpace(email)) }
