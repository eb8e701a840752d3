package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/examples/demo/app"
)

func TestAPersonSignsInAtTheDemonstration(t *testing.T) {
	t.Parallel()
	site := behindCaddy(t, &Demo{})
	for _, view := range []View{{Size: Phone, Language: "fr", Dark: true}, {Size: Desk, Language: "en"}} {
		t.Run(view.Name(), func(t *testing.T) {
			b := OpenBrowser(t, view)
			b.Open(site.URL("/"))
			b.Type("#username", "marie")
			b.Type("#password", "not her password")
			b.Enter()
			b.SeeText("is wrong")
			b.Shot("demo-login")
			b.Type("#password", Accounts[0].Password)
			b.Enter()
			b.SeeText("Attendance register")
			b.SeeText("Live")
			if got := b.Text("#me"); got != "Marie Roy" {
				t.Errorf("signed in as %q", got)
			}
			b.Fits()
			picture, err := os.ReadFile(b.Shot("demo-register"))
			if err != nil || len(picture) < 10_000 {
				t.Errorf("a picture of %d bytes, %v", len(picture), err)
			}
		})
	}
}

func TestAScriptSignsInWithJSONAndWithAToken(t *testing.T) {
	t.Parallel()
	for _, login := range []app.Login{app.JSON, app.Token} {
		t.Run(string(login), func(t *testing.T) {
			site := behindCaddy(t, &Demo{app.Options{Login: login}})
			b := OpenBrowser(t, View{Size: Tablet})
			b.Allow("status of 401")
			b.Open(site.URL("/"))
			b.See("#username")
			b.Type("#username", "julie")
			b.Type("#password", "no")
			b.Click("form[data-login] button")
			b.SeeText("wrong user name or password")
			b.Choose("#password", Accounts[1].Password)
			b.Click("form[data-login] button")
			b.SeeText("Live")
			if got := b.Text("#me"); got != "Julie Tremblay" {
				t.Errorf("signed in as %q", got)
			}
		})
	}
}

func TestTwoProfilesAreTwoDevicesAndTwoTabsAreOne(t *testing.T) {
	t.Parallel()
	site := behindCaddy(t, &Demo{})
	b := OpenBrowser(t, View{})
	b.Open(site.URL("/login"))
	b.Type("#username", "marie")
	b.Type("#password", Accounts[0].Password)
	b.Enter()
	b.SeeText("Attendance register")
	tab := b.Tab()
	tab.Open(site.URL("/"))
	tab.SeeText("Attendance register")
	stranger := OpenBrowser(t, View{Size: Phone})
	stranger.Open(site.URL("/"))
	if !strings.HasSuffix(stranger.URL(), "/login") {
		t.Errorf("the stranger is at %s", stranger.URL())
	}
}

// complaining is a page with a mistake.
func complaining(t *testing.T, policy, page string) *Browser {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("<!doctype html><link rel=icon href=data:,><p>Here.</p>" + page))
	}))
	t.Cleanup(server.Close)
	b := OpenBrowser(t, View{})
	b.Open(server.URL)
	b.SeeText("Here.")
	if b.Status() != http.StatusForbidden {
		t.Errorf("status %d", b.Status())
	}
	return b
}

func TestWhatTheBrowserComplainsOfIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ policy, page, found string }{
		"an inline script under a strict policy": {"default-src 'none'; img-src data:", "<script>1</script>", "Content-Security-Policy"},
		"an exception nobody caught":             {"", "<script>throw new Error('oops')</script>", "oops"},
		"an error written to the console":        {"", "<script>console.error('lost', 7)</script>", "lost"},
		"a picture that is not there":            {"", "<img src=/none.png>", "404"},
	} {
		t.Run(name, func(t *testing.T) {
			b := complaining(t, c.policy, c.page)
			Eventually(t, func() error {
				for _, text := range b.Problems() {
					if strings.Contains(text, c.found) {
						return nil
					}
				}
				return fmt.Errorf("found only %q", b.Problems())
			})
			b.Allow(".*")
		})
	}
}

func TestAWaitingPagesOwn403IsNoComplaint(t *testing.T) {
	t.Parallel()
	b := complaining(t, "default-src 'none'; img-src data:", "")
	if found := b.Problems(); len(found) != 0 {
		t.Errorf("found %q", found)
	}
}
