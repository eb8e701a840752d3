package identity

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const formKind = "application/x-www-form-urlencoded"

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s)
	z.Close()
	return b.String()
}

func deflated(s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	io.WriteString(z, s)
	z.Close()
	return b.String()
}

func parts(fields ...string) string {
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		b.WriteString("--B\r\nContent-Disposition: form-data; name=\"" + fields[i] + "\"\r\n\r\n" + fields[i+1] + "\r\n")
	}
	return b.String() + "--B--\r\n"
}

func TestTheUserIsReadFromALogin(t *testing.T) {
	const none = "(no login)"
	for _, c := range []struct {
		name, field, kind, encoding, target, body string
		want                                      string
		err                                       error
	}{
		{name: "a form", field: "email", kind: formKind, body: "email=ann%40example.com&password=x", want: "ann@example.com"},
		{name: "a field with brackets (Adminer)", field: "auth[username]", kind: formKind, body: "auth%5Bdriver%5D=server&auth%5Bserver%5D=&auth%5Busername%5D=ann&auth%5Bpassword%5D=x", want: "ann"},
		{name: "spaces at the ends", field: "u", kind: formKind, body: "u=+ann+&p=x", want: "ann"},
		{name: "multipart", field: "user", kind: "multipart/form-data; boundary=B", body: parts("user", "ann", "pass", "x"), want: "ann"},
		{name: "JSON", field: "user.email", kind: "application/json", body: `{"user":{"email":"ann","password":"x"}}`, want: "ann"},
		{name: "JSON by its kin", field: "user", kind: "application/vnd.api+json", body: `{"user":"ann"}`, want: "ann"},
		{name: "a number in JSON", field: "id", kind: "application/json", body: `{"id":1234567890123456789}`, want: "1234567890123456789"},
		{name: "gzip", field: "user", kind: formKind, encoding: "gzip", body: zipped("user=ann&pass=x"), want: "ann"},
		{name: "deflate", field: "user", kind: formKind, encoding: "deflate", body: deflated("user=ann"), want: "ann"},
		{name: "Latin-1 by its charset", field: "user", kind: formKind + "; charset=iso-8859-1", body: "user=Ren%E9", want: "René"},
		{name: "Latin-1 without a word", field: "user", kind: formKind, body: "user=Ren%E9", want: "René"},
		{name: "UTF-8 beside a field that is none", field: "user", kind: formKind, body: "user=Ren%C3%A9&password=%FF", want: "René"},
		{name: "UTF-8", field: "user", kind: formKind, body: "user=Ren%C3%A9", want: "René"},
		{name: "decomposed letters are composed", field: "user", kind: formKind, body: "user=Rene%CC%81", want: "René"},
		{name: "Shift JIS", field: "user", kind: formKind + "; charset=shift_jis", body: "user=%83%65", want: "テ"},
		{name: "the form says its charset", field: "user", kind: formKind, body: "_charset_=iso-8859-1&user=Ren%E9", want: "René"},
		{name: "a bad escape stands for itself", field: "user", kind: formKind, body: "user=ann&pass=100%", want: "ann"},

		{name: "found out: the usual names", kind: formKind, body: "csrf=1&username=ann&password=x", want: "ann"},
		{name: "found out: an e-mail", kind: formKind, body: "_token=1&email=ann@x&password=x&remember=on", want: "ann@x"},
		{name: "found out: DokuWiki", kind: formKind, body: "sectok=&id=start&do=login&u=ann&p=x", want: "ann"},
		{name: "found out: Node-RED", kind: formKind, body: "client_id=node-red-editor&grant_type=password&scope=&username=ann&password=x", want: "ann"},
		{name: "found out: Adminer", kind: formKind, body: "auth[driver]=server&auth[server]=&auth[username]=ann&auth[password]=x&auth[db]=", want: "ann"},
		{name: "found out: JSON", kind: "application/json", body: `{"login":"ann","password":"x"}`, want: "ann"},
		{name: "found out: a name of its own, before the password", kind: formKind, body: "matricule=ann&motdepasse=x", want: "ann"},
		{name: "found out: no password, no login", kind: formKind, body: "user=ann&comment=hello", want: none},
		{name: "found out: a decoy beside the real one", kind: formKind, body: "username=ann&email=bob&password=x", err: ErrUnreadable},

		{name: "the field is not there", field: "user", kind: formKind, body: "q=search", want: none},
		{name: "it is empty", field: "user", kind: formKind, body: "user=&pass=x", want: none},
		{name: "no body", field: "user", kind: formKind, want: none},
		{name: "twice", field: "user", kind: formKind, body: "user=ann&user=bob", err: ErrUnreadable},
		{name: "plain letters as UTF-16", field: "user", kind: formKind + "; charset=utf-16le", body: "user=victim", err: ErrUnreadable},
		{name: "plain letters as ISO-2022-JP", field: "user", kind: formKind + "; charset=iso-2022-jp", body: "user=victim", err: ErrUnreadable},
		{name: "UTF-8 said to be Latin-1", field: "user", kind: formKind + "; charset=iso-8859-1", body: "user=Ren%C3%A9", err: ErrUnreadable},
		{name: "twice the same", field: "user", kind: formKind, body: "user=ann&user=ann", err: ErrUnreadable},
		{name: "twice, one empty", field: "user", kind: formKind, body: "user=ann&user=", err: ErrUnreadable},
		{name: "twice as PHP reads names", field: "user_name", kind: formKind, body: "user_name=ann&user.name=bob", err: ErrUnreadable},
		{name: "spelt as PHP reads names", field: "user_name", kind: formKind, body: "user+name=ann", want: "ann"},
		{name: "spelt in capitals", field: "user", kind: formKind, body: "USER=ann", want: "ann"},
		{name: "behind a semicolon too", field: "user", kind: formKind, body: "user=ann&x=1;user=bob", err: ErrUnreadable},
		{name: "behind a semicolon only", field: "user", kind: formKind, body: "x=1;user=bob", err: ErrUnreadable},
		{name: "a semicolon in a password", field: "user", kind: formKind, body: "user=ann&pass=a;b", want: "ann"},
		{name: "in the query too", field: "user", kind: formKind, target: "/login?user=bob", body: "user=ann", err: ErrUnreadable},
		{name: "in the query too, as PHP reads it", field: "user_x", kind: formKind, target: "/login?user.x=bob", body: "user_x=ann", err: ErrUnreadable},
		{name: "twice in JSON", field: "user", kind: "application/json", body: `{"user":"ann","user":"bob"}`, err: ErrUnreadable},
		{name: "twice in JSON, by case", field: "user", kind: "application/json", body: `{"user":"ann","User":"bob"}`, err: ErrUnreadable},
		{name: "twice in multipart", field: "user", kind: "multipart/form-data; boundary=B", body: parts("user", "ann", "user", "bob"), err: ErrUnreadable},
		{name: "something behind the JSON", field: "user", kind: "application/json", body: `{"user":"ann"}{"user":"bob"}`, err: ErrUnreadable},
		{name: "JSON cut off", field: "user", kind: "application/json", body: `{"user":"ann"`, err: ErrUnreadable},
		{name: "JSON in UTF-16", field: "user", kind: "application/json; charset=utf-16", body: `{"user":"ann"}`, err: ErrUnreadable},
		{name: "a kind that is not read", field: "user", kind: "text/xml", body: "<user>ann</user>", err: ErrUnreadable},
		{name: "text/plain", field: "user", kind: "text/plain", body: "user=ann", err: ErrUnreadable},
		{name: "no kind", field: "user", body: "user=ann", err: ErrUnreadable},
		{name: "a coding that is not read", field: "user", kind: formKind, encoding: "br", body: "user=ann", err: ErrUnreadable},
		{name: "two codings", field: "user", kind: formKind, encoding: "gzip, gzip", body: zipped("user=ann"), err: ErrUnreadable},
		{name: "a coding that lies", field: "user", kind: formKind, encoding: "gzip", body: "user=ann", err: ErrUnreadable},
		{name: "a bomb", field: "user", kind: formKind, encoding: "gzip", body: zipped("user=ann&x=" + strings.Repeat("x", 1<<20)), err: ErrTooLarge},
		{name: "too long", field: "user", kind: formKind, body: "user=ann&x=" + strings.Repeat("x", 1<<20), err: ErrTooLarge},
		{name: "a control character", field: "user", kind: formKind, body: "user=an%00n", err: ErrName},
		{name: "a line end", field: "user", kind: formKind, body: "user=ann%0abob", err: ErrName},
		{name: "a bidirectional override", field: "user", kind: formKind, body: "user=ann%E2%80%AEbob", err: ErrName},
		{name: "a device's name", field: "user", kind: formKind, body: "user=device:x", err: ErrName},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := c.target
			if target == "" {
				target = "/login"
			}
			r := httptest.NewRequest("POST", target, strings.NewReader(c.body))
			if c.kind != "" {
				r.Header.Set("Content-Type", c.kind)
			}
			if c.encoding != "" {
				r.Header.Set("Content-Encoding", c.encoding)
			}
			k := keep(r, 1<<16)
			got, err := typedUser{}, k.err
			if err == nil {
				got, err = readUser(r, k, c.field)
			}
			if !errors.Is(err, c.err) || (err != nil) != (c.err != nil) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			want := c.want
			if want == none || c.err != nil {
				want = ""
			}
			if got.user != want && err == nil {
				t.Errorf("user %q, want %q", got.user, want)
			}
			// Whatever happened, the backend gets it byte for byte.
			all, err := io.ReadAll(r.Body)
			if err != nil || string(all) != c.body {
				t.Errorf("%d bytes of %d go on: %v", len(all), len(c.body), err)
			}
			if r.ContentLength != int64(len(c.body)) && c.body != "" {
				t.Errorf("length %d", r.ContentLength)
			}
		})
	}
}

func TestBasicAuthenticationOfTheBackendsOwn(t *testing.T) {
	r := httptest.NewRequest("GET", "/login", nil)
	r.SetBasicAuth("ann", "x")
	got, err := readUser(r, keep(r, 100), "basic")
	if err != nil || got.user != "ann" {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestABodyIsWipedWhenTheRequestIsOver(t *testing.T) {
	r := httptest.NewRequest("POST", "/login", strings.NewReader("user=ann&pass=secret"))
	r.Header.Set("Content-Type", formKind)
	k := keep(r, 1000)
	data := k.data
	k.wipe()
	if bytes.Contains(data, []byte("secret")) {
		t.Fatal("the password is still in memory")
	}
	if n, err := r.Body.Read(make([]byte, 10)); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatal("something can still be read")
	}
}

func FuzzReadForm(f *testing.F) {
	f.Add(formKind, "", "user=ann&pass=x")
	f.Add("application/json", "", `{"user":{"a":[1,"x",null]}}`)
	f.Add("multipart/form-data; boundary=B", "", parts("user", "ann"))
	f.Add(formKind, "gzip", zipped("user=ann"))
	f.Fuzz(func(t *testing.T, kind, encoding, body string) {
		r := httptest.NewRequest("POST", "/login", strings.NewReader(body))
		r.Header = http.Header{"Content-Type": {kind}, "Content-Encoding": {encoding}}
		k := keep(r, 1<<12)
		got, err := readUser(r, k, "user")
		if err == nil && got.user != "" {
			if _, err := Canonical(got.user); err != nil {
				t.Errorf("user %q is not canonical", got.user)
			}
		}
		if all, _ := io.ReadAll(r.Body); string(all) != body {
			t.Error("the body changed")
		}
	})
}
