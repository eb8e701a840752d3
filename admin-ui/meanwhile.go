package adminui

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/cadenas-gateway/cadenas/lang"
)

// markOf stands for what a form was filled in from.
func markOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// seen is the mark of a form: that of what it was filled in from first, where it
// is shown again with what was typed.
func (v *visit) seen(parts ...string) string {
	if typed := v.r.PostFormValue("seen"); typed != "" {
		return lang.Inert(typed, 40)
	}
	return markOf(parts...)
}

// meanwhileLook is how many entries of the audit are looked at for who changed
// something.
const meanwhileLook = 200

// meanwhile returns what to say where a form was filled in from something that
// is otherwise by now: kept as it was typed, it would take back what another
// admin did. Parts are what there is, as for the form's field "seen"; a desk
// sends none, and says what to change and nothing else. What and subject are the entry of the
// audit that says who did it.
func (v *visit) meanwhile(app, what, subject string, parts ...string) error {
	seen := v.r.PostFormValue("seen")
	if seen == "" || seen == markOf(parts...) {
		return nil
	}
	list, err := v.Books.Audit.Newest(v.ctx(), app, "", meanwhileLook)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.What == what && e.Subject == subject {
			return tell("form.meanwhile.by", "who", capital(v.author(e.Who)))
		}
	}
	return tell("form.meanwhile")
}
