package fingerprint

import (
	"strings"

	"github.com/cadenas-gateway/cadenas/access"
)

// platformOf reads platform and kind out of a user agent. system is its first
// parenthesis, where browsers say what they run on.
func platformOf(ua, system string) (string, access.Kind) {
	has := func(s string) bool { return strings.Contains(system, s) }
	switch {
	case has("iPhone"), has("iPod"):
		return ios, access.Phone
	case has("iPad"):
		return ios, access.Tablet
	case has("Windows Phone"), has("IEMobile"):
		return "Windows Phone", access.Phone
	case has("PlayStation"), has("Xbox"), has("Nintendo"):
		return gameConsole, access.Other
	case has("SMART-TV"), has("SmartTV"), has("Web0S"), has("Android TV"), has("BRAVIA"), has("; AFT"),
		has("Apple TV"), has("HbbTV"), has("CrKey"), strings.Contains(ua, "CrKey/"), strings.Contains(ua, "GoogleTV"):
		return television, access.Other
	case has("KAIOS"), strings.Contains(ua, "KAIOS/"):
		return kaiOS, access.Phone
	case has("OpenHarmony"), has("HarmonyOS"):
		switch {
		case has("Tablet;"), has("Tablet "):
			return harmonyOS, access.Tablet
		case has("PC;"), has("2in1"):
			return harmonyOS, access.Computer
		}
		return harmonyOS, access.Phone
	case has("Tizen"):
		return "Tizen", access.Phone
	case has("; Quest"):
		return android, access.Other // worn on the head
	case has("Android"), has("Adr "):
		return androidOf(ua, system)
	case has("CrOS"):
		return chromeOS, access.Computer
	case has("Windows"):
		return windows, access.Computer
	case has("Macintosh"), has("Mac OS X"):
		return macOS, access.Computer
	case fireModel(system), strings.Contains(ua, "Silk-Accelerated"):
		return fireOS, access.Tablet
	case has("Linux"), has("X11"):
		if has("BSD") {
			return bsd, access.Computer
		}
		return linux, access.Computer
	}
	return other, access.Other
}

// androidOf tells phones from tablets: Chrome's user agents have "Mobile" on
// phones only, Firefox says which, and some makers' tablets are known by
// their model, because their own browsers say "Mobile" on them too.
func androidOf(ua, system string) (string, access.Kind) {
	platform := android
	if fireModel(system) {
		return fireOS, access.Tablet
	}
	switch {
	case tabletModel(system), strings.Contains(system, "Tablet"):
		return platform, access.Tablet
	case strings.Contains(ua, "Mobile"), strings.Contains(ua, "Opera Mini/"):
		return platform, access.Phone
	}
	return platform, access.Tablet
}

// fireModel reports whether a Kindle Fire's model (KFTT to KFTRWI and on) is
// in the text.
func fireModel(s string) bool {
	for rest := s; ; {
		i := strings.Index(rest, "KF")
		if i < 0 {
			return strings.Contains(s, "Kindle")
		}
		before := i == 0 || rest[i-1] == ' ' || rest[i-1] == ';'
		n := 2
		for i+n < len(rest) && rest[i+n] >= 'A' && rest[i+n] <= 'Z' {
			n++
		}
		if before && n >= 4 && n <= 8 {
			return true
		}
		rest = rest[i+2:]
	}
}

// tabletModel knows models that are tablets: Samsung's (SM-T, SM-X, SM-P),
// and whatever has Tab or Pad in its name.
func tabletModel(s string) bool {
	for _, mark := range []string{
		"SM-T", "SM-X", "SM-P", "GT-P", "Nexus 7", "Nexus 9", "Nexus 10", "Pixel Tablet", "Pixel C", "Lenovo TB", "Lenovo YT",
		" Tab ", "Tab;", "Tab)", "MediaPad", "MatePad", "Xiaomi Pad", "Redmi Pad", "OnePlus Pad", "Galaxy Tab",
	} {
		if strings.Contains(s, mark) {
			return true
		}
	}
	return false
}
