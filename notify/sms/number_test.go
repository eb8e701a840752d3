package sms

import (
	"strings"
	"testing"
)

func TestNumbersAreWrittenInE164(t *testing.T) {
	for text, want := range map[string]string{
		"+1 514 555-0100":       "+15145550100",
		" +1 (514) 555.0100 ":   "+15145550100",
		"+33 6 12 34 56 78":     "+33612345678",
		"+44 (0)20 7946 0958":   "+442079460958",
		"+39 06 1234 5678":      "+390612345678",
		"+225 01 23 45 67 89":   "+2250123456789",
		"+33\u00a06 12 34 5678": "+33612345678",
	} {
		if got, err := Number(text); err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestWhatIsNoNumberIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "514 555 0100", "+", "+0", "+999 123 456 789", "+1 514 555 01000", "+33 6 12 34 56 7", "+15145550100;ext=3", "+1 514 555 0100 x3",
		"+\xff", "+" + strings.Repeat("1", 50), "+4402079460958123456", "+1 call me",
	} {
		if got, err := Number(text); err == nil {
			t.Errorf("%q: %q", text, got)
		}
	}
}
