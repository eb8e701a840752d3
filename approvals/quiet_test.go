package approvals

import (
	"testing"
	"time"
	_ "time/tzdata" // the zones, wherever this runs
)

// In Montreal the clock goes from 02:00 to 03:00 on 8 March 2026, and from
// 02:00 back to 01:00 on 1 November.
func TestQuietHoursHoldWhereTheClockIsTurned(t *testing.T) {
	montreal, err := time.LoadLocation("America/Montreal")
	if err != nil {
		t.Fatal(err)
	}
	utc := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, time.UTC)
	}
	for _, c := range []struct {
		name, from, to string
		due, want      time.Time
	}{
		{"a night of 23 hours ends when the clock says so", "22:00", "06:00", utc(3, 8, 5, 0), utc(3, 8, 10, 0)},
		{"a night of 25 hours ends when the clock says so", "22:00", "06:00", utc(11, 1, 5, 0), utc(11, 1, 11, 0)},
		{"an end that the clock leaves out comes an hour later", "22:00", "02:30", utc(3, 8, 6, 45), utc(3, 8, 7, 30)},
		{"an end that comes twice is the second", "22:00", "01:30", utc(11, 1, 5, 15), utc(11, 1, 6, 30)},
		{"between the two it is still quiet", "22:00", "01:30", utc(11, 1, 5, 45), utc(11, 1, 6, 30)},
		{"a beginning that comes twice is the first", "01:30", "05:00", utc(11, 1, 5, 45), utc(11, 1, 10, 0)},
		{"before the first it is not quiet", "01:30", "05:00", utc(11, 1, 5, 15), utc(11, 1, 5, 15)},
		{"the day after is a day like others", "22:00", "06:00", utc(11, 2, 4, 30), utc(11, 2, 11, 0)},
	} {
		if got := afterQuiet(c.due.In(montreal), c.from, c.to); !got.Equal(c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want.In(montreal))
		}
	}
}
