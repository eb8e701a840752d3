package caddymodule

import (
	"context"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/fingerprint"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/places"
)

// familiar is a request of a known connection, with what it came to: the
// browser of somebody who is known sends the same cookies and headers again
// and again, and to read them anew each time is most of what the gate costs.
//
// It decides nothing. Each part holds what it was made of and is asked, at
// each request, whether it would say the same again: the keys, the login in
// memory, the device's generation, the geo files, the padlock and all that
// was written about the person. What does not say so at once is done anew.
// Only what was let in behind a closed padlock is kept, so that strangers
// push nobody out.
type familiar struct {
	site    *site
	made    time.Time
	print   *fingerprint.Kept
	cleaned *identity.Cleaned // nil where no login is watched
	user    string
	place   access.Place
	edition places.Edition
	given   gate.Given
	boxed   any // user, as Caddy's replacer takes it
}

const (
	// familiars is how many are kept, some 6 kB each at the most.
	familiars = 4096
	// familiarFor is how long one is good, at the most.
	familiarFor = time.Minute
)

// familiarity keeps familiar requests. Each has one place that it can be in;
// the last one there stays. It costs one look, and takes no lock.
type familiarity struct {
	seed  maphash.Seed
	slots [familiars]struct {
		seen atomic.Uint64
		kept atomic.Pointer[familiar]
	}
}

func newFamiliarity() *familiarity { return &familiarity{seed: maphash.MakeSeed()} }

// sum is what a request's place is found by. Two with the same sum are told
// apart by all that they hold.
func (f *familiarity) sum(s *site, shown *shown, cookie, client string) uint64 {
	if cookie != "" { // one browser's, as a rule
		return maphash.String(f.seed, cookie) ^ s.sum
	}
	return maphash.String(f.seed, shown.Agent)<<1 ^ maphash.String(f.seed, client) ^ s.sum
}

// onlyCookie is the one line of a Cookie header, "" for none; false where there
// are several.
func onlyCookie(lines []string) (string, bool) {
	switch len(lines) {
	case 0:
		return "", true
	case 1:
		return lines[0], true
	}
	return "", false
}

// look reads the fingerprint, or finds that of the same request before.
func (q *request) look(from hop, shown *shown) {
	at := fingerprint.Arrival{HTTPS: from.https(q.r, shown.proto), ClientIP: from.clientIP(q.r, shown.forwarded), Domain: q.handler.CookieDomain}
	cookie, one := onlyCookie(shown.cookies)
	if one {
		q.sum = q.run.familiar.sum(q.site, shown, cookie, at.ClientIP)
		k := q.run.familiar.slots[q.sum%familiars].kept.Load()
		if k != nil && k.site == q.site && q.now.Sub(k.made) < familiarFor && q.reader.Good(k.print, q.r, &shown.Shown, cookie, &at, q.now) {
			q.known, q.print = k, &k.print.Fingerprint
			return
		}
	}
	glance := q.reader.Glance(q.r, at, q.now)
	q.print = &glance
	if one && q.run.familiar.slots[q.sum%familiars].seen.Swap(q.sum) == q.sum {
		q.kept = q.reader.Keep(q.r, at, glance)
	}
}

// inFull tells the browser whole, once there is somebody behind it: what
// that costs is not for strangers (threat L22).
func (q *request) inFull() {
	if q.print.Coarse {
		q.reader.Complete(q.r, q.mine())
	}
}

// remember keeps a request that was let in, for the next one like it.
func (q *request) remember(p *access.Person, given gate.Given) {
	if q.kept == nil || q.mode != identity.Closed || q.kept.Fingerprint.Device.ID != q.print.Device.ID || len(p.Groups) > 0 ||
		len(q.run.app.sources) > 0 || (q.watcher != nil && q.cleaned == nil) || q.circumstance(p).Exempt || q.edition != q.run.app.places.Edition() {
		return
	}
	q.run.familiar.slots[q.sum%familiars].kept.Store(&familiar{
		site: q.site, made: q.now, print: q.kept, cleaned: q.cleaned, user: p.User, place: *q.place, edition: q.edition, given: given, boxed: p.User,
	})
}

// again is the gate's verdict on a familiar request, nil where it has to be
// asked.
func (q *request) again(p *access.Person) *access.Verdict {
	if k := q.known; k == nil || k.user != p.User || q.mode != identity.Closed || len(p.Groups) > 0 || q.circumstance(p).Exempt || q.print.Clone() {
		return nil
	}
	if q.print != &q.known.print.Fingerprint && (q.print.Device != q.known.print.Fingerprint.Device || q.print.Browser != q.known.print.Fingerprint.Browser) {
		return nil // the cookie that goes out with this answer made it another device
	}
	if q.place == &q.known.place || *q.place == q.known.place {
		if v := q.run.state.gate.Again(q.known.given, q.now); v != nil {
			return v
		}
	}
	q.kept, q.cleaned = q.known.print, q.known.cleaned // what is judged now is kept in its place
	return nil
}

// decided is check, of somebody who may be familiar.
func (q *request) decided(ctx context.Context, p *access.Person) (*access.Verdict, error) {
	if v := q.again(p); v != nil {
		return v, nil
	}
	v, given, err := q.judge(ctx, *p)
	if err != nil {
		return nil, err
	}
	if v.Answer == access.LetIn {
		q.remember(p, given)
	}
	return &v, nil
}
