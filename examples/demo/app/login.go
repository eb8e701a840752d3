package app

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
)

// maxLogin bounds a login's body, in bytes.
const maxLogin = 64 << 10

type loginPage struct {
	User, Error, Token string
	// Script is set where a script signs in and not the form itself.
	Script Login
}

func (a *application) showLogin(w http.ResponseWriter, r *http.Request) {
	if _, ok := a.who(r); ok {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	a.showForm(w, r, http.StatusOK, "", "")
}

// showForm shows the form; a visitor without a session is given one, as most
// applications do before anybody signed in.
func (a *application) showForm(w http.ResponseWriter, r *http.Request, status int, user, problem string) {
	page := loginPage{User: user, Error: problem}
	if a.options.Login != Form {
		page.Script = a.options.Login
	}
	if a.options.Login != Token {
		found, ok := a.sessions.get(a.carried(r))
		if !ok {
			value := a.sessions.start("")
			setCookie(w, value)
			found, _ = a.sessions.get(value)
		}
		if a.options.FormToken {
			page.Token = found.token
		}
	}
	show(w, status, "login.html", page)
}

type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
	token    string
}

// read takes what was typed from a form or from JSON.
func read(r *http.Request) (credentials, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return credentials{}, fmt.Errorf("reading the content type: %w", err)
	}
	if kind == "application/json" {
		var typed credentials
		if err := json.NewDecoder(r.Body).Decode(&typed); err != nil {
			return credentials{}, fmt.Errorf("reading the login: %w", err)
		}
		return typed, nil
	}
	//nolint:gosec // signIn bounds the body
	if err := r.ParseMultipartForm(maxLogin); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return credentials{}, fmt.Errorf("reading the login: %w", err)
	}
	return credentials{
		Username: r.PostForm.Get("username"), Password: r.PostForm.Get("password"), token: r.PostForm.Get("token"),
	}, nil
}

func (a *application) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogin)
	typed, err := read(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	before := a.carried(r)
	if a.options.FormToken && a.options.Login == Form {
		found, ok := a.sessions.get(before)
		if !ok || !same(found.token, typed.token) {
			a.showForm(w, r, http.StatusForbidden, typed.Username, "The form had expired. Please try again.")
			return
		}
	}
	account, ok := a.account(typed.Username)
	if !same(account.Password, typed.Password) || !ok {
		a.refuse(w, r, typed.Username)
		return
	}

	if a.options.Login == Token {
		answer(w, http.StatusOK, map[string]any{
			"access_token": a.sessions.start(account.User), "token_type": "Bearer", "expires_in": 7 * 24 * 3600,
		})
		return
	}
	if a.options.Code != "" && a.options.Login == Form {
		a.askCode(w, r, account)
		return
	}
	if _, open := a.sessions.get(before); open && a.options.KeepSession {
		a.sessions.rename(before, account.User)
	} else {
		a.sessions.end(before)
		setCookie(w, a.sessions.start(account.User))
	}
	if a.options.Login == JSON {
		answer(w, http.StatusOK, map[string]any{"user": person(account)})
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *application) refuse(w http.ResponseWriter, r *http.Request, user string) {
	switch a.options.Login {
	case JSON:
		answer(w, http.StatusUnauthorized, map[string]string{"error": "wrong user name or password"})
	case Token:
		answer(w, http.StatusUnauthorized, map[string]string{
			"error": "invalid_grant", "error_description": "wrong user name or password",
		})
	case Form:
		a.showForm(w, r, http.StatusOK, user, "The user name or the password is wrong.")
	}
}

func (a *application) signOut(w http.ResponseWriter, r *http.Request) {
	a.sessions.end(a.carried(r))
	if a.options.Login == Token {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	clearCookie(w)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// same compares secrets in a time that does not depend on them.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
