package caddymodule

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/pages"
	"github.com/cadenas-gateway/cadenas/passkey"
)

// newParty makes what asks for the passkeys of a site's users, nil where they
// do not count. They belong to the gate's own host, as the configuration names
// it: on the application's, its scripts could ask for them too (threat L12).
func (run *running) newParty(h *Handler, name, gate string) (*passkey.Party, error) {
	if h.Biopass == nil || !h.Biopass.Passkey {
		return nil, nil
	}
	if gate == "" {
		return nil, fmt.Errorf("biopass %s passkey: the gate has no host of its own; write `console https://gate.example.com` into the global block, or `intercept` here", h.Biopass.Mode)
	}
	party, err := passkey.NewParty(gate, name, passkey.NewBook(run.state.store, nil), run.state.keys)
	if err != nil {
		return nil, fmt.Errorf("biopass %s passkey, with the gate at %s: %w", h.Biopass.Mode, gate, err)
	}
	return party, nil
}

// passkeys is what asks for the passkeys of an application's users, nil where
// they do not count.
func (run *running) passkeys(application string) *passkey.Party {
	if s := run.siteNamed(application); s != nil {
		return s.keys
	}
	return nil
}

// confirmed reports whether more than the password stands behind this sign-in.
func (q *request) confirmed() bool { return len(q.session.Login.Factors) > 1 || q.factor != "" }

// ownKeys adds and removes passkeys of whoever is let in.
func (q *request) ownKeys() error {
	if q.r.Method != http.MethodPost || http.NewCrossOriginProtection().Check(q.r) != nil {
		return q.nothingHere()
	}
	p, in, err := q.inside()
	if err != nil {
		return q.unavailable(err)
	}
	c := pages.Language(q.r, q.run.app.Languages)
	if !in {
		return biopass.WriteLink(q.w, q.r, c, biopass.LinkPage{Application: q.name, Languages: q.run.app.Languages, SignIn: "/", Prints: true})
	}
	q.r.Body = http.MaxBytesReader(q.w, q.r.Body, 4096)
	ctx, service := q.r.Context(), q.run.biopass
	if q.r.URL.Path == biopass.PrintsPath+"/passkey/remove" {
		note := books.Entry{Who: "user:" + p.User, From: q.print.Address.String(), Via: "gate"}
		_, err := service.RemoveKey(ctx, q.name, p.User, q.r.PostFormValue("id"), note)
		if err != nil && !errors.Is(err, passkey.ErrNone) {
			return q.unavailable(err)
		}
		http.Redirect(q.w, q.r, biopass.PrintsPath, http.StatusSeeOther)
		return nil
	}
	may, err := service.MayAddKey(ctx, q.name, p.User, q.confirmed())
	if err != nil {
		return q.unavailable(err)
	}
	if !may || !q.elsewhere() {
		http.Redirect(q.w, q.r, biopass.PrintsPath, http.StatusSeeOther)
		return nil
	}
	e, err := service.BeginKey(ctx, biopass.Errand{
		Application: q.name, Person: p, Device: q.print.Device, Browser: q.print.Browser, Place: *q.place,
		Origin: origin(q.r), Back: biopass.PrintsPath, Language: c.Tag(),
	})
	if err != nil {
		return q.unavailable(err)
	}
	return q.leadTo(biopass.BasePath, e)
}
