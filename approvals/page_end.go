package approvals

import (
	"errors"
	"time"
)

// End is how long an approval lasts, as the form offers it.
type End string

// The ends of the form.
const (
	EndTonight End = "tonight"
	EndWeek    End = "week"
	EndNone    End = "none"
	EndDate    End = "date"
)

// ErrEnd says that an end is not one of ours, or its date is no date.
var ErrEnd = errors.New("no such end")

// dayForm is how an input of type date writes a day.
const dayForm = "2006-01-02"

// Time is when the end comes, counted from now in now's zone: tonight is the
// coming midnight, a week seven times 24 hours, a date the midnight that closes
// the day until ("2026-11-30"). EndNone is the zero time.
func (e End) Time(until string, now time.Time) (time.Time, error) {
	switch e {
	case EndTonight:
		return midnightAfter(now), nil
	case EndWeek:
		return now.Add(7 * 24 * time.Hour), nil
	case EndNone:
		return time.Time{}, nil
	case EndDate:
		day, err := time.ParseInLocation(dayForm, until, now.Location())
		if err != nil {
			return time.Time{}, ErrEnd
		}
		end := midnightAfter(day)
		if !end.After(now) {
			return time.Time{}, ErrUntil
		}
		return end, nil
	}
	return time.Time{}, ErrEnd
}

// midnightAfter is the end of t's day.
func midnightAfter(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, t.Location())
}

// endFor is what the form offers first where an application's approvals end by
// default.
func endFor(grant time.Duration, now time.Time) (end End, until string) {
	switch {
	case grant <= 0:
		return EndNone, ""
	case grant == 7*24*time.Hour:
		return EndWeek, ""
	case grant <= 24*time.Hour:
		return EndTonight, ""
	}
	return EndDate, now.Add(grant).Format(dayForm)
}
