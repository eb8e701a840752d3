package approvals

import "time"

// Limits are how long, and how often, what a request rests on is good. Zero
// fields take the defaults; none can be switched off, and which values make
// sense is for the configuration to say.
//
// They count as this process was told them, also for what others wrote. What
// was given an end when it was made (a request, a code that was sent, a pass)
// keeps that end.
type Limits struct {
	// Request is how long a request may wait: 60 days.
	Request time.Duration
	// NumberTries is how often a wrong number may be typed for one request:
	// 3. Then the way by link is closed and only the console decides.
	NumberTries int
	// MailLink is how long the link of a notice opens its page: 7 days.
	MailLink time.Duration
	// Code is how long a code of a second channel is good: 10 minutes.
	// CodeTries bounds the wrong ones of one person in an hour: 5.
	Code      time.Duration
	CodeTries int
	// Refused is how long a refused request is not asked again: 24 hours.
	Refused time.Duration
	// Pass is how long a pass code is good; 0 means until midnight.
	Pass time.Duration
}

func (l Limits) complete() Limits {
	orLength(&l.Request, 60*24*time.Hour)
	orDefault(&l.NumberTries, 3)
	orLength(&l.MailLink, 7*24*time.Hour)
	orLength(&l.Code, 10*time.Minute)
	orDefault(&l.CodeTries, 5)
	orLength(&l.Refused, 24*time.Hour)
	return l
}

// LinkOpen reports whether a request can still be decided from a link without
// a console session: too many wrong numbers close that way.
func (l Limits) LinkOpen(ask AccessRequest) bool {
	return ask.WrongNumbers < l.complete().NumberTries
}

// PassEnds is when a pass that is made now ends: at midnight, by the clock of
// the machine, unless another life was set.
func (l Limits) PassEnds(now time.Time) time.Time {
	if l.Pass > 0 {
		return now.Add(l.Pass)
	}
	return midnightAfter(now)
}

// Limits are those in force, complete.
func (s *Service) Limits() Limits { return s.conf.Limits }

func orLength(d *time.Duration, otherwise time.Duration) {
	if *d <= 0 {
		*d = otherwise
	}
}
