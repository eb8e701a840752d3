package sms

import (
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// The table must say what the library says from which it was made.
func TestNumbersOfAllCountriesAreWhatLibphonenumberSays(t *testing.T) {
	kinds := []phonenumbers.PhoneNumberType{phonenumbers.MOBILE, phonenumbers.FIXED_LINE, phonenumbers.VOIP}
	seen := 0
	for region := range phonenumbers.GetSupportedRegions() {
		for _, kind := range kinds {
			n := phonenumbers.GetExampleNumberForType(region, kind)
			if n == nil {
				continue
			}
			seen++
			want := phonenumbers.Format(n, phonenumbers.E164)
			international := phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
			for _, text := range []string{want, international, strings.ReplaceAll(international, " ", "-")} {
				if got, err := Number(text); got != want {
					t.Errorf("%s: %q is %q, %v; want %q", region, text, got, err, want)
				}
			}
			code, national, _ := strings.Cut(international, " ")
			if trunk := phonenumbers.GetNddPrefixForRegion(region, true); strings.HasPrefix(trunk, "0") {
				with := code + " (" + trunk + ")" + national
				if got, err := Number(with); got != want {
					t.Errorf("%s: %q is %q, %v; want %q", region, with, got, err, want)
				}
			}
		}
	}
	if seen < 400 {
		t.Errorf("only %d examples", seen)
	}
	for code := range phonenumbers.GetSupportedCallingCodes() {
		for _, digits := range []string{"", "1", "12", "123", "123456789012345678"} {
			if got, err := Number("+" + strings.TrimSpace(phonenumbers.Format(&phonenumbers.PhoneNumber{CountryCode: new(int32(code)), NationalNumber: new(uint64(0))}, phonenumbers.E164)) + digits); err == nil {
				t.Errorf("code %d: %q", code, got)
			}
		}
	}
}

func TestWhatIsNoNumberIsRefused(t *testing.T) {
	for _, text := range []string{
		"+", "+0", "+999 123 456 789", "+1 514 555 010", "+1 514 555 01000", "+33 6 12 34 56 7", "+15145550100;ext=3", "+1514555O100", "++15145550100",
		"+1 514\n555 0100", "+\xff15145550100", "+" + strings.Repeat("1", 50), "+4402079460958123456",
	} {
		if got, err := Number(text); err == nil {
			t.Errorf("%q: %q", text, got)
		}
	}
}
