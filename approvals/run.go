package approvals

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

const (
	lookForApplications = 30 * time.Second
	sweepEvery          = time.Minute
	stopGrace           = 3 * time.Second
	// parallelSends bounds what one channel sends at once.
	parallelSends = 4
)

// errStopped says that a send was cut short because the process stops: it is
// tried again at the next start as if it had not been.
var errStopped = errors.New("stopped in mid send")

// Run sends notices, carries on what a crash left half done and expires
// requests, until ctx ends; what is being sent then is waited for.
func (s *Service) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	started := map[string]bool{}
	for {
		for _, app := range append(s.conf.Applications(), "") {
			if !started[app] {
				started[app] = true
				running.Go(func() { s.runApplication(ctx, app) })
				if app != "" && s.conf.Judge != nil {
					running.Go(func() { s.runSettling(ctx, app) })
				}
			}
		}
		if !pause(ctx, lookForApplications) {
			return nil
		}
	}
}

// runApplication drains one outbox, woken by what is written to it.
func (s *Service) runApplication(ctx context.Context, app string) {
	d := &drain{s: s, app: app, busy: map[string]bool{}, poke: make(chan struct{}, 1)}
	defer d.couriers.Wait()
	var events <-chan store.Event
	var swept time.Time
	for {
		if events == nil {
			ev, err := s.st.Watch(ctx, books.Prefix(app, "outbox"))
			if err != nil && ctx.Err() == nil {
				s.conf.Log.Error("the outbox cannot be watched", "application", app, "error", err)
			}
			events = ev // nil on error: the timer goes on
		}
		now := s.conf.Clock()
		if now.Sub(swept) >= sweepEvery {
			swept = now
			s.sweep(ctx, app)
		}
		next, err := d.once(ctx)
		if err != nil && ctx.Err() == nil {
			s.conf.Log.Error("the outbox cannot be read", "application", app, "error", err)
			next = now.Add(firstBackoff)
		}
		wait := min(max(next.Sub(s.conf.Clock()), 0), sweepEvery)
		if !d.wait(ctx, &events, wait) {
			return
		}
	}
}

// sweep does what falls due by the clock.
func (s *Service) sweep(ctx context.Context, app string) {
	if app == "" {
		return
	}
	if err := s.resume(ctx, app); err != nil && ctx.Err() == nil {
		s.conf.Log.Error("full access that was approved could not be given yet", "application", app, "error", err)
	}
	if _, err := s.Expire(ctx, app); err != nil && ctx.Err() == nil {
		s.conf.Log.Error("access requests could not be expired", "application", app, "error", err)
	}
}

// drain is the outbox of one application as this instance empties it.
type drain struct {
	s        *Service
	app      string
	poke     chan struct{} // a courier came back
	couriers sync.WaitGroup

	mu sync.Mutex
	// busy holds channel and recipient of each courier on its way: notices
	// to one person go out in their order, and a slow channel holds up no
	// other.
	busy map[string]bool
}

// wait returns when there may be something to do; false when ctx ended.
func (d *drain) wait(ctx context.Context, events *<-chan store.Event, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case ev, ok := <-*events:
			if !ok {
				*events = nil
				return pause(ctx, time.Second)
			}
			if d.concerns(ev) {
				return true
			}
		case <-d.poke:
			return true
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// concerns leaves out what this instance wrote itself: claims and removals.
func (d *drain) concerns(ev store.Event) bool {
	if ev.Err != nil {
		return true
	}
	if ev.Value == nil {
		return false
	}
	var p parcel
	return books.Decode(ev.Value, &p) != nil || p.LeaseBy != d.s.conf.Instance
}

// once sends a courier to everybody for whom something is due, and returns
// when the next thing is.
func (d *drain) once(ctx context.Context) (time.Time, error) {
	now := d.s.conf.Clock()
	next := now.Add(sweepEvery)
	due := map[string][]parcel{}
	var order []string
	err := d.s.eachParcel(ctx, d.app, func(p parcel) {
		at := p.Due
		dead := d.s.conf.Alone && p.LeaseBy != d.s.conf.Instance
		if p.LeaseBy != "" && p.LeaseUntil.After(at) && !dead {
			at = p.LeaseUntil
		}
		if at.After(now) {
			if at.Before(next) {
				next = at
			}
			return
		}
		who := p.Notice.Channel + "\x00" + p.Notice.To.Email + "\x00" + p.Notice.To.Mobile + "\x00" + p.Notice.To.room()
		if _, ok := due[who]; !ok {
			order = append(order, who)
		}
		due[who] = append(due[who], p)
	})
	if err != nil {
		return next, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, who := range order {
		if d.busy[who] {
			continue // its courier pokes when it is back
		}
		d.busy[who] = true
		d.couriers.Go(func() {
			d.courier(ctx, due[who])
			d.mu.Lock()
			delete(d.busy, who)
			d.mu.Unlock()
			select {
			case d.poke <- struct{}{}:
			default:
			}
		})
	}
	return next, nil
}

// eachParcel hands what is in an outbox to do, with the bytes it is kept as:
// a claim checks against these.
func (s *Service) eachParcel(ctx context.Context, app string, do func(p parcel)) error {
	q := store.Query{Prefix: books.Prefix(app, "outbox"), Limit: 1000}
	for {
		entries, err := s.st.Range(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range entries {
			p := parcel{raw: e.Value}
			if err := books.Decode(e.Value, &p); err != nil {
				return fmt.Errorf("%s: %w", e.Key, err)
			}
			do(p)
		}
		if len(entries) < q.Limit {
			return nil
		}
		q.After = entries[len(entries)-1].Key
	}
}

// courier sends one person's due notices of one channel, oldest first.
func (d *drain) courier(ctx context.Context, parcels []parcel) {
	slots := d.s.slots[parcels[0].Notice.Channel]
	for _, p := range parcels {
		if slots != nil {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
		err := d.s.deliver(ctx, p)
		if slots != nil {
			<-slots
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			d.s.conf.Log.Error("a notice could not be taken from the outbox", "application", d.app, "notice", p.Notice.ID, "error", err)
			pause(ctx, time.Second) // the store is in trouble; no hot loop
		}
	}
}

// deliver claims one parcel, sends it and writes down what became of it. The
// error is the store's; what the channel says goes into the parcel.
func (s *Service) deliver(ctx context.Context, p parcel) error {
	now := s.conf.Clock()
	p.LeaseBy, p.LeaseUntil = s.conf.Instance, now.Add(leaseFor)
	claim := p.write()
	err := s.st.Apply(ctx, store.Batch{Checks: []store.Check{{Key: claim.Key, Value: p.raw}}, Writes: []store.Write{claim}})
	if errors.Is(err, store.ErrConflict) {
		return nil // another instance has it, or it was dropped
	}
	if err != nil {
		return fmt.Errorf("claiming a notice: %w", err)
	}
	n, ok, err := s.complete(ctx, p)
	if err != nil {
		return err
	}
	if !ok {
		return ignoreConflict(s.st.Apply(ctx, store.Batch{Writes: []store.Write{{Key: claim.Key}}}))
	}
	sendErr := s.send(ctx, n)
	if sendErr != nil && ctx.Err() != nil {
		sendErr = errStopped
	}
	// What was sent is written down even when ctx ended in between, or it
	// would go out twice for no need.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return s.settle(end, p, claim.Value, sendErr)
}

// complete puts in what is not stored in the outbox: the request as it is
// now, and the link. False says that the notice has lost its point.
func (s *Service) complete(ctx context.Context, p parcel) (Notice, bool, error) {
	n := p.Notice
	if len(p.Link) > 0 {
		plain, err := s.conf.Ring().Open(nil, p.Link, "notice-link", n.ID)
		if err != nil {
			return n, false, nil // its key is gone, and with it the link's worth
		}
		n.Link = string(plain)
	}
	if p.AskID == "" {
		if n.Kind == NoticeDigest {
			return s.completeDigest(ctx, p)
		}
		return n, true, nil
	}
	ask, err := s.Get(ctx, n.Application, p.AskID)
	if errors.Is(err, ErrNotFound) {
		return n, false, nil
	}
	if err != nil {
		return n, false, err
	}
	switch n.Kind {
	case NoticeOpened, NoticeCode:
		if ask.State != Waiting {
			return n, false, nil
		}
		orLength(&n.Life, s.conf.Limits.Code) // written before its life was written with it
		if len(p.Code) > 0 {
			plain, err := s.conf.Ring().Open(nil, p.Code, "notice-code", n.ID)
			if err != nil {
				return n, false, nil
			}
			n.Code = string(plain)
		}
		if n.Link, err = s.linkFor(ctx, ask, n); err != nil {
			return n, false, err
		}
	case NoticeDecided:
		if n.Link, err = s.linkFor(ctx, ask, n); err != nil { // its page says who decided
			return n, false, err
		}
	case NoticeOutcome:
		if ask.State == Approved {
			n.Link = s.conf.Application(n.Application).Address
		}
	case NoticeDigest, NoticeSignIn, NoticeTest:
	}
	n.Ask = WithoutSecrets(ask)
	return n, true, nil
}

// linkFor is the link that a notice bears about a waiting request: its own
// page for a person, the console for a room, a short one where letters cost.
func (s *Service) linkFor(ctx context.Context, ask AccessRequest, n Notice) (string, error) {
	if n.To.room() != "" {
		return s.conf.Console, nil
	}
	long := s.Link(ask, n.To.Email, n.Channel)
	if n.Kind == NoticeCode && !n.To.Admin {
		long = s.selfLink(ask, n.Channel)
	}
	if n.Channel != channelSMS {
		return long, nil
	}
	return s.shorten(ctx, long)
}

// WithoutSecrets is a request as anybody but the waiting person may see it.
// LoginID stays: it is no secret, and tells that a password was right.
func WithoutSecrets(ask AccessRequest) AccessRequest {
	ask.Number, ask.Logins = "", nil
	return ask
}

// send hands a notice to its channel. A channel that panics has failed.
func (s *Service) send(ctx context.Context, n Notice) (err error) {
	channel, ok := s.channels[n.Channel]
	if !ok {
		return fmt.Errorf("no channel %q is configured", n.Channel)
	}
	if n.To.Language == "" && len(s.conf.Languages) > 0 {
		n.To.Language = s.conf.Languages[0] // whose language nobody wrote down
	}
	// What is on the wire when the process stops gets some seconds to arrive.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		pause(sending, stopGrace)
		cancel()
	})
	defer stop()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("channel %s panicked: %v", n.Channel, p)
		}
	}()
	return channel.Notify(sending, n)
}

// settle writes down what became of a claimed parcel.
func (s *Service) settle(ctx context.Context, p parcel, claimed []byte, sendErr error) error {
	now := s.conf.Clock()
	p.Tries++
	p.LeaseBy, p.LeaseUntil = "", time.Time{}
	batch := store.Batch{Checks: []store.Check{{Key: p.key(), Value: claimed}}}
	if errors.Is(sendErr, errStopped) {
		p.Tries-- // the channel is not to blame
		batch.Writes = []store.Write{p.write()}
		return ignoreConflict(s.st.Apply(ctx, batch))
	}
	done := Delivery{Notice: p.Notice, AskID: p.AskID, State: DeliverySent, At: now, Tries: p.Tries}
	again := now.Add(backoff(p.Tries))
	instead := "" // why another channel has to help
	s.ailed(ctx, p.Notice.Channel, now, sendErr)
	var later *LaterError
	if errors.As(sendErr, &later) && later.After > 0 {
		again = now.Add(min(later.After, lastBackoff) + randomBelow(firstBackoff))
	}
	life := p.Notice.Life
	orLength(&life, s.conf.Limits.Code)
	overdue := p.Notice.Kind == NoticeCode && !again.Before(p.Notice.Created.Add(life)) // nobody wants a dead code
	switch {
	case sendErr == nil:
		s.conf.Counted(p.Notice.Channel, p.Notice.Kind, "sent")
		batch.Writes = []store.Write{{Key: p.key()}, {Key: doneKey(p.Notice), Value: books.Encode(done), TTL: sentKept}}
	case IsPermanent(sendErr) || overdue || now.Sub(p.Notice.Created) >= giveUpAfter:
		s.conf.Counted(p.Notice.Channel, p.Notice.Kind, "failed")
		done.State, done.Error = DeliveryFailed, CleanText(sendErr.Error(), 300)
		batch.Writes = append(s.givenUp(done, now), store.Write{Key: p.key()})
		instead = done.Error
	default:
		s.conf.Counted(p.Notice.Channel, p.Notice.Kind, "again")
		p.LastError = CleanText(sendErr.Error(), 300)
		p.Due = again
		if !p.Helped && (p.Tries >= helpAfter || again.Sub(now) > time.Minute) {
			// It goes on trying; meanwhile another way is used.
			p.Helped, instead = true, p.LastError
		}
		s.conf.Log.Warn("a notice could not be sent; it is tried again", "application", p.Notice.Application,
			"notice", p.Notice.ID, "channel", p.Notice.Channel, "tries", p.Tries, "again", p.Due, "error", p.LastError)
		batch.Writes = append(batch.Writes, p.write())
	}
	var err error
	if instead == "" {
		err = s.st.Apply(ctx, batch)
	} else {
		err = s.help(ctx, batch, p, instead, now)
	}
	if err != nil && !errors.Is(err, store.ErrConflict) { // a conflict: dropped meanwhile, or our lease ran out
		return fmt.Errorf("writing down a notice: %w", err)
	}
	return nil
}

func ignoreConflict(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

// backoff doubles from five seconds to an hour, give or take a quarter, so
// that what failed together does not come back together.
func backoff(tries int) time.Duration {
	d := lastBackoff
	if tries < 12 {
		d = min(firstBackoff<<(tries-1), lastBackoff)
	}
	return d*3/4 + randomBelow(d/2)
}
