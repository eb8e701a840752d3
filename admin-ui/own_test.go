package adminui_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
)

// Julie is an admin too. What she waits on, no form of the console lets in as
// long as it is she who sends it; the same form lets it in for Marie.
func TestThreat_L24_NoFormLetsInARequestOfOnesOwn(t *testing.T) {
	julie := books.Admin{Email: "julie@lucioles.example", Name: "Julie", Users: map[string]string{"register": "julie"}}
	type scene struct {
		h   *house
		c   books.Connection
		ask approvals.AccessRequest
	}
	allowed := func(s scene) bool {
		s.h.gate.Configure(gate.Application{Name: "register"})
		visit := s.ask.Visit()
		if kept, err := s.h.books.Networks.All(t.Context()); err == nil && len(kept) > 0 {
			visit.Place.Name = kept[0].Name
		}
		v, err := s.h.gate.Explain(t.Context(), visit, gate.Circumstance{})
		if err != nil {
			t.Fatal(err)
		}
		return v.Answer == access.LetIn
	}
	rule := func(s scene, r access.Rule) access.Rule {
		r.Application = "register"
		made, err := s.h.gate.AddRule(t.Context(), r, gate.By{Who: fixture.Marie.Email})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	for name, way := range map[string]struct {
		before func(s scene)
		do     func(s scene, b *browser) answer
		// done is how it is told that it was done, where the gate does not say.
		done func(s scene, a answer) bool
	}{
		"the request's own form": {do: func(s scene, b *browser) answer {
			return b.post("/requests/register/"+s.ask.ID, "decision", "approve", "version", "1", "number", s.ask.Number, "width", "connection", "end", "none")
		}},
		"an arrow of the columns": {do: func(s scene, b *browser) answer {
			return b.post("/columns/move", "app", "register", "move", "in", "out", s.c.ID)
		}},
		"the double arrow of the columns": {do: func(_ scene, b *browser) answer {
			return b.post("/columns/move", "app", "register", "move", "all-in", "sure", "1")
		}},
		"full access": {do: func(_ scene, b *browser) answer {
			return b.post("/people/julie/treat", "application", "register", "treatment", "full-access")
		}},
		"full access everywhere": {do: func(_ scene, b *browser) answer {
			return b.post("/people/julie/treat", "application", "", "treatment", "full-access")
		}},
		"an exemption": {do: func(_ scene, b *browser) answer {
			return b.post("/people/julie/exempt", "application", "register", "exempt", "1")
		}},
		"a pass": {
			do:   func(_ scene, b *browser) answer { return b.post("/people/julie/pass", "application", "register") },
			done: func(_ scene, a answer) bool { return a.StatusCode == http.StatusOK },
		},
		"a link for another keyboard": {
			do: func(_ scene, b *browser) answer {
				return b.post("/people/julie/biopass/link", "application", "register")
			},
			done: func(_ scene, a answer) bool { return a.StatusCode == http.StatusOK },
		},
		"a rule about them": {do: func(_ scene, b *browser) answer {
			return b.post("/rules/new", "effect", "allow", "whose", "user", "user", "julie", "application", "register", "step", "make")
		}},
		"a rule about everybody": {do: func(_ scene, b *browser) answer {
			return b.post("/rules/new", "effect", "allow", "application", "register", "kind", "tablet", "step", "make")
		}},
		"a rule for every application": {do: func(_ scene, b *browser) answer {
			return b.post("/rules/new", "effect", "allow", "whose", "user", "user", "julie", "step", "make")
		}},
		"the end of a refusal": {
			before: func(s scene) {
				rule(s, access.Rule{User: "julie", Effect: access.Allow})
				rule(s, access.Rule{User: "julie", Kind: access.Tablet, Effect: access.Refuse, Note: "end me"})
			},
			do: func(s scene, b *browser) answer {
				rules, err := s.h.books.Rules.Of(t.Context(), "register", "julie")
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range rules {
					if r.Note == "end me" {
						return b.post("/rules/end", "application", "register", "rule", r.ID)
					}
				}
				return answer{}
			},
		},
		"the device for everybody": {do: func(s scene, b *browser) answer {
			return b.post("/devices/"+s.c.Device.ID+"/allow", "application", "register")
		}},
		"somebody else's request on the device, for everybody": {
			before: func(s scene) {
				s.h.waits(s.h.connection("one", func(c *books.Connection) { c.User = "fatou" }), nil)
			},
			do: func(s scene, b *browser) answer {
				list, err := s.h.asks.Waiting(t.Context(), "register")
				if err != nil {
					t.Fatal(err)
				}
				for _, ask := range list {
					if ask.Person.User == "fatou" {
						return b.post("/requests/register/"+ask.ID, "decision", "approve", "version", "1", "number", ask.Number, "width", "everyone", "end", "none")
					}
				}
				return answer{}
			},
		},
		"a name for the network": {
			before: func(s scene) { rule(s, access.Rule{Place: access.PlaceKey{Name: "Annex"}, Effect: access.Allow}) },
			do: func(_ scene, b *browser) answer {
				return b.post("/places", "name", "Annex", "prefix", "203.0.113.0/24")
			},
		},
		"a tick before the padlock closes": {
			before: func(s scene) {
				if err := s.h.gate.OpenPadlock(t.Context(), "register", gate.By{Who: fixture.Marie.Email}); err != nil {
					t.Fatal(err)
				}
			},
			do: func(s scene, b *browser) answer { return b.post("/padlock/register/close", "also", s.c.ID) },
			done: func(s scene, _ answer) bool {
				rules, err := s.h.books.Rules.Of(t.Context(), "register", "julie")
				return err == nil && len(rules) > 0
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, who := range []books.Admin{julie, fixture.Marie} {
				h := build(t, fixture.Marie, julie)
				h.close("register")
				s := scene{h: h, c: h.connection("one", func(c *books.Connection) {
					c.Place = access.Place{City: "Laval", Country: "CA", Owner: "Bell", Address: netip.MustParseAddr("203.0.113.9")}
				})}
				s.ask = h.waits(s.c, nil)
				if way.before != nil {
					way.before(s)
				}
				a := way.do(s, h.signIn(who.Email))
				done := way.done
				if done == nil {
					done = func(s scene, _ answer) bool { return allowed(s) }
				}
				if got := done(s, a); got != (who.Email == fixture.Marie.Email) {
					t.Errorf("by %s: %v (%d %s)", who.Name, got, a.StatusCode, a.Header.Get("Location"))
				}
				if who.Email == julie.Email && a.StatusCode != http.StatusSeeOther && !strings.Contains(a.body, "another admin") && !strings.Contains(a.body, "Another admin") {
					t.Errorf("she is not told why: %d %s", a.StatusCode, a.body)
				}
			}
		})
	}
}

// While nothing of theirs waits, an admin does to themself what they do to others.
func TestAnAdminWhoDoesNotWaitGivesThemselfFullAccess(t *testing.T) {
	julie := books.Admin{Email: "julie@lucioles.example", Name: "Julie", Users: map[string]string{"register": "julie"}}
	h := build(t, julie)
	c := h.connection("one", nil)
	h.close("register")
	if a := h.signIn(julie.Email).post("/people/julie/treat", "application", "register", "treatment", "full-access"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if h.answer(c) != access.LetIn {
		t.Error("she has no full access")
	}
}
