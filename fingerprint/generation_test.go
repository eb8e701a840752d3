package fingerprint_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/fingerprint"
)

// TestACopiedCookieIsFoundOut tells the story: a cookie is copied, one of the
// two browsers renews it, and the other one's is old.
func TestACopiedCookieIsFoundOut(t *testing.T) {
	rd := newReader(t)
	stolen, device := enrol(t, rd, now)
	tomorrow := now.Add(25 * time.Hour)

	f := rd.Read(request(stolen), overTLS, tomorrow)
	renewed := pair(rd.Issue(&f, tomorrow))
	if f := rd.Read(request(stolen), overTLS, tomorrow.Add(time.Hour)); f.Clone() {
		t.Fatal("the old generation is a copy before the new one ever came back: an answer may get lost")
	}
	back := tomorrow.Add(2 * time.Hour)
	if f := rd.Read(request(renewed), overTLS, back); f.Device.ID != device {
		t.Fatal("the renewed cookie is not known")
	}
	if f := rd.Read(request(stolen), overTLS, back.Add(fingerprint.Grace)); f.Clone() || f.Device.ID != device {
		t.Error("within the grace the old generation is not known: parallel requests would fail")
	}
	late := back.Add(fingerprint.Grace + time.Second)
	f = rd.Read(request(stolen), overTLS, late)
	if f.CloneOf != device || !f.Clone() || f.Device.ID != "" {
		t.Fatalf("after the grace: clone of %q, device %q", f.CloneOf, f.Device.ID)
	}
	if !f.Due(late) {
		t.Error("the copy gets no cookie of its own")
	}
	rd.Issue(&f, late)
	if f.Device.ID == device || f.Device.ID == "" || f.CloneOf != device {
		t.Errorf("the copy became %q, clone of %q", f.Device.ID, f.CloneOf)
	}
	if f := rd.Read(request(renewed), overTLS, late); f.Device.ID != device {
		t.Error("the real device is not known any more")
	}
}

func TestLedger(t *testing.T) {
	ctx := context.Background()
	kept := map[string]fingerprint.Mark{"old": {Newest: 7, Since: now.Add(-time.Hour)}}
	loads := 0
	ledger := fingerprint.NewLedger(10, func(_ context.Context, device string) (fingerprint.Mark, error) {
		loads++
		if device == "away" {
			return fingerprint.Mark{}, errors.New("store is away")
		}
		return kept[device], nil
	}, func(device string, m fingerprint.Mark) { kept[device] = m })

	for _, c := range []struct {
		name, device string
		generation   uint32
		after        time.Duration
		clone        bool
	}{
		{"a device never seen", "new", 0, 0, false},
		{"the same again", "new", 0, time.Hour, false},
		{"renewed", "new", 1, 2 * time.Hour, false},
		{"a tab that was slow", "new", 0, 2*time.Hour + time.Minute, false},
		{"a copy", "new", 0, 3 * time.Hour, true},
		{"the real one", "new", 1, 3 * time.Hour, false},
		{"what was kept from before a restart", "old", 7, 0, false},
		{"a copy older than the restart", "old", 6, 0, true},
		{"newer than what was kept", "old", 9, 0, false},
	} {
		clone, err := ledger.Check(ctx, c.device, c.generation, now.Add(c.after))
		if clone != c.clone || err != nil {
			t.Errorf("%s: clone %v, %v", c.name, clone, err)
		}
	}
	if loads != 2 {
		t.Errorf("loaded %d times", loads)
	}
	if kept["old"].Newest != 9 || kept["new"].Newest != 1 || !kept["new"].Since.Equal(now.Add(2*time.Hour)) {
		t.Errorf("kept %+v", kept)
	}
	for range 2 {
		if _, err := ledger.Check(ctx, "away", 0, now); err == nil {
			t.Error("the store is away and nobody says so")
		}
	}

	ledger.Learn("new", fingerprint.Mark{Newest: 5, Since: now})
	ledger.Learn("new", fingerprint.Mark{Newest: 2, Since: now})
	ledger.Learn("unheard of", fingerprint.Mark{Newest: 2, Since: now})
	if clone, _ := ledger.Check(ctx, "new", 1, now.Add(4*time.Hour)); !clone {
		t.Error("what another instance saw is not learnt")
	}
}

// TestThreat_L4_StoreAwayMakesADeviceUnknown: a cookie that cannot be checked
// is not trusted, and not replaced either.
func TestThreat_L4_StoreAwayMakesADeviceUnknown(t *testing.T) {
	rd := newReader(t)
	cookie, device := enrol(t, rd, now)
	away := errors.New("store is away")
	rd.Ledger = fingerprint.NewLedger(10, func(context.Context, string) (fingerprint.Mark, error) { return fingerprint.Mark{}, away }, nil)
	f := rd.Read(request(cookie), overTLS, now)
	if f.Device.ID != "" || !f.Unsure || f.Clone() || f.Due(now) {
		t.Errorf("device %q, unsure %v, clone %v, due %v", f.Device.ID, f.Unsure, f.Clone(), f.Due(now))
	}
	away = nil
	if f := rd.Read(request(cookie), overTLS, now); f.Device.ID != device {
		t.Error("not known once the store is back")
	}
}

func TestTheLedgerForSeveralAtOnce(t *testing.T) {
	var mu sync.Mutex
	told := map[uint32]int{}
	ledger := fingerprint.NewLedger(10, nil, func(_ string, m fingerprint.Mark) {
		mu.Lock()
		defer mu.Unlock()
		told[m.Newest]++
	})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for g := range uint32(200) {
				if clone, err := ledger.Check(context.Background(), "d", g, now); clone || err != nil {
					t.Errorf("generation %d: %v, %v", g, clone, err)
				}
			}
		})
	}
	all.Wait()
	for g, n := range told {
		if n != 1 {
			t.Errorf("generation %d was told %d times", g, n)
		}
	}
}

// An approval and a change of user hand out the next generation at once: what
// was planted before is a copy when it comes back after the grace.
func TestThreat_L9_RotateMakesTheCookieBeforeAnOldOne(t *testing.T) {
	rd := newReader(t)
	planted, device := enrol(t, rd, now)
	soon := now.Add(time.Minute)
	f := rd.Read(request(planted), overTLS, soon)
	rotated := pair(rd.Rotate(&f, soon))
	if f.Device.ID != device || rotated == planted {
		t.Fatalf("rotated into %s, %q", f.Device.ID, rotated)
	}
	if f := rd.Read(request(rotated), overTLS, soon); f.Device.ID != device {
		t.Errorf("the next generation is device %q", f.Device.ID)
	}
	late := soon.Add(fingerprint.Grace + time.Second)
	if f := rd.Read(request(planted), overTLS, late); f.CloneOf != device || f.Device.ID != "" {
		t.Errorf("the planted one is device %q, clone of %q", f.Device.ID, f.CloneOf)
	}
}
