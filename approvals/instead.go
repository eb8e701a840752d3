package approvals

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// help carries out a batch that says of a notice about a waiting request that
// it could not be sent, and in the same batch makes up for it: what the person
// would have got later comes now, or they are told by another channel, with a
// word about what failed. Where a code could not be sent and its person has
// nothing else, the approvers are asked at once. In two batches, a process
// killed between them would leave somebody untold.
//
// The error is store.ErrConflict where what the batch rests on, its first
// check, does not hold any more.
func (s *Service) help(ctx context.Context, batch store.Batch, p parcel, why string, now time.Time) error {
	own := batch.Checks[0]
	for range maxTries {
		instead, err := s.insteadOf(ctx, p, why, now)
		if err != nil {
			return fmt.Errorf("using another channel: %w", err)
		}
		// The checks: what a courier has taken meanwhile must not be set free
		// again, or it goes out twice.
		err = s.st.Apply(ctx, store.Batch{
			Checks: slices.Concat(batch.Checks, instead.Checks), Writes: slices.Concat(batch.Writes, instead.Writes),
		})
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		raw, err := s.getMaybe(ctx, own.Key)
		if err != nil {
			return err
		}
		if !bytes.Equal(raw, own.Value) {
			return store.ErrConflict
		}
	}
	// The others are on their way, or they would not move so much.
	return s.st.Apply(ctx, batch)
}

// insteadOf is what makes up for a notice; nothing where nothing has to.
func (s *Service) insteadOf(ctx context.Context, p parcel, why string, now time.Time) (store.Batch, error) {
	none := store.Batch{}
	if p.AskID == "" || p.Notice.Kind != NoticeOpened && p.Notice.Kind != NoticeCode {
		return none, nil
	}
	ask, err := s.Get(ctx, p.Notice.Application, p.AskID)
	if errors.Is(err, ErrNotFound) || err == nil && ask.State != Waiting {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	waiting, err := s.waitingFor(ctx, ask.Application, ask.ID)
	if err != nil {
		return none, err
	}
	var mine, others []parcel
	for _, w := range waiting {
		switch {
		case w.Notice.ID == p.Notice.ID || w.Notice.Kind != NoticeOpened || w.Notice.Channel == p.Notice.Channel && w.Notice.To == p.Notice.To:
		case p.Notice.To.Email != "" && w.Notice.To.Email == p.Notice.To.Email && w.Notice.To.Admin:
			mine = append(mine, w)
		default:
			others = append(others, w)
		}
	}
	if len(mine) > 0 {
		return s.hasten(mine, p, why, now), nil
	}
	if a, ok := s.admin(p.Notice.To.Email); ok && p.Notice.To.Admin {
		return store.Batch{Writes: s.anotherChannel(a, ask, p, why, now)}, nil
	}
	if p.Notice.Kind == NoticeCode {
		return s.hasten(others, p, "", now), nil
	}
	return none, nil
}

// hasten makes what would have gone out later go out now. What is being sent,
// or was tried already, is left alone.
func (s *Service) hasten(list []parcel, failed parcel, why string, now time.Time) store.Batch {
	var batch store.Batch
	for _, p := range list {
		if p.LeaseBy != "" || p.Tries > 0 {
			continue
		}
		due := now
		if a, ok := s.admin(p.Notice.To.Email); ok && rings(p.Notice.Channel) && !p.Notice.Own {
			due = afterQuiet(due, a.QuietFrom, a.QuietTo)
		}
		if due.Before(p.Due) {
			p.Due = due
		}
		if why != "" {
			p.Notice.Instead, p.Notice.Why = failed.Notice.Channel, why
		}
		batch.Checks = append(batch.Checks, store.Check{Key: p.key(), Value: p.raw})
		batch.Writes = append(batch.Writes, p.write())
	}
	return batch
}

// anotherChannel tells an approver by the first channel that was not in their
// order, mail before all. One of their order that is not waiting any more has
// brought the notice, or has failed like this one.
func (s *Service) anotherChannel(a books.Admin, ask AccessRequest, failed parcel, why string, now time.Time) []store.Write {
	tried := map[string]bool{failed.Notice.Channel: true}
	for _, st := range s.steps(a, ask) {
		if st.channel != failed.Notice.Channel && failed.Notice.Kind == NoticeOpened {
			return nil // told by that one
		}
	}
	if failed.Notice.Instead != "" {
		return nil // this was a second way already
	}
	own := IsOwn(ask, a)
	names := []string{channelMail, channelPush, channelSMS, channelLog}
	for _, n := range s.conf.Notifiers {
		names = append(names, n.Name())
	}
	for _, name := range names {
		if tried[name] || !s.reaches(name, recipient(a)) || own && !s.selfChannel(ask.Application, name) {
			continue
		}
		n := s.notice(NoticeOpened, ask.Application, recipient(a), name, now)
		n.Own, n.Instead, n.Why = own, failed.Notice.Channel, why
		return []store.Write{parcel{Notice: n, AskID: ask.ID, Due: now}.write()}
	}
	return nil
}
