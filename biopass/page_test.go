package biopass

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/lang"
)

func TestThePagesAroundALinkAndWhatIsKept(t *testing.T) {
	day := time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)
	both := []string{"en", "fr"}
	r := httptest.NewRequest(http.MethodGet, "https://shop.example.com/.cadenas/biopass/link?k=abc", nil)
	for _, c := range []struct {
		name, want string
		status     int
		write      func(http.ResponseWriter) error
	}{
		{"a good link", `name="k" value="abc"`, 200, func(w http.ResponseWriter) error {
			return WriteLink(w, r, lang.For("en"), LinkPage{Application: "Shop", Languages: both, State: LinkGood, Token: "abc"})
		}},
		{"a bad link", "Ce lien n’est pas bon.", 403, func(w http.ResponseWriter) error {
			return WriteLink(w, r, lang.For("fr"), LinkPage{Application: "Shop", Languages: both, State: LinkBad})
		}},
		{"nobody", "Sign in first.", 403, func(w http.ResponseWriter) error {
			return WriteLink(w, r, lang.For("en"), LinkPage{Application: "Shop", Languages: both, SignIn: "/"})
		}},
		{"two keyboards", "Home \uFFFD laptop", 200, func(w http.ResponseWriter) error {
			return WritePrints(w, r, lang.For("en"), PrintsPage{Application: "Shop", Languages: both, Account: Account{
				Consented: day, Last: day, Forgotten: day.Add(DefaultRetain),
				Keyboards: []AccountKeyboard{{Name: "Desk", Prints: 5, Made: day, Used: day}, {Name: "Home \u202e laptop", Prints: 1, Made: day, Used: day}},
			}})
		}},
		{"what came of it", "<p>3\u00a0matches, 1\u00a0line that did not match. The last match was on <time", 200, func(w http.ResponseWriter) error {
			return WritePrints(w, r, lang.For("en"), PrintsPage{Application: "Shop", Languages: both, Account: Account{
				Consented: day, Last: day, Forgotten: day.Add(DefaultRetain), Tally: Tally{Matched: 3, Missed: 1, LastMatched: day},
				Keyboards: []AccountKeyboard{{Name: "Desk", Prints: 5, Made: day, Used: day}},
			}})
		}},
		{"nothing", "Rien n’est gardé.", 200, func(w http.ResponseWriter) error {
			return WritePrints(w, r, lang.For("fr"), PrintsPage{Application: "Shop", Languages: both})
		}},
		{"a no", "sauf que vous avez refusé", 200, func(w http.ResponseWriter) error {
			return WritePrints(w, r, lang.For("fr"), PrintsPage{Application: "Shop", Languages: both, Account: Account{Declined: day}})
		}},
	} {
		w := httptest.NewRecorder()
		if err := c.write(w); err != nil || w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %v\n%s", c.name, w.Code, err, w.Body)
		}
	}
}
