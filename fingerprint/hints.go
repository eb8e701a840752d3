package fingerprint

import (
	"strings"

	"github.com/cadenas-gateway/cadenas/access"
)

// brandOf returns the family that a Sec-CH-UA header names, and whether it
// names any. Brands come in any order, with an invented one among them that
// is there to be ignored.
func brandOf(list string) (family string, ok bool) {
	google, open := false, false
	for rest := list; ; {
		_, after, found := strings.Cut(rest, `"`)
		if !found {
			break
		}
		brand, after, found := strings.Cut(after, `"`)
		if !found {
			break
		}
		// A version follows, quoted too: skip it.
		if _, version, isVersion := strings.Cut(after, `v="`); isVersion && strings.HasPrefix(strings.TrimLeft(after, "; "), `v="`) {
			_, after, _ = strings.Cut(version, `"`)
		}
		rest = after
		switch {
		case invented(brand):
		case brand == "Google Chrome":
			google = true
		case brand == "Chromium":
			open = true
		case brand == "Android WebView", brand == "Microsoft Edge WebView2":
			return webView, true
		case brand == "Microsoft Edge":
			return edge, true
		case brand == "HeadlessChrome":
			return headlessChrome, true
		case family == "":
			family = clean(brand, maxRemembered)
		}
	}
	switch {
	case family != "":
		return family, true
	case google:
		return chrome, true
	case open:
		return chromium, true
	}
	return "", false
}

// invented reports whether a brand is the one that browsers make up ("Not
// A;Brand", "Not?A_Brand"), so that nobody relies on the list.
func invented(brand string) bool {
	letters := strings.Map(func(r rune) rune {
		if (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') {
			return r
		}
		return -1
	}, brand)
	return strings.EqualFold(letters, "NotABrand") || strings.EqualFold(letters, "NotBrand") || letters == ""
}

// hinted returns a as its client hints complete it. Hints never contradict
// the user agent, they only say more: which Chromium it is, and that a
// "Linux computer" is an Android tablet that asks for desktop pages.
func (k key) hinted(a Agent) Agent {
	base := a
	if a.Program {
		return a
	}
	if family, ok := brandOf(k.brands); ok {
		a.hinted = true
		if a.Browser.Family == chrome {
			a.Browser.Family = family
		}
	} else if k.via != "" && a.Browser.Platform == android && a.Browser.Family == chrome {
		a.hinted, a.Browser.Family = true, webView
	}
	if a.hinted && strings.Trim(k.platform, `"`) == android && a.Browser.Platform == linux {
		a.Browser.Platform, a.Kind = android, access.Tablet
		if k.mobile == "?1" {
			a.Kind = access.Phone
		}
	}
	if a.Browser.Platform == android && k.model != "" && tabletModel(k.model+" ") {
		a.Kind = access.Tablet
	}
	if a.Browser.Family != base.Browser.Family {
		a.told.Family = a.Browser.Family
	}
	if a.Browser.Platform != base.Browser.Platform {
		a.told.Platform = a.Browser.Platform
	}
	if a.Kind != base.Kind {
		a.told.Kind = a.Kind
	}
	a.Label = label(a.Browser.Platform, a.Kind, a.Program)
	return a
}

// packageName reports whether an X-Requested-With header is the name of the
// Android app around a web view, not the old sign of a script's call.
func packageName(s string) bool {
	if len(s) > 100 || !strings.Contains(s, ".") {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.', c == '_', c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		default:
			return false
		}
	}
	return true
}
