package approvals

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

var julieAdmin = books.Admin{Email: "jt@example.com", Name: "Julie", Mobile: "+15145550100", Language: "fr", Users: map[string]string{app: "julie"}}

// phone is a channel that reaches who has a number.
type phone struct{ channel }

func (p *phone) Reaches(to Recipient) bool { return to.Mobile != "" }

// selfOf makes the policy of an application.
func selfOf(users string, channels ...string) func(*Config) {
	return func(c *Config) {
		c.Application = func(string) Application {
			return Application{Name: "Registre", Self: channels, SelfUsers: users}
		}
	}
}

func admins(list ...books.Admin) func(*Config) {
	return func(c *Config) { c.Admins = func() []books.Admin { return list } }
}

// scene is a service at work with mail, texts and push.
type scene struct {
	*Service
	mail, push *channel
	sms        *phone
}

func play(t *testing.T, change ...func(*Config)) *scene {
	t.Helper()
	x := &scene{mail: &channel{name: "email"}, push: &channel{name: "web_push"}, sms: &phone{channel{name: "sms"}}}
	x.Service = newService(t, append([]func(*Config){with(x.push, x.mail, x.sms), admins(julieAdmin, marie), selfOf("", "email", "sms", "web_push")}, change...)...)
	go func() { _ = x.Run(t.Context()) }()
	synctest.Wait()
	return x
}

func (x *scene) code(t *testing.T) Notice {
	t.Helper()
	synctest.Wait()
	for _, list := range [][]Notice{x.sms.got(), x.mail.got()} {
		for i := len(list) - 1; i >= 0; i-- {
			if list[i].Kind == NoticeCode {
				return list[i]
			}
		}
	}
	t.Fatal("no code came")
	return Notice{}
}

func TestAnAdminLetsThemselfInByTextTheFirstTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := play(t)
		ask := mustOpen(t, x.Service, julie())
		n := x.code(t)
		if n.To.Mobile != julieAdmin.Mobile || len(n.Code) != codeLength || !n.Own || n.Ask.Number != "" || n.Channel != "sms" {
			t.Fatalf("%+v", n)
		}
		if len(x.mail.got()) != 0 {
			t.Fatal("others are asked before the person had time")
		}
		got, err := x.UseCode(t.Context(), app, ask.ID, " "+n.Code[:3]+" "+n.Code[3:])
		if err != nil || got.State != Approved || got.Decision.By != ViaSelf || got.Decision.Width != WidthConnection {
			t.Fatalf("%+v, %v", got.Decision, err)
		}
		rules, err := x.conf.Books.Rules.For(t.Context(), app, "julie")
		if err != nil || len(rules) != 1 || rules[0].Device != "dev1" || rules[0].Place.Any() || rules[0].Browser.Any() {
			t.Errorf("%+v, %v", rules, err)
		}
		if e := audited(t, x.Service, "approve"); len(e) != 1 || e[0].Detail["channel"] != "sms" || e[0].Detail["own"] != "true" || strings.Contains(fmt.Sprint(e), n.Code) {
			t.Errorf("%+v", e)
		}
		if _, err := x.UseCode(t.Context(), app, ask.ID, n.Code); err == nil {
			t.Error("used twice")
		}
		time.Sleep(time.Hour)
		for _, m := range x.mail.got() {
			if m.Kind == NoticeOpened || m.To.Email == marie.Email {
				t.Errorf("%s to %s about what the person did themself", m.Kind, m.To.Email)
			}
		}
		// Later connections of theirs: push and mail, and no text.
		a := julie()
		a.Device.ID = "dev2"
		mustOpen(t, x.Service, a)
		synctest.Wait()
		if len(x.sms.got()) != 1 || len(x.push.got()) != 1 {
			t.Errorf("%d texts, %d pushes", len(x.sms.got()), len(x.push.got()))
		}
		own := x.mail.got()[len(x.mail.got())-1]
		if own.Kind != NoticeOpened || !own.Own || own.To.Email != julieAdmin.Email || own.Link == "" {
			t.Errorf("%+v", own)
		}
	})
}

func TestTheLinkOfATextAsksForTheNumber(t *testing.T) {
	c := newConsole(t, admins(julieAdmin, marie), selfOf("", "sms"))
	ask := mustOpen(t, c.s, julie())
	link, err := c.s.linkFor(t.Context(), ask, Notice{Kind: NoticeCode, Channel: "sms", To: recipient(julieAdmin)})
	if err != nil || len(link) > 80 {
		t.Fatalf("%q, %v", link, err)
	}
	address := c.at(link)
	got := c.do(t, "GET", address, nil)
	fields, _ := form(t, got.body)
	if got.status != http.StatusOK || strings.Contains(got.body, `value="full"`) || strings.Contains(got.body, `value="device"`) {
		t.Fatalf("%d: a width beyond this connection: %s", got.status, got.body)
	}
	fields.Set(FieldDecision, "approve")
	if got := c.do(t, "POST", address, fields); got.status != http.StatusUnprocessableEntity || c.state(t, ask).State != Waiting {
		t.Errorf("without the number: %d", got.status)
	}
	wide := url.Values{}
	for k, v := range fields {
		wide[k] = v
	}
	wide.Set(FieldNumber, ask.Number)
	wide.Set(FieldWidth, string(WidthFull))
	if got := c.do(t, "POST", address, wide); c.state(t, ask).State != Waiting {
		t.Errorf("wider than this connection: %d", got.status)
	}
	fields.Set(FieldNumber, ask.Number)
	if got := c.do(t, "POST", address, fields); got.status != http.StatusOK || c.state(t, ask).State != Approved {
		t.Errorf("with the number: %d", got.status)
	}
	if got := c.do(t, "GET", c.at("https://gate.example.com/decide/"+strings.Repeat("0", shortLength)), nil); got.status != http.StatusNotFound {
		t.Errorf("a short link of nobody's: %d", got.status)
	}
}

func TestAUserLetsThemselfInWhereThePolicyNamesAChannel(t *testing.T) {
	for name, c := range map[string]struct {
		users   string
		prepare func(t *testing.T, s *Service)
		change  func(*Ask)
		channel string
	}{
		"by text to the source's number":    {users: "sms", change: func(a *Ask) { a.Person.Mobile = "+15145550199" }, channel: "sms"},
		"by mail to the source's address":   {users: "email", channel: "email"},
		"not where nothing is named":        {channel: ""},
		"not without a number":              {users: "sms", channel: ""},
		"not where the device is all":       {users: "email", change: func(a *Ask) { a.Person.Source = SourceDevice }, channel: ""},
		"not to an address that is several": {users: "email", change: func(a *Ask) { a.Person.Email = "a@b.ca, c@d.ca" }, channel: ""},
		"to the number an admin kept, before the source's": {
			users: "sms", change: func(a *Ask) { a.Person.Mobile = "+15145550199" }, channel: "sms",
			prepare: func(t *testing.T, s *Service) {
				_, err := s.conf.Books.Users.Update(t.Context(), "julie", func(u *books.User) ([]store.Write, bool, error) {
					u.Mobile = "+15145550777"
					return nil, true, nil
				})
				if err != nil {
					t.Fatal(err)
				}
			},
		},
		"not after two months away (threat L21)": {
			users: "email", channel: "",
			prepare: func(t *testing.T, s *Service) {
				long := time.Now().Add(-90 * 24 * time.Hour)
				old := books.Connection{ID: books.NewConnectionID(long, "julie"), User: "julie", Application: app, First: long, Last: long}
				if err := s.st.Apply(t.Context(), store.Batch{Writes: s.conf.Books.Connections.Put(old)}); err != nil {
					t.Fatal(err)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := play(t, admins(marie), selfOf(c.users))
				if c.prepare != nil {
					c.prepare(t, x.Service)
				}
				a := julie()
				if c.change != nil {
					c.change(&a)
				}
				ask := mustOpen(t, x.Service, a)
				synctest.Wait()
				if c.channel == "" {
					for _, n := range append(x.sms.got(), x.mail.got()...) {
						if n.Kind == NoticeCode {
							t.Fatalf("a code: %+v", n)
						}
					}
					if _, err := x.SendCode(t.Context(), app, ask.ID); !errors.Is(err, ErrCodeSends) {
						t.Error(err)
					}
					if len(x.mail.got()) == 0 {
						t.Error("nobody was asked")
					}
					return
				}
				n := x.code(t)
				if n.Channel != c.channel || n.To.Admin {
					t.Fatalf("%+v", n)
				}
				if name == "to the number an admin kept, before the source's" && n.To.Mobile != "+15145550777" {
					t.Errorf("to %s", n.To.Mobile)
				}
				if got, err := x.UseCode(t.Context(), app, ask.ID, n.Code); err != nil || got.State != Approved {
					t.Error(err)
				}
			})
		})
	}
}

func TestTheLinkOfAUsersOwnLetsInThatConnectionAlone(t *testing.T) {
	policy := "email"
	c := newConsole(t, admins(marie), func(conf *Config) {
		conf.Application = func(string) Application { return Application{Name: "Registre", SelfUsers: policy} }
	})
	ask := mustOpen(t, c.s, julie())
	address := c.at(c.s.selfLink(ask, "email"))
	c.signedIn = &marie // whose session counts for nothing here
	got := c.do(t, "GET", address, nil)
	fields, _ := form(t, got.body)
	fields.Set(FieldDecision, "approve")
	fields.Set(FieldSure, "1")
	if got := c.do(t, "POST", address, fields); got.status != http.StatusUnprocessableEntity {
		t.Errorf("without the number: %d", got.status)
	}
	policy = ""
	if got := c.do(t, "GET", address, nil); got.status != http.StatusForbidden {
		t.Errorf("after the policy changed: %d", got.status)
	}
	policy = "email"
	fields.Set(FieldNumber, ask.Number)
	if got := c.do(t, "POST", address, fields); got.status != http.StatusOK {
		t.Errorf("with the number: %d", got.status)
	}
	now := c.state(t, ask)
	if now.State != Approved || now.Decision.By != ViaSelf || now.Decision.Width != WidthConnection {
		t.Errorf("%+v", now.Decision)
	}
}

func TestThreat_L16_CodesCannotBeGuessedBySpellingsNetworksOrAskingAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := play(t, admins(marie), selfOf("email"), func(c *Config) { c.Caps.PerUser = 100 })
		ask := mustOpen(t, x.Service, julie())
		good := x.code(t).Code
		bad := "000000"
		if good == bad {
			bad = "000001"
		}
		for i := range x.Limits().CodeTries - 1 {
			if _, err := x.UseCode(t.Context(), app, ask.ID, bad); !errors.Is(err, ErrCode) {
				t.Fatalf("try %d: %v", i, err)
			}
		}
		// Another spelling of the name, another device, another network.
		a := julie()
		a.Person.User, a.Device.ID, a.Place.Address = "Juli.e", "dev2", netip.MustParseAddr("198.51.100.1")
		second := mustOpen(t, x.Service, a)
		if _, err := x.UseCode(t.Context(), app, second.ID, bad); !errors.Is(err, ErrCodeTries) {
			t.Fatalf("the spelling has a count of its own: %v", err)
		}
		for _, id := range []string{ask.ID, second.ID} {
			if _, err := x.UseCode(t.Context(), app, id, good); !errors.Is(err, ErrCodeTries) {
				t.Fatalf("the right code after five wrong ones: %v", err)
			}
		}
		if _, err := x.SendCode(t.Context(), app, ask.ID); !errors.Is(err, ErrCodeSends) {
			t.Errorf("another code meanwhile: %v", err)
		}
		if len(audited(t, x.Service, "code.closed")) != 1 {
			t.Error("the audit does not say so")
		}
		// An hour later a code counts again, a new one.
		time.Sleep(codeWindow)
		if _, err := x.UseCode(t.Context(), app, ask.ID, good); !errors.Is(err, ErrCode) {
			t.Errorf("the old code: %v", err)
		}
		if _, err := x.SendCode(t.Context(), app, ask.ID); err != nil {
			t.Fatal(err)
		}
		if got, err := x.UseCode(t.Context(), app, ask.ID, x.code(t).Code); err != nil || got.State != Approved {
			t.Error(err)
		}
	})
}

func TestACodeIsGoodForMinutesForOneRequestAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := play(t, admins(marie), selfOf("email"))
		ask := mustOpen(t, x.Service, julie())
		first := x.code(t).Code
		b := julie()
		b.Device.ID = "dev2"
		other := mustOpen(t, x.Service, b)
		second := x.code(t).Code
		if _, err := x.UseCode(t.Context(), app, ask.ID, second); !errors.Is(err, ErrCode) {
			t.Errorf("another request's code: %v", err)
		}
		// The request moves: what was sent for the old place lets in nobody.
		a := julie()
		a.Place.City, a.Place.Owner = "Kyiv", "Other"
		time.Sleep(2 * time.Second)
		if moved, _, err := x.Open(t.Context(), a); err != nil || moved.Version != 2 {
			t.Fatalf("%+v, %v", moved, err)
		}
		if _, err := x.UseCode(t.Context(), app, ask.ID, first); !errors.Is(err, ErrCode) {
			t.Errorf("after the place changed: %v", err)
		}
		time.Sleep(Limits{}.complete().Code)
		if _, err := x.UseCode(t.Context(), app, other.ID, second); !errors.Is(err, ErrCode) {
			t.Errorf("after ten minutes: %v", err)
		}
		entries, err := x.st.Range(t.Context(), store.Query{Prefix: app + "/"})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.Contains(string(e.Value), first) || strings.Contains(string(e.Value), second) {
				t.Errorf("a code lies open under %s", e.Key)
			}
		}
	})
}

func TestThreat_L22_CodesAreSentSparingly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := play(t, admins(marie), selfOf("email"))
		ask := mustOpen(t, x.Service, julie())
		sent := 1
		for range 20 {
			_, err := x.SendCode(t.Context(), app, ask.ID)
			switch {
			case err == nil:
				sent++
			case !errors.Is(err, ErrCodeSends):
				t.Fatal(err)
			}
		}
		if sent != personSends {
			t.Errorf("%d codes to one person in an hour", sent)
		}
		// When no code can be sent, the approvers are asked at once.
		b := julie()
		b.Device.ID = "dev2"
		mustOpen(t, x.Service, b)
		synctest.Wait()
		asked := 0
		for _, n := range x.mail.got() {
			if n.Kind == NoticeOpened && n.To.Email == marie.Email {
				asked++
			}
		}
		if asked != 1 {
			t.Errorf("the approver was asked %d times", asked)
		}
		for i := range 60 { // of one network
			a := julie()
			a.Person.User, a.Person.Email, a.Device.ID = fmt.Sprint("u", i), fmt.Sprintf("u%d@example.com", i), fmt.Sprint("d", i)
			_, _, err := x.Open(t.Context(), a)
			if err != nil && !errors.Is(err, ErrTooMany) {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		codes := 0
		for _, n := range x.mail.got() {
			if n.Kind == NoticeCode {
				codes++
			}
		}
		if codes > networkSends {
			t.Errorf("%d codes to one network in an hour", codes)
		}
	})
}

func TestWhenATextCannotBeSentAnotherChannelTells(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		tries   int
		notify  []books.Channel
		ownMail bool
	}{
		"a number that is none":        {err: Permanent("twilio 21211: the number is not valid"), tries: 1, ownMail: true},
		"an order with texts alone":    {err: Permanent("twilio 21610: the recipient opted out"), tries: 1, notify: []books.Channel{{Name: "sms"}}, ownMail: true},
		"an account that is suspended": {err: Later(15*time.Minute, "twilio 30002: the account is suspended"), ownMail: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := julieAdmin
				j.Notify = c.notify
				x := play(t, admins(j, marie))
				x.sms.fail = func(Notice) error { return c.err }
				mustOpen(t, x.Service, julie())
				time.Sleep(30 * time.Second)
				synctest.Wait()
				got := x.mail.got()
				if len(got) != 1 || got[0].To.Email != j.Email || !got[0].Own || got[0].Instead != "sms" || !strings.Contains(got[0].Why, "twilio") {
					t.Fatalf("after half a minute: %+v", got)
				}
				mail, err := RenderMail(got[0])
				if err != nil || !strings.Contains(mail.Text, "le texto") || !strings.Contains(mail.Text, "twilio") {
					t.Errorf("%v\n%s", err, mail.Text)
				}
				list, err := x.Deliveries(t.Context(), app, 20)
				if err != nil {
					t.Fatal(err)
				}
				said := false
				for _, d := range list {
					said = said || d.Notice.Channel == "sms" && strings.Contains(d.Error, "twilio")
				}
				if !said {
					t.Errorf("the console does not say why: %+v", list)
				}
			})
		})
	}
}

func TestACodeThatCannotGoOutInTimeIsGivenUpAndTheOthersAreAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := play(t, admins(marie), selfOf("sms"))
		x.sms.fail = func(Notice) error { return errors.New("429") }
		a := julie()
		a.Person.Mobile = "+15145550199"
		mustOpen(t, x.Service, a)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := x.mail.got(); len(got) != 1 || got[0].To.Email != marie.Email {
			t.Errorf("after two minutes: %+v", got)
		}
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		list, err := x.Deliveries(t.Context(), app, 20)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			if d.Notice.Kind == NoticeCode && d.State != DeliveryFailed {
				t.Errorf("%+v", d)
			}
		}
	})
}

func TestTheCodesFormOnTheWaitingPage(t *testing.T) {
	st := memory.New()
	t.Cleanup(func() { _ = st.Close() })
	mail := &channel{name: "email"}
	d := newDoor(t, with(mail), admins(marie), selfOf("email"))
	go func() { _ = d.s.Run(t.Context()) }()
	ask := mustOpen(t, d.s, julie())
	if channel, hint, ok, err := d.s.CodeWay(t.Context(), ask); !ok || channel != "email" || hint != "" || err != nil {
		t.Fatalf("%s %s %v %v", channel, hint, ok, err)
	}
	code := waitForCode(t, mail)
	bad := "000000"
	if code == bad {
		bad = "000001"
	}
	if status, _, said := d.do(t, "POST", "/code", url.Values{"code": {bad}}, "Accept", "application/json"); status != http.StatusUnprocessableEntity || said.Said != "code" {
		t.Errorf("a wrong code: %d %+v", status, said)
	}
	if status, _, said := d.do(t, "POST", "/code", url.Values{"code": {code}}, "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("from elsewhere (threat L11): %d %+v", status, said)
	}
	if status, _, _ := d.do(t, "GET", "/code", nil); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", status)
	}
	if status, _, said := d.do(t, "POST", "/again", nil, "Accept", "application/json"); status != http.StatusOK || said.Said != "again" {
		t.Errorf("another code: %d %+v", status, said)
	}
	if status, _, said := d.do(t, "POST", "/code", url.Values{"code": {code}}, "Accept", "application/json"); status != http.StatusUnprocessableEntity {
		t.Errorf("the code before: %d %+v", status, said)
	}
	if status, _, said := d.do(t, "POST", "/code", url.Values{"code": {waitForOther(t, mail, code)}}, "Accept", "application/json"); status != http.StatusOK || said.State != "approved" {
		t.Errorf("the code: %d %+v", status, said)
	}
}

func waitForCode(t *testing.T, c *channel) string { return waitForOther(t, c, "") }

func waitForOther(t *testing.T, c *channel, before string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		for _, n := range c.got() {
			if n.Kind == NoticeCode && n.Code != before {
				return n.Code
			}
		}
		pause(ctx, 5*time.Millisecond)
	}
	t.Fatal("no code came")
	return ""
}

func TestANewcomerWhoIsRefusedSeesTheSameForm(t *testing.T) {
	s := newService(t, with(&channel{name: "email"}), admins(marie), selfOf("email"))
	made := s.Imitate(julie())
	if _, _, ok, err := s.CodeWay(t.Context(), made); !ok || err != nil {
		t.Errorf("from outside the two differ (threat L17): %v", err)
	}
	_ = access.Allow
}

// at is a link of the console where the test's server stands.
func (c *console) at(link string) string {
	return c.server.URL + strings.TrimPrefix(link, "https://gate.example.com")
}
