package sms

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
)

func notice(language string) approvals.Notice {
	return approvals.Notice{
		ID: "n1", Kind: approvals.NoticeOpened, Channel: "sms",
		To:          approvals.Recipient{Email: "marie@example.com", Mobile: "+1 514 555-0100", Name: "Marie", Language: language, Admin: true},
		Application: "app.example.com", ApplicationName: "Registre des présences",
		Link: "https://gate.example.com/decide/0123456789abcdefghjkmnpqrs",
		Ask: approvals.AccessRequest{
			ID: "a1", Reference: "7KD-4M2", Person: access.Person{User: "julie", Name: "Julie Tremblay"},
			Device: access.Device{Kind: access.Tablet, Label: "Android tablet"}, Browser: access.Browser{Family: "Chrome", Platform: "Android"},
			Place: access.Place{City: "Laval", Region: "Quebec", Country: "CA", Owner: "Bell Canada", Address: netip.MustParseAddr("203.0.113.7")}, State: approvals.Waiting,
		},
	}
}

func TestTextsFitAndSayWhatMatters(t *testing.T) {
	code := func(n *approvals.Notice) {
		n.Kind, n.Code, n.Life, n.Own = approvals.NoticeCode, "482913", 10*time.Minute, true
	}
	for _, c := range []struct {
		name, language string
		change         func(*approvals.Notice)
		gsm            bool
		most           int
		has, hasNot    []string
	}{
		{"somebody waits", "en", nil, true, 2, []string{"Julie Tremblay", "Registre des présences", "Laval", "https://gate.example.com/decide/"}, nil},
		{"quelqu’un attend", "fr", nil, true, 2, []string{"Julie Tremblay attend :", "Registre des présences", "https://"}, nil},
		{"a code", "en", code, true, 2, []string{"482913 is your code for Registre", "@gate.example.com #482913", "Give it to nobody"}, []string{"Julie", "julie", "Laval", "password is"}},
		{"un code", "fr", code, true, 2, []string{"482913 est votre code pour Registre", "@gate.example.com #482913"}, []string{"Julie", "julie", "Laval"}},
		{"a code without console", "en", func(n *approvals.Notice) { code(n); n.Link = "" }, true, 1, []string{"482913"}, []string{"@", "#"}},
		{"one's own", "fr", func(n *approvals.Notice) { n.Own = true }, true, 2, []string{"Est-ce vous?", "https://"}, nil},
		{"a test", "fr", func(n *approvals.Notice) { n.Kind = approvals.NoticeTest }, true, 1, []string{"Essai"}, nil},
		{"a digest", "en", func(n *approvals.Notice) { n.Kind, n.More = approvals.NoticeDigest, 27 }, true, 1, []string{"27 more requests"}, nil},
		{"decided", "fr", func(n *approvals.Notice) {
			n.Kind, n.Ask.State, n.Ask.Decision.Name = approvals.NoticeDecided, approvals.Approved, "Paul Côté"
		}, true, 1, []string{"Paul Coté a autorisé Julie Tremblay"}, nil},
		{"a name in Cyrillic", "en", func(n *approvals.Notice) { n.Ask.Person.Name = "Юлия Тремблей" }, false, 3, []string{"Юлия", "https://gate.example.com/decide/0123456789abcdefghjkmnpqrs"}, nil},
		{"names without end", "fr", func(n *approvals.Notice) {
			n.Ask.Person.Name, n.ApplicationName, n.Ask.Place.City = strings.Repeat("Юлия ", 50), strings.Repeat("Ж", 200), strings.Repeat("城", 200)
		}, false, 4, []string{"https://gate.example.com/decide/0123456789abcdefghjkmnpqrs"}, nil},
		{"lines of a stranger's", "en", func(n *approvals.Notice) { n.Ask.Person.Name = "J\r\nhttps://evil.example/ \u202ex" }, false, 3, []string{"https://gate"}, []string{"J\r", "J\n", "\u202e", "evil.example"}},
	} {
		n := notice(c.language)
		if c.change != nil {
			c.change(&n)
		}
		text, err := Text(n)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		gsm, count := Segments(text)
		if gsm != c.gsm || count > c.most {
			t.Errorf("%s: gsm %v, %d messages: %q", c.name, gsm, count, text)
		}
		for _, want := range c.has {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q: %q", c.name, want, text)
			}
		}
		for _, not := range c.hasNot {
			if strings.Contains(text, not) {
				t.Errorf("%s has %q: %q", c.name, not, text)
			}
		}
	}
	for _, kind := range []approvals.NoticeKind{approvals.NoticeSignIn, approvals.NoticeOutcome} {
		n := notice("en")
		n.Kind = kind
		if err := New(nil).Notify(t.Context(), n); !approvals.IsPermanent(err) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestSegmentsAreCountedAsTheyAreSent(t *testing.T) {
	for _, c := range []struct {
		name, text string
		gsm        bool
		count      int
	}{
		{"160 in one", strings.Repeat("a", 160), true, 1},
		{"161 in two", strings.Repeat("a", 161), true, 2},
		{"306 in two", strings.Repeat("a", 306), true, 2},
		{"307 in three", strings.Repeat("a", 307), true, 3},
		{"a euro takes two", strings.Repeat("€", 80), true, 1},
		{"81 euros do not fit", strings.Repeat("€", 81), true, 2},
		{"French letters that are in", "à é è ù É Ç", true, 1},
		{"French letters that are not", "ç", false, 1},
		{"70 in one", strings.Repeat("ж", 70), false, 1},
		{"71 in two", strings.Repeat("ж", 71), false, 2},
		{"an emoji takes two", strings.Repeat("🔒", 35), false, 1},
		{"36 emoji do not fit", strings.Repeat("🔒", 36), false, 2},
		{"nothing", "", true, 1},
	} {
		if gsm, count := Segments(c.text); gsm != c.gsm || count != c.count {
			t.Errorf("%s: %v, %d", c.name, gsm, count)
		}
	}
	for from, want := range map[string]string{
		"Côté\u00a0: « ça »": `Coté : "ca"`, "l’œuf…": "l'oeuf...", "Юлия ça": "Юлия ça", "plain": "plain",
	} {
		if got := Plain(from); got != want {
			t.Errorf("%q became %q", from, got)
		}
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"+15145550100": "+15145550100", "+1 (514) 555-0100": "+15145550100", " +33 6 12 34 56 78 ": "+33612345678",
		"5145550100": "", "": "", "+": "", "+1": "", "+1514": "", "marie": "", "+15145550100, +15145550101": "",
	} {
		if got, err := Number(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	n := New(nil)
	if n.Reaches(approvals.Recipient{Mobile: "514"}) || !n.Reaches(approvals.Recipient{Mobile: "+15145550100"}) {
		t.Error("reaches")
	}
	if err := n.Notify(t.Context(), approvals.Notice{}); !approvals.IsPermanent(err) {
		t.Errorf("without a number: %v", err)
	}
}

func TestAnyGatewayThatTakesARequest(t *testing.T) {
	const text = `He said "hi" & <left> 100%`
	for _, c := range []struct {
		name   string
		config HTTPConfig
		want   string
		kind   string
		method string
	}{
		{"JSON", HTTPConfig{Body: `{"to":"{to}","text":"{text}"}`}, `{"to":"+15145550100","text":"He said \"hi\" \u0026 \u003cleft\u003e 100%"}`, "application/json", "POST"},
		{"a form", HTTPConfig{Body: "to={digits}&text={text}"}, "to=15145550100&text=He+said+%22hi%22+%26+%3Cleft%3E+100%25", "application/x-www-form-urlencoded", "POST"},
		{"XML", HTTPConfig{Body: "<sms to='{to}'>{text}</sms>"}, "<sms to='+15145550100'>He said &#34;hi&#34; &amp; &lt;left&gt; 100%</sms>", "application/xml", "POST"},
		{"an address", HTTPConfig{URL: "/send?to={to}&message={text}", Method: "GET"}, "/send?to=%2B15145550100&message=He+said+%22hi%22+%26+%3Cleft%3E+100%25", "", "GET"},
	} {
		var got, kind, method, key string
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if got = string(body); got == "" {
				got = r.URL.RequestURI()
			}
			kind, method, key = r.Header.Get("Content-Type"), r.Method, r.Header.Get("X-Key")
			_, _ = io.WriteString(w, `{"status":"0"}`)
		}))
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		c.config.URL, c.config.RootCAs, c.config.Header = s.URL+c.config.URL, roots, http.Header{"X-Key": {"k"}}
		g, err := NewHTTP(c.config)
		if err != nil {
			t.Fatal(c.name, err)
		}
		if err := g.Send(t.Context(), "+15145550100", text); err != nil || got != c.want || kind != c.kind || method != c.method || key != "k" {
			t.Errorf("%s: %v\n%s\n%s %s %s", c.name, err, got, kind, method, key)
		}
		s.Close()
	}
}

func TestWhatAGatewayAnswersDecidesWhetherToTryAgain(t *testing.T) {
	for _, c := range []struct {
		name      string
		status    int
		header    string
		body      string
		ok        bool
		permanent bool
		after     time.Duration
	}{
		{"a success that says so", 200, "", `"status":"0"`, true, false, 0},
		{"a success that does not", 200, "", `"status":"1","error":"throttled"`, false, false, 0},
		{"a request it does not understand", 400, "", "bad", false, true, 0},
		{"a redirect", 302, "", "", false, true, 0},
		{"a wrong key can be mended", 401, "", "", false, false, 0},
		{"too many", 429, "60", "", false, false, time.Minute},
		{"broken", 500, "", "", false, false, 0},
	} {
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if c.header != "" {
				w.Header().Set("Retry-After", c.header)
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		g, err := NewHTTP(HTTPConfig{URL: s.URL + "/key-secret", Body: "to={to}&text={text}", Success: `"status":"0"`, RootCAs: roots})
		if err != nil {
			t.Fatal(err)
		}
		err = g.Send(t.Context(), "+15145550100", "x")
		var later *approvals.LaterError
		after := time.Duration(0)
		if errors.As(err, &later) {
			after = later.After
		}
		if (err == nil) != c.ok || approvals.IsPermanent(err) != c.permanent || after != c.after || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", c.name, err)
		}
		s.Close()
	}
	for name, c := range map[string]HTTPConfig{
		"no address":             {Body: "{to}{text}"},
		"plain text to a server": {URL: "http://example.com", Body: "{to}{text}"},
		"no number":              {URL: "https://example.com", Body: "{text}"},
		"no text":                {URL: "https://example.com/{to}"},
	} {
		if _, err := NewHTTP(c); err == nil {
			t.Error(name)
		}
	}
	g, err := NewHTTP(HTTPConfig{URL: "https://127.0.0.1:1/key-secret", Body: "{to}{text}"})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Send(context.Background(), "+15145550100", "x"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}
