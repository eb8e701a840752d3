package identity_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/identity"
)

const (
	long = 2 << 20
	edge = "BOUND"
)

// part is one part of a multipart form.
func part(header, value string) string {
	return "--" + edge + "\r\n" + header + "\r\n\r\n" + value + "\r\n"
}

func formPart(name, value string) string {
	return part(`Content-Disposition: form-data; name="`+name+`"`, value)
}

// slowly hands a body out in small pieces, as a network does.
type slowly struct {
	from io.Reader
	size int
}

func (s slowly) Read(p []byte) (int, error) { return s.from.Read(p[:min(len(p), s.size)]) }

// A long body at the login's own address passes, padlock closed, unless it
// names the login's field, wherever and however.
func TestThreat_L26_ALongBodyPassesUnlessItIsALogin(t *testing.T) {
	text := strings.Repeat("All work; no play = dull. ", long/26)
	form := "application/x-www-form-urlencoded"
	multi := "multipart/form-data; boundary=" + edge
	end := "--" + edge + "--\r\n"
	for _, c := range []struct {
		name, kind, body string
		passes           bool
	}{
		{"a long text", form, "wikitext=" + text + "&do=save", true},
		{"the field comes first", form, "user=ann&pass=x&wikitext=" + text, false},
		{"the field comes last", form, "wikitext=" + text + "&user=ann&pass=x", false},
		{"the field has no value before the end", form, "wikitext=" + text + "&user=", false},
		{"the field is escaped", form, "wikitext=" + text + "&%75ser=ann", false},
		{"the field is in capitals", form, "wikitext=" + text + "&USER=ann", false},
		{"the field stands behind a semicolon", form, "wikitext=" + text + ";user=ann", false},
		{"spaces stand before the field", form, "wikitext=" + text + "&" + strings.Repeat("+", 5000) + strings.Repeat("%20", 3000) + "user=ann", false},
		{"a NUL stands behind the field", form, "wikitext=" + text + "&user%00" + strings.Repeat("x", 5000) + "=ann", false},
		{"a name like it", form, "wikitext=" + text + "&username=ann&user2=x", true},
		{"a value like it", form, "wikitext=" + text + "&x=user&y=:user", true},
		{"a file", multi, formPart("id", "start") + part(`Content-Disposition: form-data; name="file"; filename="a.pdf"`+"\r\nContent-Type: application/pdf", text) + end, true},
		{"a part comes last", multi, formPart("wikitext", text) + formPart("user", "ann") + end, false},
		{"a file of that name", multi, formPart("wikitext", text) + part(`Content-Disposition: form-data; name="user"; filename="a"`, "ann") + end, false},
		{"a part without quotes", multi, formPart("wikitext", text) + part(`content-disposition: form-data; NAME=user`, "ann") + end, false},
		{"a part with single quotes", multi, formPart("wikitext", text) + part(`Content-Disposition: form-data; name='user'`, "ann") + end, false},
		{"a part with a backslash", multi, formPart("wikitext", text) + part(`Content-Disposition: form-data; name="us\er"`, "ann") + end, false},
		{"a part with a charset", multi, formPart("wikitext", text) + part(`Content-Disposition: form-data; name*=utf-8''us%65r`, "ann") + end, false},
		{"a part with a folded header", multi, formPart("wikitext", text) + part("Content-Disposition: form-data;\r\n name=\"user\"", "ann") + end, false},
		{"a part whose name comes second", multi, formPart("wikitext", text) + part(`Content-Disposition: form-data; name="x"; name="user"`, "ann") + end, false},
		{"a part behind another header", multi, formPart("wikitext", text) + part("X-A: b\r\nContent-Disposition: form-data; name=\"user\"", "ann") + end, false},
		{"a part under another boundary", multi, formPart("wikitext", text) + strings.ReplaceAll(formPart("user", "ann"), edge, "OTHER") + end, false},
		{"a part with line feeds only", multi, formPart("wikitext", text) + strings.ReplaceAll(formPart("user", "ann"), "\r", "") + end, false},
		{"a header without an end", multi, formPart("wikitext", text) + "--" + edge + "\r\nContent-Disposition: form-data; x=" + strings.Repeat("y", 9000), false},
		{"an array like it", multi, formPart("wikitext", text) + formPart("users[]", "ann") + end, true},
		{"JSON", "application/json", `{"text":"` + text + `"}`, false},
		{"another charset", form + "; charset=utf-16", "wikitext=" + text, false},
	} {
		for _, size := range []int{7, 32 << 10} {
			t.Run(fmt.Sprintf("%s, in pieces of %d", c.name, size), func(t *testing.T) {
				cfg := judgeable()
				cfg.User = "user"
				g := newGateway(t, cfg)
				b := signedIn(t, g)
				before := g.backend.count()
				r := b.request(http.MethodPost, "/login", c.kind, slowly{strings.NewReader(c.body), size})
				r.ContentLength = int64(len(c.body))
				got := b.do(r)
				if c.passes {
					if last := g.backend.last(); got.StatusCode != http.StatusOK || !bytes.Equal(last.body, []byte(c.body)) || last.user != "ann" {
						t.Fatalf("%d, %d bytes of %d arrived, as %q", got.StatusCode, len(last.body), len(c.body), last.user)
					}
					return
				}
				if g.backend.count() > before && strings.Contains(string(g.backend.last().body[max(0, len(g.backend.last().body)-60):]), "ann") {
					t.Error("what came behind the name reached the backend")
				}
			})
		}
	}
}

// While the user's field is not known, a password's is what a login has.
func TestALongBodyWithAPasswordIsALoginWhileTheFieldIsNotKnown(t *testing.T) {
	cfg := judgeable()
	cfg.User = ""
	w, err := identity.NewWatcher(cfg, identity.Deps{Books: newGateway(t, cfg).books, Ring: newGateway(t, cfg).ringNow})
	if err != nil {
		t.Fatal(err)
	}
	for body, login := range map[string]bool{
		"text=" + strings.Repeat("y", long):                       false,
		"password=x&text=" + strings.Repeat("y", long):            true,
		"text=" + strings.Repeat("y", long) + "&login_password=x": true,
	} {
		r, _ := http.NewRequest(http.MethodPost, "/login", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		done, ok := w.Screen(r)
		if !ok {
			if !login {
				t.Error("a text was not let through")
			}
			continue
		}
		_, err := io.Copy(io.Discard, r.Body)
		if met := done(); met != login || (err != nil) != login {
			t.Errorf("met %v, %v", met, err)
		}
	}
}
