package gate_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store"
)

func with(groups ...string) func(*access.Visit) {
	return func(v *access.Visit) { v.Groups = groups }
}

// one is julie's only connection.
func (h *house) one(t *testing.T) books.Connection {
	t.Helper()
	list, err := h.b.Connections.Of(t.Context(), "register", "julie", 10)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return list[0]
}

// What the console says of a stored connection is what the gate answers to the
// visit itself, whatever the rule about the group and the padlock are.
func TestAStoredConnectionIsJudgedByTheGroupsOfItsUser(t *testing.T) {
	closed := true
	for name, c := range map[string]struct {
		rule    access.Rule
		exempts string
		groups  []string
		want    access.Answer
	}{
		"a rule lets the group in":                    {rule: access.Rule{Group: "staff", Effect: access.Allow}, groups: []string{"cooks", "staff"}, want: access.LetIn},
		"a rule lets another group in":                {rule: access.Rule{Group: "staff", Effect: access.Allow}, groups: []string{"cooks"}, want: access.Approval},
		"a rule lets the group in, and there is none": {rule: access.Rule{Group: "staff", Effect: access.Allow}, want: access.Approval},
		"a rule refuses the group":                    {rule: access.Rule{Group: "cooks", Effect: access.Refuse}, groups: []string{"cooks"}, want: access.Deny},
		"the configuration exempts the group":         {rule: access.Rule{Group: "x", Effect: access.Allow}, exempts: "cooks", groups: []string{"cooks"}, want: access.LetIn},
		"the configuration exempts another":           {rule: access.Rule{Group: "x", Effect: access.Allow}, exempts: "cooks", groups: []string{"staff"}, want: access.Approval},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app := gate.Application{Name: "register", Exempts: func(_ string, groups []string) bool { return slices.Contains(groups, c.exempts) }}
				h := open(t, app)
				c.rule.Application = "register"
				if _, err := h.AddRule(t.Context(), c.rule, marie); err != nil {
					t.Fatal(err)
				}
				h.check(t, julie(with(c.groups...)))
				if err := h.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				stored := h.one(t)

				preview, err := h.Preview(t.Context(), "register")
				if err != nil {
					t.Fatal(err)
				}
				// The first closing would import who is merely new.
				stopped := len(preview.Stop)+preview.Imported > 0
				if stopped != (c.want != access.LetIn) {
					t.Errorf("the preview stops her: %v", stopped)
				}
				app.Pinned = &closed
				h.Configure(app)
				v, err := h.Explainer().Explain(t.Context(), stored.Visit(), gate.Circumstance{})
				if err != nil || v.Answer != c.want {
					t.Errorf("the console says %s (%s), %v", v.Answer, v.Reason(), err)
				}
				live, err := h.Check(t.Context(), julie(with(c.groups...)), gate.Circumstance{Exempt: app.Exempts("julie", c.groups)})
				if err != nil || live.Answer != c.want {
					t.Errorf("the gate says %s, %v", live.Answer, err)
				}
			})
		})
	}
}

func TestARuleAboutAGroupIsTriedOnItsMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, gate.Application{Name: "register"})
		h.check(t, julie(with("staff")))
		h.check(t, julie(func(v *access.Visit) { v.User = "fatou" }, with("cooks")))
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		trial := h.Try(access.Rule{Application: "register", Group: "staff", Effect: access.Allow})
		touched := map[string]bool{}
		err := h.b.Connections.Each(t.Context(), "register", func(c books.Connection) bool {
			about, err := trial.About(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			without, with, answers, err := trial.Of(t.Context(), c)
			if err != nil || answers != about || about && (without.Answer != access.Approval || with.Answer != access.LetIn) {
				t.Errorf("%s: about her %v, decides %v, %s becomes %s, %v", c.User, about, answers, without.Answer, with.Answer, err)
			}
			touched[c.User] = about
			return true
		})
		if err != nil || !touched["julie"] || touched["fatou"] {
			t.Errorf("the rule touches %v, %v", touched, err)
		}
	})
}

// A group's rule lets in many connections that no rule of theirs names: one
// that is withdrawn stays out.
func TestWithdrawingOneThatAGroupLetsInRefusesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := true
		h := open(t, gate.Application{Name: "register", Pinned: &closed})
		if _, err := h.AddRule(t.Context(), access.Rule{Application: "register", Group: "staff", Effect: access.Allow}, marie); err != nil {
			t.Fatal(err)
		}
		if v := h.check(t, julie(with("staff"))); v.Answer != access.LetIn {
			t.Fatalf("before: %s", v.Answer)
		}
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Withdraw(t.Context(), h.one(t), marie); err != nil {
			t.Fatal(err)
		}
		if v := h.check(t, julie(with("staff"))); v.Answer != access.Deny {
			t.Errorf("withdrawn: %s", v.Answer)
		}
	})
}

// written counts writes of groups.
type written struct {
	store.Store
	groups int
}

func (w *written) Apply(ctx context.Context, b store.Batch) error {
	for _, one := range b.Writes {
		if one.Key == "register/groups/julie" {
			w.groups++
		}
	}
	return w.Store.Apply(ctx, b)
}

func TestGroupsAreWrittenWhenTheyChangeAndOnlyThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, gate.Application{Name: "register"})
		w := &written{Store: h.st.Store}
		h.st.Store = w
		for i, c := range []struct {
			groups []string
			writes int
		}{
			{nil, 0}, {[]string{"staff", "cooks"}, 1}, {[]string{"cooks", "staff"}, 0}, {[]string{"cooks"}, 1}, {[]string{"cooks"}, 0}, {nil, 1}, {nil, 0},
		} {
			w.groups = 0
			h.check(t, julie(with(c.groups...)))
			time.Sleep(10 * time.Minute) // the next is another visit
			synctest.Wait()
			if w.groups != c.writes {
				t.Errorf("visit %d, with %v: %d writes, want %d", i, c.groups, w.groups, c.writes)
			}
			kept, err := h.b.Groups.Of(t.Context(), "register", "julie")
			if want := books.SortGroups(c.groups); err != nil || !slices.Equal(kept, want) {
				t.Errorf("visit %d: the store has %v, want %v, %v", i, kept, want, err)
			}
		}
	})
}

func TestGroupsThatCouldNotBeWrittenAreWrittenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, gate.Application{Name: "register"})
		h.check(t, julie(with("staff")))
		h.st.fail.Store(true)
		if err := h.Flush(t.Context()); err == nil {
			t.Fatal("flushed into a store that is away")
		}
		h.st.fail.Store(false)
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if kept, err := h.b.Groups.Of(t.Context(), "register", "julie"); err != nil || len(kept) != 1 {
			t.Errorf("kept: %v, %v", kept, err)
		}
		if err := h.RemovePerson(t.Context(), "julie", marie); err != nil {
			t.Fatal(err)
		}
		if some, err := h.b.Groups.Any(t.Context(), "register"); err != nil || some {
			t.Errorf("a removed person leaves groups: %v, %v", some, err)
		}
	})
}
