package biopass

// Near-copies. A replay, even shaken by some milliseconds or shifted by a
// key, repeats the stored order of holds and steps; a hand does not. The
// measure is how many places agree at the best alignment beyond how many
// agree at the others, so that coarse clocks and very even typists, on whom
// chance agrees often, are not accused.
const (
	copySlack = 10  // ms two timings may differ and still agree
	copyShift = 4   // keys two rhythms may be shifted
	copyLimit = 0.5 // of the places that chance leaves
)

func nearCopy(prints []*Print, probe *Print) bool {
	for _, q := range prints {
		if likeness(q.rhythm, probe.rhythm) >= copyLimit {
			return true
		}
	}
	return false
}

// likeness is 0 for what chance gives and 1 for a full copy.
func likeness(a, b []step) float64 {
	best, sum, n := 0.0, 0.0, 0
	for shift := -2 * copyShift; shift <= 2*copyShift; shift++ {
		v, ok := agreement(a, b, shift)
		if !ok {
			continue
		}
		if shift >= -copyShift && shift <= copyShift && v > best {
			best = v
		}
		sum += v
		n++
	}
	if n < 2 {
		return 0
	}
	chance := (sum - best) / float64(n-1)
	if chance >= 1 {
		return 0
	}
	return (best - chance) / (1 - chance)
}

func agreement(a, b []step, shift int) (float64, bool) {
	same, n := 0, 0
	for i := 1; i < len(a); i++ {
		j := i + shift
		if j < 1 || j >= len(b) {
			continue
		}
		n++
		if near(a[i].hold, b[j].hold) && near(a[i].since, b[j].since) {
			same++
		}
	}
	return float64(same) / float64(max(n, 1)), n >= MinKeys-1
}

func near(a, b uint16) bool {
	d := int(a) - int(b)
	return d <= copySlack && d >= -copySlack
}
