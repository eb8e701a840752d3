package approvals

import (
	"errors"
	"testing"
	"time"
)

func TestEnds(t *testing.T) {
	zone, err := time.LoadLocation("America/Toronto")
	if err != nil {
		t.Fatal(err)
	}
	// The night when clocks go back: the day has 25 hours.
	now := time.Date(2026, 11, 1, 0, 30, 0, 0, zone)
	day := func(d int) time.Time { return time.Date(2026, 11, d, 0, 0, 0, 0, zone) }
	for _, c := range []struct {
		name  string
		end   End
		until string
		want  time.Time
		err   error
	}{
		{"tonight is the coming midnight, also on a day of 25 hours", EndTonight, "", day(2), nil},
		{"a week is seven days to the hour", EndWeek, "", now.Add(168 * time.Hour), nil},
		{"no end is the zero time", EndNone, "2020-01-01", time.Time{}, nil},
		{"a date ends with its day", EndDate, "2026-11-08", day(9), nil},
		{"today is a date too", EndDate, "2026-11-01", day(2), nil},
		{"yesterday is past", EndDate, "2026-10-31", time.Time{}, ErrUntil},
		{"a date that is none", EndDate, "8 November", time.Time{}, ErrEnd},
		{"a day that no month has", EndDate, "2026-02-30", time.Time{}, ErrEnd},
		{"a word that is none of ours", End("forever"), "", time.Time{}, ErrEnd},
		{"nothing is not the same as no end", End(""), "", time.Time{}, ErrEnd},
	} {
		got, err := c.end.Time(c.until, now)
		if !errors.Is(err, c.err) || !got.Equal(c.want) {
			t.Errorf("%s: got %v, %v", c.name, got, err)
		}
	}
}

func TestAddressesThatLeadAwayAreNotFollowed(t *testing.T) {
	for _, bad := range []string{"//evil.example", `/\evil.example`, "javascript:alert(1)", "data:text/html,x", "evil.example", "", "https:", "\thttps://x", "ftp://x/"} {
		if got := local(bad, "/"); got != "/" {
			t.Errorf("%q gave %q", bad, got)
		}
	}
	for _, good := range []string{"/", "/a?b=c", "https://app.example.com/x"} {
		if got := local(good, "/"); got != good {
			t.Errorf("%q gave %q", good, got)
		}
	}
}
