package gate

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// instances are gates at work on one store, whose clocks differ from that of
// the store.
func instances(t *testing.T, off ...time.Duration) []*Gate {
	t.Helper()
	st := &distant{Store: memory.New()} // one that others may write to
	var all []*Gate
	for _, d := range off {
		g := New(books.New(st), Options{Clock: func() time.Time { return time.Now().Add(d) }})
		closed := true
		g.Configure(Application{Name: "app", Pinned: &closed})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- g.Run(ctx) }()
		t.Cleanup(func() {
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		all = append(all, g)
	}
	synctest.Wait()
	return all
}

func TestInstancesWhoseClocksDifferByAMinuteAreOneGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := instances(t, time.Minute, -time.Minute, 0)
		ahead, behind, right := all[0], all[1], all[2]
		// A rule that was made "in the future" counts everywhere at once, and one
		// made "in the past" too.
		for i, maker := range []*Gate{ahead, behind} {
			user := []string{"julie", "marie"}[i]
			if _, err := maker.AddRule(t.Context(), access.Rule{Application: "app", User: user, Effect: access.Allow, Until: time.Now().Add(time.Hour)}, By{Who: "paul"}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for n, g := range all {
				if got := comes(t, g, user, 1); got != access.LetIn {
					t.Errorf("%s on instance %d: %s", user, n, got)
				}
				time.Sleep(2 * time.Second) // it is written before the next sees them
				synctest.Wait()
			}
		}

		// One connection, visited by turns through all of them for an hour less a
		// little, is one record with one line in the index by last visit.
		for range 4 {
			for _, g := range all {
				time.Sleep(4 * time.Minute)
				if got := comes(t, g, "julie", 1); got != access.LetIn {
					t.Fatalf("after %s: %s", time.Now(), got)
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				g.Forget("app", "julie") // as when others come: it is read again
			}
		}
		list, err := right.books.Connections.Of(t.Context(), "app", "julie", 10)
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		err = right.books.Connections.Seen(t.Context(), "app", time.Time{}, "", func(s books.Sighting) bool {
			if s.User != "julie" {
				return true
			}
			lines++
			if _, ok, err := right.books.Connections.Load(t.Context(), s); err != nil || !ok {
				t.Errorf("the index says that she was seen at %s, the record does not: %v", s.Last, err)
			}
			return true
		})
		if err != nil || len(list) != 1 || lines != 1 || list[0].Count < 4 {
			t.Errorf("%+v, with %d lines in the index: %v", list, lines, err)
		}

		// It ends within a minute of its end, by the clock of whoever is asked.
		cut := map[*Gate]context.Context{}
		for _, g := range all {
			comes(t, g, "julie", 1)
			ctx, socket := g.Watch(t.Context(), "app", "julie", "", func(context.Context) bool { return comes(t, g, "julie", 1) == access.LetIn })
			defer socket.Close()
			cut[g] = ctx
		}
		rules, err := right.books.Rules.Of(t.Context(), "app", "julie")
		if err != nil || len(rules) != 1 {
			t.Fatal(rules, err)
		}
		time.Sleep(time.Until(rules[0].Until) - 30*time.Second)
		if cut[ahead].Err() == nil || cut[behind].Err() != nil || cut[right].Err() != nil {
			t.Error("half a minute before the end the instance that is ahead alone has cut")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for n, g := range all {
			if cut[g].Err() == nil || comes(t, g, "julie", 1) == access.LetIn {
				t.Errorf("instance %d: what was open goes on (%t) a minute and a half after the end", n, cut[g].Err() == nil)
			}
		}
	})
}

// An admin forgets a device on one instance while another has a visit of it to
// write: what was forgotten stays so.
func TestAVisitBringsNoConnectionBackThatWasForgottenElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := instances(t, 0, 0)
		one, other := all[0], all[1]
		comes(t, one, "marie", 1)
		time.Sleep(burst + 2*time.Second)
		comes(t, one, "marie", 1) // her second visit waits to be written
		list, err := other.books.Connections.Of(t.Context(), "app", "marie", 10)
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		if err := other.ForgetDevice(t.Context(), "app", "marie", list[0].Device.ID, By{Who: "paul"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if list, err := other.books.Connections.Of(t.Context(), "app", "marie", 10); err != nil || len(list) != 0 {
			t.Errorf("forgotten, and there again: %v, %v", list, err)
		}
		comes(t, one, "marie", 1)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if list, err := other.books.Connections.Of(t.Context(), "app", "marie", 10); err != nil || len(list) != 1 || list[0].Count != 1 {
			t.Errorf("when she comes again she is new: %v, %v", list, err)
		}
	})
}

// A rolling upgrade: instances of this version see people whom the next one
// recorded, and write their visits.
func TestAVisitKeepsWhatTheNextVersionWroteOfTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := instances(t, 0)[0]
		now := time.Now()
		c := books.Connection{
			ID: books.NewConnectionID(now, "marie"), User: "marie", Application: "app",
			Device:  access.Device{ID: "device of marie", Kind: access.Phone},
			Browser: access.Browser{Family: "Safari", Platform: "iOS"}, Place: access.Place{City: "Laval", Country: "CA"},
			First: now, Last: now, Count: 1, Answer: access.LetIn, Step: access.StepRule,
		}
		newer := string(books.Encode(map[string]string{"Mood": "cheerful"}))
		c.KeepNewer(newer)
		rule := access.Rule{ID: "r", Application: "app", User: "marie", Effect: access.Allow}
		writes := append(g.books.Connections.Put(c), g.books.Rules.Put(rule)...)
		if err := g.books.Store.Apply(t.Context(), store.Batch{Writes: writes}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for range 3 {
			if got := comes(t, g, "marie", 1); got != access.LetIn {
				t.Fatalf("marie gets %s", got)
			}
			time.Sleep(burst + 2*time.Second)
			synctest.Wait()
		}
		list, err := g.books.Connections.Of(t.Context(), "app", "marie", 10)
		if err != nil || len(list) != 1 || list[0].Count != 4 || list[0].ID != c.ID || !list[0].First.Equal(c.First.Truncate(time.Second)) {
			t.Fatalf("%+v, %v", list, err)
		}
		if list[0].Newer() != newer {
			t.Errorf("what the next version wrote became %q", list[0].Newer())
		}
	})
}
