package pages

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cadenas-gateway/cadenas/lang"
)

func set(t *testing.T, body string) *Set {
	t.Helper()
	s, err := New(fstest.MapFS{"door.html": {Data: []byte(`{{template "door" .}}{{define "title"}}a title{{end}}{{define "main"}}` + body + `{{end}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type view struct {
	Door
	Name string
}

func TestWrite(t *testing.T) {
	s := set(t, `<h1>{{bdi .Name}}</h1>`)
	r := httptest.NewRequest("GET", "http://app.example.com/x", nil)
	w := httptest.NewRecorder()
	w.Header().Set("ETag", `"backend"`)
	data := view{Door: Door{Here: "/.cadenas/wait?a=b", Languages: []string{"en", "fr"}, Reload: 10}, Name: "Julie"}
	if err := s.Write(w, r, lang.For("fr"), http.StatusForbidden, "door", data); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusForbidden {
		t.Errorf("status %d, want the one asked for", w.Code)
	}
	for name, want := range map[string]string{
		"Content-Security-Policy":      "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		"Cache-Control":                "no-store",
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "same-origin",
		"Vary":                         "Cookie, Accept-Language",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"X-Frame-Options":              "DENY",
		"Content-Language":             "fr-CA",
		"Content-Type":                 "text/html; charset=utf-8",
		"ETag":                         "",
		"Set-Cookie":                   "",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, want := range []string{
		`<html lang="fr-CA">`, `<h1><bdi>Julie</bdi></h1>`,
		`href="/.cadenas/wait?a=b&amp;cadenas_lang=en" lang="en-CA" hreflang="en">English`,
		`<noscript><meta http-equiv="refresh" content="10; url=/.cadenas/wait?a=b"></noscript>`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("page lacks %s in\n%s", want, w.Body)
		}
	}
}

func TestOptionsWidenThePolicyByWhatIsNamedOnly(t *testing.T) {
	s := set(t, ``)
	w := httptest.NewRecorder()
	err := s.Write(w, httptest.NewRequest("GET", "/", nil), lang.For("en"), 200, "door", view{},
		FormsTo("https://app.example.com/login?x", "javascript:alert(1)", "https://a; script-src *", "https://app.example.com", ""), Installable())
	if err != nil {
		t.Fatal(err)
	}
	want := "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
		"form-action 'self' https://app.example.com; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'; worker-src 'self'"
	if got := w.Header().Get("Content-Security-Policy"); got != want {
		t.Errorf("policy\n%s\nwant\n%s", got, want)
	}
}

func TestAPageThatFailsIsAnErrorNotHalfAPage(t *testing.T) {
	s := set(t, `<p>before</p>{{.NoSuchField}}`)
	w := httptest.NewRecorder()
	err := s.Write(w, httptest.NewRequest("GET", "/", nil), lang.For("en"), 200, "door", view{})
	if err == nil || w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "before") {
		t.Errorf("err %v, status %d, body %q", err, w.Code, w.Body)
	}
}

func TestTheLanguageAskedForIsRemembered(t *testing.T) {
	s := set(t, ``)
	r := httptest.NewRequest("GET", "/.cadenas/wait?cadenas_lang=fr", nil)
	c := Language(r, []string{"en", "fr"})
	w := httptest.NewRecorder()
	if err := s.Write(w, r, c, 200, "door", view{}); err != nil {
		t.Fatal(err)
	}
	cookies := w.Result().Cookies()
	if c.Tag() != "fr" || len(cookies) != 1 || cookies[0].Name != LangCookie || cookies[0].Value != "fr" || !cookies[0].HttpOnly {
		t.Fatalf("language %s, cookies %v", c.Tag(), cookies)
	}
	again := httptest.NewRequest("GET", "/", nil)
	again.AddCookie(cookies[0])
	if got := Language(again, nil).Tag(); got != "fr" {
		t.Errorf("with the cookie: %s", got)
	}
}

func TestThreat_L14_MessagesEscapeAndIsolate(t *testing.T) {
	s := set(t, `<p title="{{t "reason.rule" "author" .Name}}">{{t "reason.rule" "author" .Name}}</p>`)
	var b bytes.Buffer
	if err := s.Render(&b, lang.For("en"), "door", view{Name: "<img src=x onerror=alert(1)>\u202Eabc\r\n\""}); err != nil {
		t.Fatal(err)
	}
	if want := "rule by <bdi>&lt;img src=x onerror=alert(1)&gt;\uFFFDabc &#34;</bdi></p>"; !strings.Contains(b.String(), want) {
		t.Errorf("text: %s", b.String())
	}
	if strings.Contains(b.String(), "<img") || strings.Contains(b.String(), `title="rule by <bdi>`) {
		t.Errorf("attribute: %s", b.String())
	}
}

func TestAssets(t *testing.T) {
	server := httptest.NewServer(Assets())
	defer server.Close()
	get := func(path, encoding, match string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequest("GET", server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", encoding)
		if match != "" {
			r.Header.Set("If-None-Match", match)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	plain, body := get(Asset("ui.css"), "identity", "")
	if plain.StatusCode != 200 || plain.Header.Get("Content-Type") != "text/css; charset=utf-8" ||
		plain.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || !strings.Contains(body, "--brass:") {
		t.Errorf("plain: %v", plain.Header)
	}
	packed, small := get(Asset("ui.css"), "br, gzip", "")
	if packed.Header.Get("Content-Encoding") != "gzip" || len(small) >= len(body) || packed.Header.Get("ETag") == plain.Header.Get("ETag") {
		t.Errorf("packed: %v", packed.Header)
	}
	if refused, whole := get(Asset("ui.css"), "gzip;q=0", ""); refused.Header.Get("Content-Encoding") != "" || whole != body {
		t.Errorf("gzip refused: %v", refused.Header)
	}
	if same, nothing := get(Asset("ui.css"), "identity", plain.Header.Get("ETag")); same.StatusCode != 304 || nothing != "" {
		t.Errorf("unchanged: %d", same.StatusCode)
	}
	for _, path := range []string{AssetPath + "ui.css", AssetPath, AssetPath + "../icons.svg", AssetPath + "css/tokens.css", "/ui.css"} {
		if resp, _ := get(path, "", ""); resp.StatusCode != 404 || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, %v", path, resp.StatusCode, resp.Header)
		}
	}
}

func TestEveryIconDraws(t *testing.T) {
	if len(symbols()) < 30 {
		t.Fatalf("%d icons", len(symbols()))
	}
	for name := range symbols() {
		if svg, err := Icon(name); err != nil || !strings.HasPrefix(string(svg), `<svg class="i" viewBox=`) {
			t.Errorf("%s: %v %s", name, err, svg)
		}
	}
	if _, err := Icon("no-such-icon"); err == nil {
		t.Error("an unknown icon is an error")
	}
}
