package identity

import (
	"slices"
	"strconv"
	"strings"
)

// Find says a lesson in the words of a login block. What a watcher finds out
// by itself is left out; a rule of success stands there where the answers do
// not tell by themselves.
func (l *Lesson) Find() Words {
	right := l.Right
	if right == nil {
		return Words{}
	}
	w := Words{Path: right.Path, User: right.User, Token: right.Token, Logout: l.Logout, Second: l.Second}
	if l.Basic() { // nothing but the header says who it is
		return Words{Path: w.Path, User: "basic"}
	}
	if w.User == "" && l.Wrong != nil {
		w.User = l.Wrong.User
	}
	if len(l.Named) > 0 {
		w.Whoami = bestNamed(l.Named)
	}
	if !l.Told() {
		w.Success = l.rule()
	}
	w.Session = l.quietSessions()
	for _, p := range append([]string{l.Page}, l.Before...) {
		path, _, _ := strings.Cut(w.Path, "?")
		if p != "" && p != path && !strings.Contains(p, "*") && !slices.Contains(w.Public, p) {
			w.Public = append(w.Public, p)
		}
	}
	return w
}

// Basic reports whether the pair that was seen was basic authentication.
func (l *Lesson) Basic() bool {
	return l.Wrong != nil && l.Right != nil && l.Wrong.Kind == "basic" && l.Right.Kind == "basic"
}

// tried is a sign-in as it was judged when it was seen.
func (e *Exchange) tried() *Tried { return &Tried{Proof: e.Proof, Reason: e.Reason, Status: e.Status} }

// Told reports whether the answers themselves tell a wrong password from a
// right one.
func (l *Lesson) Told() bool {
	return l.Wrong != nil && l.Right != nil && l.Wrong.Proof == "failed" && l.Right.Proof == "signed"
}

// Alike reports that the two sign-ins were answered alike in all that was
// seen: the password was mistyped, or only a page after it tells.
func (l *Lesson) Alike() bool {
	return l.Wrong != nil && l.Right != nil && !l.Told() && len(l.rule()) == 0
}

// rule is a rule of success that holds for the right sign-in and not for the
// wrong one; nil where there is none.
func (l *Lesson) rule() []Success {
	wrong, right := l.Wrong, l.Right
	if wrong == nil || right == nil {
		return nil
	}
	if right.Status < 400 && right.Status != wrong.Status {
		return []Success{{"status", []string{strconv.Itoa(right.Status)}}}
	}
	for _, c := range right.Cookies {
		if !c.Cleared && !slices.ContainsFunc(wrong.Cookies, func(o CookieShape) bool { return o.Name == c.Name && !o.Cleared }) {
			return []Success{{"cookie", []string{c.Name}}}
		}
	}
	if right.Status < 400 {
		if name := bestMember(right.Members, wrong.Members); name != "" {
			return []Success{{"json", []string{name}}}
		}
	}
	if p := l.tellingPage(); p != "" {
		return []Success{{"page", []string{p}}}
	}
	if to, from := pathOnly(right.Location), pathOnly(wrong.Location); right.Status >= 300 && right.Status < 400 && to != from && to != "" && !strings.ContainsAny(to, "*{") {
		return []Success{{"location", []string{to}}}
	}
	return nil
}

// tellingPage is a page that answers 200 after the right sign-in and anything
// else after the wrong one.
func (l *Lesson) tellingPage() string {
	for _, p := range l.Right.After {
		if p.Status != 200 || p.Partial || strings.Contains(p.Path, "*") {
			continue
		}
		for _, o := range l.Wrong.After {
			if o.Path == p.Path && o.Status != 200 {
				return p.Path
			}
		}
	}
	return ""
}

// bestMember is a member that says something in one document and not in the
// other; one that speaks of success before others, an inner one after its
// parent.
func bestMember(right, wrong []string) string {
	best, rank := "", 100
	for _, name := range right {
		if slices.Contains(wrong, name) {
			continue
		}
		r := 10 + strings.Count(name, ".")
		last := name[strings.LastIndexByte(name, '.')+1:]
		switch strings.ToLower(last) {
		case "success", "ok", "authenticated", "logged_in", "loggedin", "valid":
			r = 0
		case "user", "username", "account", "session", "access_token", "token":
			r = 5
		case "error", "errors", "message", "msg":
			r = 50
		}
		if r < rank {
			best, rank = name, r
		}
	}
	return best
}

// bestNamed is the answer that is most likely there to say who one is.
func bestNamed(list []Whoami) Whoami {
	best, rank := Whoami{}, -1
	for _, n := range list {
		r := 0
		for segment := range strings.SplitSeq(strings.ToLower(pathOnly(n.Path)), "/") {
			switch segment {
			case "me", "whoami", "self", "current", "current_user", "currentuser", "user", "userinfo", "profile", "account", "session":
				r += 10
			}
		}
		switch last := strings.ToLower(n.JSON[strings.LastIndexByte(n.JSON, '.')+1:]); last {
		case "username", "user_name", "login", "user", "uid", "sub", "preferred_username":
			r += 5
		case "email", "name":
			r += 3
		}
		if r -= strings.Count(n.JSON, "."); r > rank || best.Path == "" {
			best, rank = n, r
		}
	}
	return best
}

// quietSessions are the session cookies that would not be found out: those of
// an answer that sets none a script cannot read and none with a known name.
func (l *Lesson) quietSessions() []string {
	var quiet []string
	for _, c := range l.Right.Cookies {
		switch {
		case c.Cleared:
		case c.HTTPOnly || wellKnown(foldName(strings.TrimSuffix(c.Name, "*"))):
			return nil
		default:
			quiet = append(quiet, c.Name)
		}
	}
	if len(quiet) > maxWordList {
		return quiet[:maxWordList]
	}
	return quiet
}

func pathOnly(text string) string {
	path, _, _ := strings.Cut(text, "?")
	return path
}
