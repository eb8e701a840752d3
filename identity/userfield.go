package identity

import (
	"net/http"
	"net/url"
	"strings"
)

// typedUser is the user a login body names.
type typedUser struct {
	// user is canonical; empty where the body names nobody: it is no login.
	user string
	// field is where it stood, folded.
	field string
	// names are all fields of the body, folded: the form comes back with
	// them when the password was wrong.
	names []string
	// script says that a script sent it.
	script bool
	// second says that it is the second step of one whose name was typed with
	// the password.
	second bool
}

// readUser finds the user in a login request. It is no error when there is
// none; ErrUnreadable when two fields may be the one (PHP takes the last, Go
// the first), ErrName when the name is refused.
//
// Field is the one configured or learnt. Without one it is found out, always
// in the same way: there must be a password-like field; the user's is the
// only one of those named like a user's name; failing those, of the short
// names that some applications use; failing those, the one before the
// password. Two that fit are ErrUnreadable: which one the backend takes
// cannot be told, and a decoy would be believed.
func readUser(r *http.Request, k *keptBody, fieldName string) (typedUser, error) {
	t := typedUser{script: k.form.json || fetched(r)}
	for _, f := range k.form.fields {
		t.names = append(t.names, foldField(f.name))
	}
	if fieldName == "basic" {
		name, _, ok := r.BasicAuth()
		if !ok {
			return t, nil
		}
		user, err := Canonical(name)
		t.user, t.field = user, "basic"
		return t, err
	}
	name, value, err := userField(k.form.fields, fieldName)
	if err != nil || name == "" {
		return t, err
	}
	if queryHas(r.URL, name) {
		return t, ErrUnreadable
	}
	t.field = name
	t.user, err = Canonical(value)
	return t, err
}

func userField(fields []field, configured string) (name, value string, err error) {
	if configured != "" {
		folded := foldField(configured)
		return onlyOne(fields, func(n string) bool { return n == folded || n == hiddenMark+folded })
	}
	password := -1
	for i, f := range fields {
		if passwordLike(f.name) {
			password = i
			break
		}
	}
	if password < 0 {
		return "", "", nil
	}
	for _, like := range []map[string]bool{userNames, shortNames} {
		name, value, err = onlyOne(fields, func(n string) bool { return like[lastSegment(n)] })
		if err != nil || name != "" {
			return name, value, err
		}
	}
	for i := password - 1; i >= 0; i-- {
		if f := fields[i]; f.value != "" && !strings.HasPrefix(f.name, hiddenMark) && !tokenLike(f.name) {
			folded := foldField(f.name)
			return onlyOne(fields, func(n string) bool { return n == folded })
		}
	}
	return "", "", nil
}

// onlyOne returns the one field that is meant. Two are ErrUnreadable, even
// when they say the same; an empty one is as if it were not there only if
// its name occurs once.
func onlyOne(fields []field, meant func(folded string) bool) (name, value string, err error) {
	for _, f := range fields {
		folded := foldField(f.name)
		bare, hidden := strings.CutPrefix(folded, hiddenMark)
		if !meant(folded) && (!hidden || !meant(bare)) {
			continue
		}
		if hidden {
			return "", "", ErrUnreadable
		}
		if name != "" {
			if f.value == "" && folded != name {
				continue
			}
			if value == "" && folded != name {
				name, value = folded, f.value
				continue
			}
			return "", "", ErrUnreadable
		}
		name, value = folded, f.value
	}
	if value == "" {
		return "", "", nil
	}
	return name, value, nil
}

// foldField folds a field's name as backends do, and keeps the mark of a
// hidden one.
func foldField(name string) string {
	if rest, ok := strings.CutPrefix(name, hiddenMark); ok {
		return hiddenMark + foldName(rest)
	}
	return foldName(name)
}

// lastSegment is the innermost name: "auth[username]" folds to
// "auth_username]", "user.email" to "user_email".
func lastSegment(folded string) string {
	folded = strings.TrimRight(folded, "]_")
	for _, prefix := range []string{"auth_", "user_", "login_", "session_", "form_", "data_", "account_", "credentials_", "_", "loginform_"} {
		if rest, ok := strings.CutPrefix(folded, prefix); ok && (userNames[rest] || shortNames[rest]) {
			return rest
		}
	}
	return folded
}

// userNames are what login forms call the user's name.
var userNames = set("username", "user_name", "user", "login", "login_name", "loginname", "userid", "user_id", "uid",
	"email", "e_mail", "e-mail", "mail", "email_address", "emailaddress", "identifier", "identifiant", "identity",
	"user_login", "useremail", "user_email", "login_email", "username_or_email", "utilisateur", "nom_utilisateur", "courriel", "courrier",
	"benutzer", "benutzername", "usuario", "usr", "j_username", "os_username", "login_username", "loginid", "login_id", "account_name", "signin")

// shortNames are looked at when none of userNames is there.
var shortNames = set("u", "name", "log", "account", "nom", "phone", "mobile", "member", "tx_username")

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

func passwordLike(name string) bool {
	folded := strings.TrimRight(foldField(name), "]_")
	for _, part := range []string{"pass", "pwd", "mdp", "kennwort", "contrase", "motdepasse", "senha", "wachtwoord"} {
		if strings.Contains(folded, part) {
			return true
		}
	}
	switch folded {
	case "p", "pw", "secret", "pin":
		return true
	}
	return false
}

// tokenLike reports a field that the page fills in, not a person.
func tokenLike(name string) bool {
	folded := foldField(name)
	for _, part := range []string{"csrf", "xsrf", "token", "nonce", "sectok", "_method", "return", "redirect", "next", "submit", "remember", "do", "action", "lang", "driver", "server", "db", "scope", "grant_type", "client_id"} {
		if folded == part || (len(part) > 3 && strings.Contains(folded, part)) {
			return true
		}
	}
	return false
}

// queryHas reports whether a query names a field too.
func queryHas(u *url.URL, folded string) bool {
	if u.RawQuery == "" {
		return false
	}
	fields, err := readURLEncoded(u.RawQuery)
	if err != nil {
		return true
	}
	for _, f := range fields {
		if strings.TrimPrefix(foldField(f.name), hiddenMark) == folded {
			return true
		}
	}
	return false
}

// fetched reports whether a script sent a request, not a navigation: such an
// answer is no page (X9).
func fetched(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode != "navigate"
	}
	if strings.EqualFold(r.Header.Get("X-Requested-With"), "XMLHttpRequest") {
		return true
	}
	return !strings.Contains(r.Header.Get("Accept"), "text/html")
}
