package main

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/lang"
)

var now = time.Date(2026, 11, 3, 14, 33, 12, 0, time.Local)

// julie waits with a tablet at a place that is known.
func julie() approvals.AccessRequest {
	return approvals.AccessRequest{
		ID: "1", Reference: "7KD-4M2", Application: "presence", Version: 1, LoginID: "login",
		Person:  access.Person{User: "julie.tremblay@lucioles.example", Name: "Julie Tremblay-Archambault", Source: "login"},
		Device:  access.Device{ID: "d", Kind: access.Tablet, Label: "Android tablet"},
		Browser: access.Browser{Family: "Chrome", Platform: "Android"},
		Place:   access.Place{Name: "Installation de Laval"},
		New:     []access.Part{access.PartDevice, access.PartBrowser},
		Asked:   access.Approval, Language: "fr", Number: "47", State: approvals.Waiting, Count: 1,
		Opened: now.Add(-72 * time.Second), Last: now.Add(-72 * time.Second), Ends: now.Add(60 * 24 * time.Hour),
	}
}

// far is everything at its longest.
func far() approvals.AccessRequest {
	ask := julie()
	ask.Person = access.Person{
		User: "marc-antoine.desrosiers-lalancette-de-la-chevrotiere@amis-de-la-petite-enfance-de-saint-jerome.example",
		Name: "Marc-Antoine-Alexandre Desrosiers-Lalancette de la Chevrotière-Beauharnois", Source: "login",
	}
	ask.Device = access.Device{ID: "d", Kind: access.Computer, Label: "Windows computer"}
	ask.Browser = access.Browser{Family: "Samsung Internet Enterprise Edition", Platform: "Windows"}
	ask.Place = access.Place{
		City: "Sainte-Catherine-de-la-Jacques-Cartier", Region: "Quebec", Country: "CA",
		Owner: "Société de télécommunications coopérative de la Jacques-Cartier", Address: netip.MustParseAddr("2001:db8::1"),
	}
	ask.New = []access.Part{access.PartDevice, access.PartPlace, access.PartBrowser}
	ask.Note = "Je remplace Chloé ce matin, avec le portable de la direction; le mien est resté à la maison. J’en ai pour la journée, jusqu’à 17 h. Vous pouvez me joindre au local des poupons, poste 214. Merci!"
	ask.Count, ask.Others = 4, 2
	ask.Opened = now.Add(-26 * time.Hour)
	return ask
}

// rtl is named from right to left, and tries to reorder what is around.
func rtl() approvals.AccessRequest {
	ask := julie()
	ask.Person = access.Person{User: "layla@lucioles.example", Name: "ليلى عبد الرحمن \u202Egnihtyreve", Source: "header"}
	ask.LoginID = ""
	ask.Place = access.Place{City: "תל אביב", Country: "IL", Owner: "בזק", Address: netip.MustParseAddr("192.0.2.7")}
	ask.New = []access.Part{access.PartPlace}
	ask.Note = "أنا في إجازة <script>alert(1)</script>"
	return ask
}

// hostile holds markup in each field.
func hostile() approvals.AccessRequest {
	const x = "\"><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}\r\nBcc: all@example.com\u202E"
	ask := julie()
	ask.Person = access.Person{User: x, Name: x, Source: "login"}
	ask.Device.Label, ask.Browser.Family, ask.Browser.Platform = x, x, x
	ask.Place = access.Place{City: x, Region: x, Country: "CA", Owner: x}
	ask.Note = x
	return ask
}

// bare is a device alone, nowhere, that nobody knows.
func bare() approvals.AccessRequest {
	ask := julie()
	ask.Person = access.Person{User: "device:3f9a", Source: "device"}
	ask.LoginID = ""
	ask.Device = access.Device{ID: "d", Kind: access.Other}
	ask.Browser = access.Browser{}
	ask.Place = access.Place{Address: netip.MustParseAddr("203.0.113.9")}
	ask.New = []access.Part{access.PartDevice, access.PartPlace, access.PartBrowser}
	return ask
}

func decided(ask approvals.AccessRequest, state approvals.State) approvals.AccessRequest {
	ask.State = state
	ask.Decision = approvals.Decision{
		By: "marie@lucioles.example", Name: "Marie Roy", At: now.Add(-20 * time.Second), Via: approvals.ViaMail, Width: approvals.WidthDevice,
		Until: time.Date(2026, 11, 4, 0, 0, 0, 0, time.Local),
	}
	if state == approvals.Refused {
		ask.Decision.Reply = "Utilisez la tablette du centre pour les présences, s’il vous plaît. On s’en reparle demain."
		ask.Decision.Width, ask.Decision.Until = "", time.Time{}
	}
	return ask
}

func ended(state approvals.State) approvals.AccessRequest {
	ask := julie()
	ask.State = state
	return ask
}

func named() approvals.AccessRequest {
	ask := bare()
	ask.Person.Name = "Julie, du local des poupons"
	return ask
}

func waitingStates() map[string]approvals.WaitingPage {
	page := func(ask approvals.AccessRequest) approvals.WaitingPage {
		return approvals.WaitingPage{Ask: ask, Application: "Registre des présences", Now: now, Continue: "/", Languages: []string{"en", "fr"}}
	}
	with := func(p approvals.WaitingPage, change func(*approvals.WaitingPage)) approvals.WaitingPage {
		change(&p)
		return p
	}
	long := page(far())
	long.Application = "Registre des présences et des absences prolongées des enfants et du personnel éducateur"
	return map[string]approvals.WaitingPage{
		"pending":  page(julie()),
		"biopass":  with(page(julie()), func(p *approvals.WaitingPage) { p.Biopass = "/.cadenas/biopass" }),
		"noted":    with(page(far()), func(p *approvals.WaitingPage) { p.Said = "note" }),
		"bad-code": with(page(julie()), func(p *approvals.WaitingPage) { p.Said = "pass" }),
		"code": with(page(julie()), func(p *approvals.WaitingPage) {
			p.Code = &approvals.CodeSent{Channel: "sms", Hint: "00", Life: 10 * time.Minute}
		}),
		"code-bad": with(page(julie()), func(p *approvals.WaitingPage) {
			p.Code, p.Said = &approvals.CodeSent{Channel: "email", Life: 10 * time.Minute}, "code"
		}),
		"code-tries": with(page(julie()), func(p *approvals.WaitingPage) {
			p.Code, p.Said = &approvals.CodeSent{Channel: "sms", Hint: "00", Life: 10 * time.Minute}, "tries"
		}),
		"code-none": with(page(julie()), func(p *approvals.WaitingPage) {
			p.Code, p.Said = &approvals.CodeSent{Channel: "sms", Hint: "00", Life: 10 * time.Minute}, "none"
		}),
		"code-again": with(page(julie()), func(p *approvals.WaitingPage) {
			p.Code, p.Said = &approvals.CodeSent{Channel: "sms", Hint: "00", Life: 10 * time.Minute}, "again"
		}),
		"too-long":  with(page(julie()), func(p *approvals.WaitingPage) { p.Said = "long" }),
		"long":      long,
		"rtl":       page(rtl()),
		"hostile":   page(hostile()),
		"name":      page(bare()),
		"bad-name":  with(page(bare()), func(p *approvals.WaitingPage) { p.Said = "long" }),
		"named":     page(named()),
		"approved":  with(page(decided(julie(), approvals.Approved)), func(p *approvals.WaitingPage) { p.Continue = "/stay" }),
		"release":   with(page(decided(julie(), approvals.Approved)), func(p *approvals.WaitingPage) { p.Release = &approvals.Release{Action: "/stay", Ticket: "t"} }),
		"again":     with(page(decided(julie(), approvals.Approved)), func(p *approvals.WaitingPage) { p.SignInAgain = true }),
		"late":      with(page(decided(julie(), approvals.Approved)), func(p *approvals.WaitingPage) { p.SignInAgain, p.TooLate = true, true }),
		"refused":   page(decided(julie(), approvals.Refused)),
		"expired":   page(ended(approvals.Expired)),
		"cancelled": page(ended(approvals.Cancelled)),
	}
}

func decideStates() map[string]approvals.DecidePage {
	page := func(ask approvals.AccessRequest, problem error) approvals.DecidePage {
		return approvals.DecidePage{
			Ask: ask, Application: "Registre des présences", Admin: "Marie Roy", Now: now, Token: "token",
			Console: "/console", Problem: problem, Languages: []string{"en", "fr"},
		}
	}
	with := func(p approvals.DecidePage, change func(*approvals.DecidePage)) approvals.DecidePage {
		change(&p)
		return p
	}
	noted := julie()
	noted.Place = access.Place{City: "Laval", Region: "Québec", Country: "CA", Owner: "Bell Canada", Latitude: 45.6, Longitude: -73.7, Located: true}
	noted.New = append(noted.New, access.PartPlace)
	noted.Note = "C’est la nouvelle tablette du local des poupons."
	wrong := noted
	wrong.WrongNumbers = 1
	closed := noted
	closed.WrongNumbers = 3
	return map[string]approvals.DecidePage{
		"form":        page(noted, nil),
		"signed-in":   with(page(noted, nil), func(p *approvals.DecidePage) { p.SignedIn, p.GrantFor = true, 30*24*time.Hour }),
		"wrong":       page(wrong, &approvals.NumberError{Left: 2}),
		"missing":     page(noted, &approvals.NumberError{Missing: true}),
		"unsure":      with(page(noted, approvals.ErrUnsure), func(p *approvals.DecidePage) { p.SignedIn = true }),
		"unconfirmed": page(noted, approvals.ErrNotConfirmed),
		"past": with(page(noted, approvals.ErrUntil), func(p *approvals.DecidePage) {
			p.Chosen = approvals.Chosen{Width: approvals.WidthFull, End: approvals.EndDate, Until: "2026-11-01", Reply: "À demain."}
		}),
		"changed":      page(noted, &approvals.ChangedError{Ask: noted}),
		"long":         page(far(), nil),
		"rtl":          page(rtl(), nil),
		"hostile":      page(hostile(), nil),
		"named":        page(named(), nil),
		"done":         with(page(decided(noted, approvals.Approved), nil), func(p *approvals.DecidePage) { p.Done = true }),
		"done-no":      with(page(decided(noted, approvals.Refused), nil), func(p *approvals.DecidePage) { p.Done = true }),
		"decided":      page(noted, &approvals.DecidedError{Ask: decided(noted, approvals.Approved)}),
		"decided-no":   page(decided(noted, approvals.Refused), nil),
		"expired":      page(ended(approvals.Expired), nil),
		"cancelled":    page(ended(approvals.Cancelled), nil),
		"closed":       page(closed, nil),
		"own":          page(noted, approvals.ErrOwnRequest),
		"not-yours":    page(noted, approvals.ErrNotYours),
		"gone":         page(approvals.AccessRequest{}, approvals.ErrNotFound),
		"hostile-told": with(page(decided(hostile(), approvals.Approved), nil), func(p *approvals.DecidePage) { p.Done = true }),
	}
}

func mails() map[string]approvals.Notice {
	notice := func(kind approvals.NoticeKind, ask approvals.AccessRequest, admin bool) approvals.Notice {
		return approvals.Notice{
			ID: "n", Kind: kind, Channel: "email", To: approvals.Recipient{Email: "marie@lucioles.example", Name: "Marie Roy", Admin: admin},
			Application: "presence", ApplicationName: "Registre des présences", Ask: ask,
			Link: "https://gate.lucioles.example/decide/AbCdEf0123456789AbCdEf0123456789", Created: now,
		}
	}
	noted := julie()
	noted.Place = access.Place{City: "Laval", Region: "Québec", Country: "CA", Owner: "Bell Canada", Latitude: 45.6, Longitude: -73.7, Located: true}
	noted.New = append(noted.New, access.PartPlace)
	noted.Note = "C’est la nouvelle tablette du local des poupons."
	links := julie()
	links.Note = "See https://evil.example/decide or evil.example/x please"
	digest := notice(approvals.NoticeDigest, approvals.AccessRequest{}, true)
	digest.More, digest.Turned, digest.StillWaiting = 17, 9950, 50
	own := notice(approvals.NoticeOpened, julie(), true)
	own.Own, own.Instead, own.Why = true, "sms", "twilio 21211: the number is not valid"
	code := notice(approvals.NoticeCode, julie(), false)
	code.Life = 10 * time.Minute
	code.Own, code.Code = true, "482913"
	self := decided(julie(), approvals.Approved)
	self.Decision.By, self.Decision.Name, self.Decision.Width = approvals.ViaSelf, "", approvals.WidthConnection
	bareNotice := notice(approvals.NoticeOpened, named(), true)
	bareNotice.Link = ""
	return map[string]approvals.Notice{
		"opened":     notice(approvals.NoticeOpened, noted, true),
		"long":       notice(approvals.NoticeOpened, far(), true),
		"rtl":        notice(approvals.NoticeOpened, rtl(), true),
		"hostile":    notice(approvals.NoticeOpened, hostile(), true),
		"links":      notice(approvals.NoticeOpened, links, true),
		"no-console": bareNotice,
		"decided":    notice(approvals.NoticeDecided, decided(noted, approvals.Approved), true),
		"decided-no": notice(approvals.NoticeDecided, decided(noted, approvals.Refused), true),
		"outcome":    notice(approvals.NoticeOutcome, decided(noted, approvals.Approved), false),
		"outcome-no": notice(approvals.NoticeOutcome, decided(noted, approvals.Refused), false),
		"digest":     digest,
		"own":        own,
		"code":       code,
		"self":       notice(approvals.NoticeDecided, self, true),
		"test":       notice(approvals.NoticeTest, approvals.AccessRequest{}, true),
		"sign-in":    notice(approvals.NoticeSignIn, approvals.AccessRequest{}, true),
	}
}

// others are the small pages around the waiting page.
var others = map[string]func(http.ResponseWriter, *http.Request, *lang.Catalogue) error{
	"lead": func(w http.ResponseWriter, r *http.Request, c *lang.Catalogue) error {
		return approvals.WriteLead(w, r, c, http.StatusForbidden, approvals.LeadPage{Application: "Registre des présences", Languages: lang.Tags(), To: "/stay"})
	},
	"nobody": func(w http.ResponseWriter, r *http.Request, c *lang.Catalogue) error {
		return approvals.WriteRefused(w, r, c, http.StatusForbidden, approvals.RefusedPage{Application: "Registre des présences", Languages: lang.Tags(), SignIn: "/login"})
	},
	"lost": func(w http.ResponseWriter, r *http.Request, c *lang.Catalogue) error {
		return approvals.WriteRefused(w, r, c, http.StatusForbidden, approvals.RefusedPage{Languages: lang.Tags(), Lost: true})
	},
}

func names[T any](states map[string]T) []string {
	all := make([]string, 0, len(states))
	for name := range states {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// withPictures shows what is attached in a browser, which has no attachments.
func withPictures(mail approvals.Mail) string {
	inline := func(picture []byte) string {
		return "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture)
	}
	return strings.NewReplacer("cid:"+approvals.MailLogoID, inline(approvals.MailLogo()), "cid:"+approvals.MailMapID, inline(mail.Map)).Replace(mail.HTML)
}
