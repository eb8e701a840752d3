package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Exchange is what a lesson keeps of a sign-in and its answer: shapes, never
// values (threat L26).
type Exchange struct {
	Method string
	// Path is where it was sent; of its query only what is no value.
	Path string
	// Kind is how the fields were sent: "form", "multipart", "json" or
	// "basic".
	Kind string
	// Fields are the names of the fields, in order.
	Fields []string
	// User is the field with the user's name, as the form calls it; empty
	// where it cannot be told.
	User string
	// Status and Location are the answer's; of the address only the shape.
	Status   int
	Location string
	Cookies  []CookieShape
	// Members are the members of a JSON answer that say something, by path.
	Members []string
	// Token is where a bearer token stands in a JSON answer.
	Token string
	// FormAgain says that the answer is a page that asks for a password,
	// Back that it leads back to the login.
	FormAgain, Back bool
	// Proof is what the answer shows by itself: "signed", "failed", "none" or
	// "broken"; Reason says why, in words that hold nothing typed.
	Proof, Reason string
	// After are the first pages that were opened after it.
	After []PageSeen
}

// CookieShape is a cookie that an answer set, without its value. A name that
// ends in a hash has "*" in its place.
type CookieShape struct {
	Name     string
	HTTPOnly bool
	Cleared  bool
}

// PageSeen is a page that was opened.
type PageSeen struct {
	// Path has {user} where the user's name stood, and of the query only what
	// is no value. Partial says that a part of the path itself was left out, so
	// that it cannot be asked for.
	Path    string
	Partial bool
	Status  int
}

const (
	maxFieldsKept = 40
	maxMembers    = 64
	maxCookies    = 24
	maxPages      = 4
)

// hider takes what was typed out of what is kept. It knows the typed values
// only as keyed hashes; their key is the secret of the teaching cookie, which
// is kept nowhere but in the browser.
type hider struct {
	key  []byte
	user []string // hashes of the names that were typed
	rest []string // hashes of everything else that was typed
}

func newHider(secret string, l *Lesson) hider {
	key := sha256.Sum256([]byte("cadenas lesson " + secret))
	return hider{key: key[:], user: l.Users, rest: l.Typed}
}

func (h *hider) hash(text string) string {
	m := hmac.New(sha256.New, h.key)
	m.Write([]byte(strings.ToLower(strings.TrimSpace(text))))
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// learn notes what a login carries, as hashes.
func (h *hider) learn(fields []field, userField string) {
	for _, f := range fields {
		if strings.TrimSpace(f.value) == "" || loginWord(f.value) {
			continue
		}
		into := &h.rest
		if foldField(f.name) == userField {
			into = &h.user
		}
		if sum := h.hash(f.value); !slices.Contains(*into, sum) && len(*into) < maxFieldsKept {
			*into = append(*into, sum)
		}
	}
}

func (h *hider) isUser(text string) bool {
	return text != "" && slices.Contains(h.user, h.hash(text))
}

func (h *hider) typed(text string) bool { return text != "" && slices.Contains(h.rest, h.hash(text)) }

// place is the shape of a path that is the same for everybody: where the
// login is, where one signs out.
func place(u *url.URL) (text string, partial bool) {
	segments := strings.Split(u.EscapedPath(), "/")
	for i, s := range segments {
		if plain, err := url.PathUnescape(s); err != nil || secretive(plain) {
			segments[i], partial = "*", true
		}
	}
	if text = strings.Join(segments, "/"); text == "" || len(text) > maxWord {
		return "/", partial
	}
	return text, partial
}

// address is the shape of a page's path with query: {user} for the name that
// was typed; partial where something of the path was left out, less where
// something of the query was.
func (h *hider) address(u *url.URL) (text string, partial, less bool) {
	text, partial = place(u)
	segments := strings.Split(text, "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		switch {
		case err != nil, h.typed(plain):
			segments[i], partial = "*", true
		case h.isUser(plain):
			segments[i] = "{user}"
		}
	}
	text = strings.Join(segments, "/")
	var query []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		if part == "" {
			continue
		}
		name, value, has := strings.Cut(part, "=")
		plain := lenientUnescape(value)
		switch {
		case !plainWord.MatchString(lenientUnescape(name)) || secretive(name):
			less = true
		case !has || value == "":
			query = append(query, part)
		case h.isUser(plain):
			query = append(query, name+"={user}")
		case h.typed(plain), secretive(plain), !plainWord.MatchString(plain):
			less = true
		default:
			query = append(query, part)
		}
	}
	if len(query) > 0 {
		text += "?" + strings.Join(query, "&")
	}
	if len(text) > maxWord {
		return "/", true, true
	}
	return text, partial, less
}

// plainWord is a value of an address that says what page it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.,:/\[\]-]{0,40}$`)

// secretive reports a text that looks like a token or an identifier.
func secretive(text string) bool {
	digits, letters := 0, 0
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			letters++
		}
	}
	return len(text) > 40 || (digits >= 3 && letters >= 3 && digits+letters >= 16) || digits >= 6
}

// loginWord reports a value that only says that this is a login.
func loginWord(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "login", "log in", "signin", "sign_in", "sign-in", "sign in", "auth", "authenticate", "dologin", "do_login", "connexion", "password", "1", "0", "true", "false", "on":
		return true
	}
	return false
}

// describe makes the shape of a login and its answer.
func (h *hider) describe(r *http.Request, k *keptBody, typed typedUser, ans *answer, now time.Time) Exchange {
	e := Exchange{Method: r.Method, Kind: loginKind(r, k), Status: ans.status}
	e.Path = loginPlace(r.URL)
	for _, f := range k.form.fields {
		if len(e.Fields) < maxFieldsKept && len(f.name) <= 80 && !strings.HasPrefix(f.name, hiddenMark) && !secretive(f.name) && !h.isUser(f.name) && !h.typed(f.name) {
			e.Fields = append(e.Fields, f.name)
		}
		if typed.field != "" && foldField(f.name) == typed.field {
			e.User = f.name
		}
	}
	if e.Kind == "basic" {
		e.User = "basic"
	}
	x := exchange{
		login: parseTarget(r.URL.Path), asked: r.URL, referer: r.Header.Get("Referer"), fields: typed.names, carried: cookieValues(r), status: ans.status, header: ans.sent, body: ans.body, now: now,
		isSession: func(c setCookie) bool { return c.httpOnly || wellKnown(foldName(c.name)) },
	}
	f := judge(x)
	if e.Kind == "basic" {
		f = judgeBasic(ans.status, "basic")
	}
	e.Proof, e.Reason = f.proof.word(), f.reason
	e.FormAgain, e.Back = x.formAgain(), x.leadsBack()
	if location := ans.sent.Get("Location"); location != "" {
		if to, err := r.URL.Parse(location); err == nil {
			e.Location, _, _ = h.address(to)
		}
	}
	e.Cookies = cookieShapes(ans.sent, now)
	if document := x.json(); document != nil {
		h.members(document, "", 0, &e.Members)
		e.Token = x.tokenAt()
	}
	return e
}

func (p proof) word() string {
	switch p {
	case proofFailed:
		return "failed"
	case proofSigned:
		return "signed"
	case proofBroken:
		return "broken"
	case proofHalf:
		return "half"
	case proofNone:
	}
	return "none"
}

func loginKind(r *http.Request, k *keptBody) string {
	kind := strings.ToLower(r.Header.Get("Content-Type"))
	switch {
	case len(k.form.fields) == 0:
		return "basic"
	case k.form.json:
		return "json"
	case strings.HasPrefix(kind, "multipart/"):
		return "multipart"
	}
	return "form"
}

// cookieValues are the values of a request's cookies by folded name.
func cookieValues(r *http.Request) map[string]string {
	m := map[string]string{}
	for _, header := range r.Header["Cookie"] {
		cookiePairs(header, func(name, value, _ string, ok bool) {
			if ok {
				m[foldName(name)], _ = unquote(value)
			}
		})
	}
	return m
}

// hashedName is a cookie's name that ends in a hash of something.
var hashedName = regexp.MustCompile(`^(.*?)[0-9a-fA-F]{16,}$`)

func cookieShapes(h http.Header, now time.Time) []CookieShape {
	var list []CookieShape
	for _, line := range h.Values("Set-Cookie") {
		c := parseSetCookie(line, now)
		if c.name == "" || OurCookie(c.name) || len(list) == maxCookies || len(c.name) > 80 {
			continue
		}
		s := CookieShape{Name: c.name, HTTPOnly: c.httpOnly, Cleared: c.cleared}
		if m := hashedName.FindStringSubmatch(c.name); m != nil {
			s.Name = m[1] + "*"
		}
		// Of several lines for one cookie the last counts.
		list = slices.DeleteFunc(list, func(old CookieShape) bool { return old.Name == s.Name })
		list = append(list, s)
	}
	return list
}

// identifier is a member's name that is no value.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,40}$`)

// members collects the paths of a document under which something is said.
func (h *hider) members(v any, path string, depth int, into *[]string) {
	m, ok := v.(map[string]any)
	if !ok || depth > 5 {
		return
	}
	for name, value := range m {
		if len(*into) >= maxMembers || !identifier.MatchString(name) || secretive(name) || h.isUser(name) || h.typed(name) {
			continue
		}
		at := name
		if path != "" {
			at = path + "." + name
		}
		if saysYes(value, nil) {
			*into = append(*into, at)
		}
		h.members(value, at, depth+1, into)
	}
	if depth == 0 {
		slices.Sort(*into)
	}
}

// names returns where in a document the user's name stands.
func (h *hider) names(v any, path string, depth int, room *int) []string {
	m, ok := v.(map[string]any)
	if !ok || depth > 5 {
		return nil
	}
	var found []string
	for name, value := range m {
		if *room--; *room < 0 || !identifier.MatchString(name) {
			continue
		}
		at := name
		if path != "" {
			at = path + "." + name
		}
		if text, ok := value.(string); ok && len(text) <= 200 && h.isUser(text) {
			found = append(found, at)
		}
		found = append(found, h.names(value, at, depth+1, room)...)
	}
	return found
}

// tokenAt is the path under which token finds a token.
func (x exchange) tokenAt() string {
	document := x.json()
	for _, path := range tokenPaths {
		if s, ok := member(document, path).(string); ok && len(s) >= 16 {
			return path
		}
	}
	return ""
}
