package approvals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// turned is how many attempts were not kept, because too many wait, by the
// minute since 1970, for as long as a digest may be late.
type turned struct{ Minutes map[int64]int }

const turnedKept = giveUpAfter + 4*time.Hour

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// between is the count of the minutes from one on and before another.
func (t turned) between(from, to time.Time) int {
	sum := 0
	for m, n := range t.Minutes {
		if m >= minuteOf(from) && m < minuteOf(to) {
			sum += n
		}
	}
	return sum
}

func turnedKey(application string) string { return books.Key(application, "turned") }

// turnAway counts an attempt that is not kept: now and then in the store, in
// memory between, so that a flood writes little (threat L22). The approvers
// learn of it by their digest. The caller holds s.opening.
func (s *Service) turnAway(ctx context.Context, application string, now time.Time) {
	t := s.turned[application]
	t.count++
	if now.Sub(t.wrote) >= othersEvery {
		if err := s.writeTurned(ctx, application, t.count, now); err != nil {
			s.conf.Log.Warn("counting attempts that were not kept", "application", application, "error", err)
			t.wrote = now // not at each attempt either
		} else {
			t = others{wrote: now}
		}
	}
	s.turned[application] = t
}

// writeTurned adds to the count and sees to it that a digest tells of it.
func (s *Service) writeTurned(ctx context.Context, application string, count int, now time.Time) error {
	for try := 0; ; try++ {
		err := s.tryWriteTurned(ctx, application, count, now)
		if !errors.Is(err, store.ErrConflict) || try >= maxTries {
			return err
		}
	}
}

func (s *Service) tryWriteTurned(ctx context.Context, application string, count int, now time.Time) error {
	t, raw, err := s.readTurned(ctx, application)
	if err != nil {
		return err
	}
	if t.Minutes == nil {
		t.Minutes = map[int64]int{}
	}
	for m := range t.Minutes {
		if m < minuteOf(now.Add(-turnedKept)) {
			delete(t.Minutes, m)
		}
	}
	t.Minutes[minuteOf(now)] += count
	counts, err := s.readTold(ctx, application, now)
	if err != nil {
		return err
	}
	writes := []store.Write{{Key: turnedKey(application), Value: books.Encode(t), TTL: turnedKept}}
	tell := func(who string, to Recipient, channel string, a books.Admin) {
		h, ok := counts.hours[who]
		if !ok {
			h = hour{Start: now}
		}
		if h.Digest == "" {
			writes = append(writes, s.digest(&h, application, to, channel, a, now))
			counts.hours[who] = h
		}
	}
	for _, a := range s.conf.Admins() {
		if steps := s.steps(a, AccessRequest{Application: application}); a.LooksAfter(application) && len(steps) > 0 {
			tell(a.Email, recipient(a), steps[0].channel, a)
		}
	}
	s.eachRoom(func(channel string, to Recipient) { tell("room "+channel+" "+to.Name, to, channel, books.Admin{}) })
	writes, checks := counts.finish(writes)
	return s.st.Apply(ctx, store.Batch{Checks: append(checks, store.Check{Key: turnedKey(application), Value: raw}), Writes: writes})
}

func (s *Service) readTurned(ctx context.Context, application string) (t turned, raw []byte, err error) {
	if raw, err = s.getMaybe(ctx, turnedKey(application)); err != nil {
		return t, nil, fmt.Errorf("reading how many attempts were not kept: %w", err)
	}
	if raw != nil {
		err = books.Decode(raw, &t)
	}
	return t, raw, err
}

// completeDigest puts in what a digest says as it goes out: how many still
// wait, and how many attempts were not kept in the hour that it tells of.
func (s *Service) completeDigest(ctx context.Context, p parcel) (Notice, bool, error) {
	n := p.Notice
	t, _, err := s.readTurned(ctx, n.Application)
	if err != nil {
		return n, false, err
	}
	end := p.From.Add(time.Hour)
	n.Turned = t.between(p.From, end)
	s.opening.Lock()
	if rest := s.turned[n.Application]; rest.wrote.Before(end) {
		n.Turned += rest.count // not written yet, and of this hour
	}
	s.opening.Unlock()
	_, traces, err := s.live(ctx, n.Application)
	if err != nil {
		return n, false, err
	}
	for _, tr := range traces {
		if tr.State.Open() {
			n.StillWaiting++
		}
	}
	n.Link = s.conf.Console
	return n, n.More+n.Turned > 0, nil
}
