package adminui_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/books"
)

func TestTheActivitySaysDetailsInWords(t *testing.T) {
	h := build(t, fixture.Marie)
	err := h.books.Audit.Append(t.Context(), books.Entry{
		At: h.now, Who: fixture.Marie.Email, Via: "console", What: "approve", Application: "register", Subject: "julie",
		Detail: map[string]string{"width": "device", "number": "true", "sure": "false", "rule": "06h02c3fwk7njnkc", "until": h.now.Add(48 * time.Hour).UTC().Format(time.RFC3339), "later": "x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	a := h.signIn(fixture.Marie.Email).get("/activity?q=julie")
	for _, want := range []string{"How wide", "this device, anywhere", "The number was typed", "Until", "later"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the details lack %q", want)
		}
	}
	for _, raw := range []string{"06h02c3fwk7njnkc", "sure", "true"} {
		if i := strings.Index(a.body, `class="more" id="d-`); i < 0 || strings.Contains(a.body[i:min(i+600, len(a.body))], ">"+raw+"<") {
			t.Errorf("the details hold %q as it is written", raw)
		}
	}
}

func TestANewCountryIsUnusual(t *testing.T) {
	from := func(country string, ago time.Duration) func(*books.Connection) {
		return func(c *books.Connection) {
			c.Place = access.Place{City: "Somewhere", Country: country}
			c.First, c.Last = c.First.Add(-ago), c.Last.Add(-ago)
		}
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		name     string
		is       bool
		visits   map[string]time.Duration
		language string
	}{
		{"a first visit from another country", true, map[string]time.Duration{"CA": 90 * day, "FR": time.Hour}, ""},
		{"the country they always come from", false, map[string]time.Duration{"CA": time.Hour}, ""},
		{"another country, a month ago", false, map[string]time.Duration{"CA": 90 * day, "FR": 30 * day}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := build(t, fixture.Marie)
			for country, ago := range c.visits {
				h.connection("in-"+country, from(country, ago))
			}
			a := h.signIn(fixture.Marie.Email).get("/activity")
			if strings.Contains(a.body, "came for the first time from") != c.is {
				t.Errorf("unusual: %v", !c.is)
			}
		})
	}
}

func TestTheChartCountsEachDayByItsAnswers(t *testing.T) {
	h := build(t, fixture.Marie)
	noon := time.Date(h.now.Year(), h.now.Month(), h.now.Day(), 0, 0, 1, 0, time.Local)
	n := 0
	add := func(days int, answer access.Answer, times int) {
		for range times {
			n++
			h.connection("c"+strings.Repeat("x", n), func(c *books.Connection) {
				c.Last, c.First, c.Answer = noon.AddDate(0, 0, -days), noon.AddDate(0, 0, -days), answer
			})
		}
	}
	add(0, access.LetIn, 3)
	add(0, access.Deny, 1)
	add(2, access.Approval, 2)
	add(2, access.Biopass, 1)
	add(20, access.LetIn, 5) // before the chart
	a := h.signIn(fixture.Marie.Email).get("/activity")
	for day, want := range map[int]string{0: "<td>3</td><td>0</td><td>1</td>", 1: "<td>0</td><td>0</td><td>0</td>", 2: "<td>0</td><td>3</td><td>0</td>"} {
		row := `<th scope="row">` + noon.AddDate(0, 0, -day).Format("Jan 2") + `</th>` + want
		if !strings.Contains(a.body, row) {
			t.Errorf("%d days ago: no %s", day, row)
		}
	}
	if strings.Contains(a.body, "<td>5</td>") {
		t.Error("what is older than the chart is counted")
	}
}

// C3, X14: no identifier and no English stands where a sentence can.
func TestTheActivitySpeaksInSentences(t *testing.T) {
	marie := fixture.Marie
	marie.Language = "fr"
	h := build(t, marie)
	const id = "06h02c3fwk7njnkc"
	for _, c := range []struct {
		name string
		e    books.Entry
		says []string
	}{
		{"a rule that is gone", books.Entry{
			Who: marie.Email, From: "203.0.113.7", What: "rule.end", Subject: id,
			Detail: map[string]string{"effect": "refuse", "kind": "phone", "place": "city=Laval country=CA", "until": "2027-01-02T12:00:00Z"},
		}, []string{"a mis fin à la règle", "Refuser tout le monde, sur un téléphone, depuis Laval, Canada, dans Registre des présences, jusqu’au 2", "<bdi>Lieu inconnu</bdi><br><bdi>203.0.113.7</bdi>"}},
		{"a request", books.Entry{
			Who: "user:julie", What: "ask", Subject: "julie",
			Detail: map[string]string{"request": id, "reference": "7KD-4M2", "device": "Android tablet", "device_id": id, "kind": "tablet", "browser": "Safari / iOS", "place": "city=Laval country=CA"},
		}, []string{"Tablette Android", "Safari sur iOS", "7KD-4M2"}},
		{"a message that reached nobody", books.Entry{
			Who: "system", What: "notice.failed", Subject: "paul@example.com", Detail: map[string]string{"kind": "opened", "request": id, "error": "421"},
		}, []string{"Quelqu’un attend", "Réponse du canal"}},
		{"a session of nobody known", books.Entry{Who: "system", What: "session.foreign"}, []string{"sans savoir de qui"}},
		{"a command", books.Entry{Who: "command line", From: "local", What: "keys.rotate"}, []string{"a fait une nouvelle clé", "ce serveur"}},
		{"a drain", books.Entry{Who: "command line", What: "drain", Subject: "register", Detail: map[string]string{"stop": "false"}}, []string{"a commencé à retirer les marques"}},
		{"and its end", books.Entry{Who: "command line", What: "drain", Subject: "register", Detail: map[string]string{"stop": "true"}}, []string{"a cessé de retirer les marques"}},
	} {
		c.e.At, c.e.Application, c.e.ID = h.now, "register", books.NewID(h.now)
		if err := h.books.Audit.Append(t.Context(), c.e); err != nil {
			t.Fatal(err)
		}
		body := h.signIn(marie.Email).get("/activity").body
		_, body, _ = strings.Cut(body, `<li id="e-`+c.e.ID)
		body, _, _ = strings.Cut(body, "</li>")
		_, body, _ = strings.Cut(body, "<p>") // behind the identifier of the line
		for _, want := range c.says {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %q in %s", c.name, want, body)
			}
		}
		for _, raw := range []string{">" + id, "refuse<", "request", "device_id", "error", ">false", ">true"} {
			if strings.Contains(body, raw) {
				t.Errorf("%s: %q stands in %s", c.name, raw, body)
			}
		}
	}
}
