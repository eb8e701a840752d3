package lang

import (
	"fmt"
	"strings"
	"time"
)

// local is t in the catalogue's zone, the server's when none was given.
func (c *Catalogue) local(t time.Time) time.Time {
	if c.zone != nil {
		return t.In(c.zone)
	}
	return t.Local()
}

// Zone says the zone that times are said in, as it is at a moment: "UTC",
// "UTC−05:00", and how many minutes it is ahead of UTC.
func (c *Catalogue) Zone(at time.Time) (string, int) {
	_, seconds := c.local(at).Zone()
	minutes := seconds / 60
	if minutes == 0 {
		return "UTC", 0
	}
	sign, size := "+", minutes
	if minutes < 0 {
		sign, size = "\u2212", -minutes
	}
	return fmt.Sprintf("UTC%s%02d:%02d", sign, size/60, size%60), minutes
}

// Time says a time of day: "2:32 pm", "14 h 32", "8 h". Spaces do not break.
func (c *Catalogue) Time(t time.Time) string {
	t = c.local(t)
	if c.tag == "fr" {
		if t.Minute() == 0 {
			return fmt.Sprintf("%d\u00a0h", t.Hour())
		}
		return fmt.Sprintf("%d\u00a0h\u00a0%02d", t.Hour(), t.Minute())
	}
	return t.Format("3:04\u00a0pm")
}

// Date says a day: "3 November 2026", "3 novembre 2026", "1er mai 2026".
func (c *Catalogue) Date(t time.Time) string {
	return fmt.Sprintf("%s\u00a0%d", c.day(t), c.local(t).Year())
}

// day is a date without its year.
func (c *Catalogue) day(t time.Time) string {
	t = c.local(t)
	number := fmt.Sprint(t.Day())
	if c.tag == "fr" && t.Day() == 1 {
		number = "1er"
	}
	return number + NBSP + c.Text("month."+fmt.Sprint(int(t.Month())))
}

// DateTime says both: "3 November 2026, 2:32 pm", "3 novembre 2026 à 14 h 32".
func (c *Catalogue) DateTime(t time.Time) string {
	return c.Text("time.date_time", "date", c.Date(t), "time", c.Time(t))
}

// When says a moment as near to now as it is: "today at 2:32 pm", "yesterday at
// 8 am", "3 November at 2:32 pm", with the year when it is another.
func (c *Catalogue) When(t, now time.Time) string {
	day, today := c.local(t), c.local(now)
	switch daysApart(day, today) {
	case 0:
		return c.Text("time.today", "time", c.Time(t))
	case 1:
		return c.Text("time.yesterday", "time", c.Time(t))
	case -1:
		return c.Text("time.tomorrow", "time", c.Time(t))
	}
	date := c.day(t)
	if day.Year() != today.Year() {
		date = c.Date(t)
	}
	return c.Text("time.on_day", "date", date, "time", c.Time(t))
}

// Until says an end as near to now as it is: "until 2:32 pm", "until midnight
// tonight", "until 3 November, that day included", "jusqu’au 3 novembre à
// 14 h 32". Midnight counts as the close of the day before; the zero time is
// no end.
func (c *Catalogue) Until(t, now time.Time) string {
	if t.IsZero() {
		return c.Text("time.until.none")
	}
	at, today := c.local(t), c.local(now)
	midnight := at.Hour() == 0 && at.Minute() == 0
	if midnight {
		at = at.Add(-time.Minute)
	}
	date := c.day(at)
	if at.Year() != today.Year() {
		date = c.Date(at)
	}
	switch apart := daysApart(at, today); {
	case midnight && apart == 0:
		return c.Text("time.until.tonight")
	case midnight:
		return c.Text("time.until.day", "date", date)
	case apart == 0:
		return c.Text("time.until.today", "time", c.Time(at))
	case apart == -1:
		return c.Text("time.until.tomorrow", "time", c.Time(at))
	}
	return c.Text("time.until.moment", "date", date, "time", c.Time(at))
}

// daysApart counts the calendar days from t to now, both in one zone. Noon to
// noon, so that a day of 23 or 25 hours counts as one.
func daysApart(t, now time.Time) int {
	noon := func(t time.Time) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, time.UTC)
	}
	return int(noon(now).Sub(noon(t)) / (24 * time.Hour))
}

// Ago says how long ago: "just now", "2 min ago", "il y a 3 jours". A negative
// duration, as clocks that differ give, is "just now".
func (c *Catalogue) Ago(d time.Duration) string {
	if d < 10*time.Second {
		return c.Text("time.just_now")
	}
	return c.Text("time.ago", "duration", c.rough(d))
}

// rough is a duration in its largest unit.
func (c *Catalogue) rough(d time.Duration) string {
	switch {
	case d < time.Minute:
		return c.Text("time.seconds", "count", int(d/time.Second))
	case d < time.Hour:
		return c.Text("time.minutes", "count", int(d/time.Minute))
	case d < 48*time.Hour:
		return c.Text("time.hours", "count", int(d/time.Hour))
	}
	return c.Text("time.days", "count", int(d/(24*time.Hour)))
}

// Span says a set length of time in words, in the largest unit that says all
// of it: "10 minutes", "24 hours", "7 days", "90 minutes". A day has to be more
// than one: people say 24 hours. What is no whole minute is said as Duration
// does.
func (c *Catalogue) Span(d time.Duration) string {
	for _, u := range []struct {
		key   string
		unit  time.Duration
		least time.Duration
	}{{"time.span.days", 24 * time.Hour, 2}, {"time.span.hours", time.Hour, 1}, {"time.span.minutes", time.Minute, 1}} {
		if d%u.unit == 0 && d/u.unit >= u.least {
			return c.Text(u.key, "count", int(d/u.unit))
		}
	}
	return c.Duration(d)
}

// Duration says a length of time in its two largest units: "1 min 12 s",
// "2 h 5 min", "3 days". Under a second it is "0 s".
func (c *Catalogue) Duration(d time.Duration) string {
	if d < 0 {
		d = 0
	}
	day := 24 * time.Hour
	var parts []string
	add := func(key string, n time.Duration) {
		if n > 0 {
			parts = append(parts, c.Text(key, "count", int(n)))
		}
	}
	switch {
	case d >= day:
		add("time.days", d/day)
		add("time.hours", d%day/time.Hour)
	case d >= time.Hour:
		add("time.hours", d/time.Hour)
		add("time.minutes", d%time.Hour/time.Minute)
	default:
		add("time.minutes", d/time.Minute)
		add("time.seconds", d%time.Minute/time.Second)
	}
	if len(parts) == 0 {
		return c.Text("time.seconds", "count", 0)
	}
	return strings.Join(parts, NBSP)
}
