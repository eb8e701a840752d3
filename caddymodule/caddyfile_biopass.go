package caddymodule

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/biopass"
)

// unmarshalBiopass reads the global block's part:
//
//	biopass {
//		words 4|5|6
//		attempts <number>
//		after_failures approval|lock
//		level convenient|balanced|strict [tablet|computer|other...]
//		trial
//		retain <duration>
//		model <file>
//	}
func (a *App) unmarshalBiopass(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.Errf("biopass takes no word %q here: open a block, `biopass {`; a site says `biopass optional`", d.Val())
	}
	b := new(Biopass)
	once := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		// A level stands once for all devices, and once more for each kind.
		if once[word] && word != "level" {
			return d.Errf("%s stands twice in biopass: keep one", word)
		}
		once[word] = true
		if err := b.unmarshalWord(d, word); err != nil {
			return err
		}
	}
	a.Biopass = b
	return nil
}

func (b *Biopass) unmarshalWord(d *caddyfile.Dispenser, word string) error {
	switch word {
	case "words":
		return number(d, &b.Words, 4, 6)
	case "attempts":
		return number(d, &b.Attempts, 3, 20)
	case "after_failures":
		return oneOf(d, &b.AfterFailures, "approval", "lock")
	case "level":
		return b.unmarshalLevel(d)
	case "trial":
		b.Trial = true
		return noArgs(d)
	case "retain":
		return duration(d, &b.Retain)
	case "model":
		return oneArg(d, &b.Model)
	}
	return d.Errf("biopass does not know %q: write one of words, attempts, after_failures, level, trial, retain, model", word)
}

// unmarshalLevel reads `level balanced`, for all devices, and `level strict
// tablet other`, for kinds of them.
func (b *Biopass) unmarshalLevel(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || !slices.Contains(biopass.Levels, args[0]) {
		return d.Errf("level takes convenient or balanced or strict, and kinds of devices if it is for these only: `level strict tablet`, not %q", strings.Join(args, " "))
	}
	if len(args) == 1 {
		if b.Level != "" {
			return d.Errf("level stands twice in biopass for all devices: keep one, or name a kind: `level %s tablet`", args[0])
		}
		b.Level = args[0]
		return nil
	}
	for _, kind := range args[1:] {
		k := access.Kind(kind)
		if k == access.Phone || !slices.Contains(access.Kinds, k) {
			return d.Errf("level %s takes no kind %q: write tablet, computer or other; on a phone nobody types, an approval takes its place", args[0], kind)
		}
		if b.Levels[k] != "" {
			return d.Errf("level stands twice in biopass for %s: keep one", kind)
		}
		if b.Levels == nil {
			b.Levels = map[access.Kind]string{}
		}
		b.Levels[k] = args[0]
	}
	return nil
}

// unmarshalBiopass reads `biopass always|required|optional|off [<day>]
// [every <duration>] [passkey]`.
func (h *Handler) unmarshalBiopass(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	last := len(args) - 1
	key := last > 0 && args[last] == "passkey"
	if key {
		args = args[:last]
	}
	var every caddy.Duration
	if i := len(args) - 2; i > 0 && args[i] == "every" {
		v, err := caddy.ParseDuration(args[i+1])
		if err != nil || v < biopass.LeastEvery || v > biopass.MostEvery {
			return d.Errf("biopass %s every takes a duration from 15m to 30d: write `biopass always every 12h`, not %q", args[0], args[i+1])
		}
		if args[0] != "always" {
			return d.Errf("biopass %s takes no `every`: it is for `biopass always`", args[0])
		}
		every, args = caddy.Duration(v), args[:i]
	}
	if len(args) == 0 || len(args) > 2 {
		return d.Err("biopass takes always, required, optional or off, the last day on which enrolment may be put off, `every` with how long a match holds, and passkey: `biopass required 2027-01-31 passkey`, `biopass always every 12h`")
	}
	b := &SiteBiopass{Mode: args[0], Passkey: key, Every: every}
	if key && b.Mode == "off" {
		return d.Err("biopass off takes no passkey: with it off nobody confirms anything")
	}
	switch b.Mode {
	case "always", "required":
	case "optional", "off":
		if len(args) == 2 {
			return d.Errf("biopass %s takes no day: %q is too much", b.Mode, args[1])
		}
	default:
		return d.Errf("biopass does not know %q: write always, required, optional or off", b.Mode)
	}
	if len(args) == 2 {
		if _, err := time.Parse("2006-01-02", args[1]); err != nil {
			return d.Errf("biopass %s: %q is no day: write 2027-01-31", b.Mode, args[1])
		}
		b.SkipUntil = args[1]
	}
	h.Biopass, h.biopassAt = b, *d
	return nil
}

func number(d *caddyfile.Dispenser, into *int, least, most int) error {
	word := d.Val()
	var text string
	if err := oneArg(d, &text); err != nil {
		return err
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < least || n > most {
		return d.Errf("%s takes a number from %d to %d, not %q", word, least, most, text)
	}
	*into = n
	return nil
}
