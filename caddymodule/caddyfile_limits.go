package caddymodule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// midnight is what `pass` says for its default.
const midnight = "midnight"

// unmarshalLimits reads the global block's part:
//
//	limits {
//		number_tries <1 to 5>
//		mail_link|code|held|refused|login_idle|console_idle|console_life <duration>
//		code_tries <2 to 10>
//		pass midnight|<duration>
//	}
func (a *App) unmarshalLimits(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.Errf("limits takes no word %q here: open a block, `limits {`", d.Val())
	}
	a.Limits = new(Limits)
	once := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		i := slices.IndexFunc(limitTable, func(l limit) bool { return l.word == word })
		switch {
		case word == "requests":
			return d.Err("how long a request waits stands beside limits, not in it: `requests expire 60d`")
		case i < 0:
			return d.Errf("limits does not know %q: write one of %s", word, strings.Join(limitWords(), ", "))
		case once[word]:
			return d.Errf("%s stands twice in limits: keep one", word)
		}
		once[word] = true
		var text string
		if err := oneArg(d, &text); err != nil {
			return err
		}
		if err := limitTable[i].read(a.Limits, text); err != nil {
			return d.Err(err.Error())
		}
	}
	if err := a.Limits.agree(); err != nil {
		return d.Err(err.Error())
	}
	return nil
}

func limitWords() []string {
	var words []string
	for _, l := range limitTable {
		words = append(words, l.word)
	}
	return words
}

// read takes what was written for a limit.
func (l limit) read(into *Limits, text string) error {
	if l.times != nil {
		n, err := strconv.Atoi(text)
		if err != nil {
			return l.outside(text)
		}
		*l.times(into) = n
		return l.checkTimes(n)
	}
	if text == midnight && l.usual == "" {
		*l.life(into) = 0
		return nil
	}
	d, err := caddy.ParseDuration(text)
	if err != nil {
		return l.outside(text)
	}
	if l.checkLife(d) != nil {
		return l.outside(text) // as it was written
	}
	*l.life(into) = caddy.Duration(d)
	return nil
}

func (l limit) checkTimes(n int) error {
	if n < l.fewest || n > l.top {
		return l.outside(strconv.Itoa(n))
	}
	return nil
}

func (l limit) checkLife(d time.Duration) error {
	if d < length(l.least) || d > length(l.most) {
		return l.outside(short(d))
	}
	return nil
}

// outside says what a limit takes. Zero and "off" come here too: a limit that
// is switched off is none.
func (l limit) outside(text string) error {
	switch {
	case l.times != nil:
		return fmt.Errorf("%s takes a number from %d to %d, not %q: a limit cannot be switched off, leave the line out for %d", l.word, l.fewest, l.top, text, l.some)
	case l.usual == "":
		return fmt.Errorf("%s takes %s or a duration from %s to %s, not %q: a limit cannot be switched off", l.word, midnight, l.least, l.most, text)
	}
	return fmt.Errorf("%s takes a duration from %s to %s, not %q: a limit cannot be switched off, leave the line out for %s", l.word, l.least, l.most, text, l.usual)
}

// short says a duration as one types it: 7d, 90m, 24h.
func short(d time.Duration) string {
	for _, u := range []struct {
		name  string
		unit  time.Duration
		least time.Duration
	}{{"d", 24 * time.Hour, 2}, {"h", time.Hour, 1}, {"m", time.Minute, 1}} {
		if d%u.unit == 0 && d/u.unit >= u.least {
			return fmt.Sprint(int64(d/u.unit)) + u.name
		}
	}
	return d.String()
}
