package biopass

import (
	"testing"
	"time"
)

// X10: of a line begun on one instance and typed on another whose clock
// differs by a minute, the time is told by the store's.
func TestALineBegunOnOneInstanceEndsOnOneWhoseClockDiffers(t *testing.T) {
	s := newScene(t, always, Policy{}, Optional)
	flips := 0
	differs := func() time.Time {
		flips++
		if flips%2 == 0 {
			return s.now.Add(time.Minute)
		}
		return s.now.Add(-time.Minute / 2)
	}
	s.conf.Clock, s.lines.clock, s.book.clock = differs, differs, differs
	s.enrols(newTypist(1), julie(WhyEnrol, "l1"))
	if flips < 10 {
		t.Errorf("the clock was asked %d times only", flips)
	}
}
