package fingerprint

import "time"

const (
	// wholeASecond is how many unusual user agents are read whole in a
	// second. Each costs 1.6 to 4.5 ms of a processor, and anybody can send a
	// million of them (threat L22): a quarter of one processor at the most.
	wholeASecond = 60
	// wholeAtOnce is how many may be after a quiet time.
	wholeAtOnce = 100
)

// budget counts what may still be read whole. Who holds the turn to parse has
// it alone.
type budget struct {
	left float64
	last time.Time
}

// take takes one, if there is one at now.
func (b *budget) take(now time.Time) bool {
	if b.last.IsZero() {
		b.left = wholeAtOnce
	} else {
		b.left = min(wholeAtOnce, b.left+now.Sub(b.last).Seconds()*wholeASecond)
	}
	b.last = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
