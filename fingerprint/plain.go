package fingerprint

import (
	"strings"

	"github.com/cadenas-gateway/cadenas/access"
)

// The plain rules know what nearly everybody uses, in a microsecond and for
// certain; only what they are not sure of costs the thousand patterns of
// uap-go. They come first so that the popular families do not change their
// names with that library's definitions.

// token is one product of a user agent: "Chrome/140.0.0.0".
type token struct{ name, version string }

// scan takes a user agent apart: its first parenthesis and its products.
func scan(ua string) (system string, tokens []token) {
	depth, start, first := 0, 0, true
	word := func(s string) {
		if s != "" && len(tokens) < 32 {
			name, version := s, ""
			if i := strings.LastIndexByte(s, '/'); i >= 0 {
				name, version = s[:i], s[i+1:]
			}
			tokens = append(tokens, token{name, version})
		}
	}
	for i := range len(ua) {
		switch c := ua[i]; {
		case c == '(':
			if depth++; depth == 1 {
				word(ua[start:i])
				start = i + 1
			}
		case c == ')' && depth > 0:
			if depth--; depth == 0 {
				if first {
					system, first = ua[start:i], false
				}
				start = i + 1
			}
		case c == ' ' && depth == 0:
			word(ua[start:i])
			start = i + 1
		}
	}
	if depth > 0 {
		if first {
			system = ua[start:] // cut off, or never closed
		}
	} else {
		word(ua[start:])
	}
	return system, tokens
}

// engines are products that name no browser by themselves.
var engines = map[string]bool{
	"Mozilla": true, "AppleWebKit": true, "Gecko": true, "Version": true, "Mobile": true, "Safari": true, "Chrome": true,
	"Firefox": true, "like": true, "Ubuntu": true, "Linux": true, "Debian": true, "Fedora": true,
}

// families are products that name a browser.
var families = map[string]string{
	"Edg": edge, "EdgA": edge, "EdgiOS": edge, "Edge": edge,
	"CriOS": chrome, "FxiOS": firefox, "Chromium": chromium, "HeadlessChrome": headlessChrome,
	"OPR": "Opera", "OPT": "Opera", "OPiOS": "Opera", "OPX": "Opera", "Opera": "Opera",
	"SamsungBrowser": samsungInternet, "YaBrowser": "Yandex Browser", "Vivaldi": "Vivaldi", "Brave": brave,
	"DuckDuckGo": "DuckDuckGo", "Ddg": "DuckDuckGo", "XiaoMi/MiuiBrowser": "Mi Browser", "MiuiBrowser": "Mi Browser", "HuaweiBrowser": "Huawei Browser",
	"HeyTapBrowser": "HeyTap Browser", "VivoBrowser": "Vivo Browser", "UCBrowser": "UC Browser", "Silk": "Silk",
	"Whale": "Whale", "Focus": "Firefox Focus", "Klar": "Firefox Focus", "QQBrowser": "QQ Browser", "MQQBrowser": "QQ Browser",
	"Ecosia": "Ecosia", "Puffin": "Puffin", "Epiphany": "GNOME Web", "Falkon": "Falkon", "Konqueror": "Konqueror",
	"SeaMonkey": "SeaMonkey", "PaleMoon": "Pale Moon", "Waterfox": "Waterfox", "LibreWolf": "LibreWolf",
	"OculusBrowser": "Meta Quest Browser", "ArcMobile2": "Arc", "Arc": "Arc", "AlohaBrowser": "Aloha",
}

// apps are marks of a program that shows pages in itself and is no browser:
// an app with its own window, or an app in which a link was opened.
var apps = []struct{ mark, family string }{
	{"Electron/", installedApp},
	{"Teams/", installedApp},
	{"TeamsMobile", installedApp},
	{"Slack/", installedApp},
	{"Slack_SSB/", installedApp},
	{"Notion/", installedApp},
	{"Cordova", installedApp},
	{"Capacitor", installedApp},
	{"ReactNative", installedApp},
	{"; wv)", webView},
	{"FBAN/", webView},
	{"FBAV/", webView},
	{"FB_IAB", webView},
	{"FBIOS", webView},
	{"Instagram ", webView},
	{"Threads/", webView},
	{"Barcelona ", webView},
	{" Line/", webView},
	{"MicroMessenger/", webView},
	{"WhatsApp", webView},
	{"Snapchat", webView},
	{"musical_ly", webView},
	{"BytedanceWebview", webView},
	{"trill_", webView},
	{"TikTok", webView},
	{"Pinterest/", webView},
	{"[Pinterest", webView},
	{"LinkedInApp", webView},
	{"Twitter for ", webView},
	{"TwitterAndroid", webView},
	{"GSA/", webView},
	{"DingTalk", webView},
	{"AliApp", webView},
	{"KAKAOTALK", webView},
	{"NAVER(", webView},
	{"Telegram-", webView},
	{"Discord/", installedApp},
	{"OutlookMobile", webView},
	{"Outlook-", webView},
}

// plain reads a user agent by the plain rules. sure says that nothing more is
// to be learnt; otherwise the answer is the best guess.
func plain(ua string) (a Agent, sure bool) {
	if ua == "" {
		return Agent{Kind: access.Other, Label: "Program", Program: true}, true
	}
	system, tokens := scan(ua)
	platform, kind := platformOf(ua, system)
	if name, ok := program(ua, tokens); ok {
		return Agent{
			Browser: access.Browser{Family: name, Platform: platform, Version: versionOf(tokens, name)},
			Kind:    access.Other, Label: "Program", Program: true,
		}, true
	}
	a = Agent{Browser: access.Browser{Platform: platform}, Kind: kind}
	a.Browser.Family, a.Browser.Version, sure = familyOf(ua, platform, tokens)
	a.Label = label(platform, kind, false)
	return a, sure && platform != other
}

func familyOf(ua, platform string, tokens []token) (family, version string, sure bool) {
	for _, app := range apps {
		if strings.Contains(ua, app.mark) {
			return app.family, engineVersion(tokens), true
		}
	}
	found, strange := token{}, false
	for _, t := range tokens {
		switch {
		case families[t.name] != "":
			found = t
		case !engines[t.name]:
			strange = true
		}
	}
	if found.name != "" {
		return families[found.name], major(found.version), true
	}
	apple := platform == ios || platform == macOS
	switch {
	case version1(tokens, "Chrome") != "":
		if platform == android && version1(tokens, "Version") == "4" {
			return webView, version1(tokens, "Chrome"), !strange // before Android 5 said "wv"
		}
		return chrome, version1(tokens, "Chrome"), !strange
	case version1(tokens, "Firefox") != "":
		return firefox, version1(tokens, "Firefox"), !strange
	case apple && has(tokens, "Safari") && has(tokens, "Version"):
		return safari, version1(tokens, "Version"), !strange
	case apple && has(tokens, "AppleWebKit") && !has(tokens, "Safari"):
		// WebKit without the name Safari: a page inside an app, or one put
		// on the home screen. The two cannot be told apart.
		return webView, version1(tokens, "Version"), !strange
	}
	return other, "", false
}

// program tells clients that are no browser: whatever does not call itself
// Mozilla, and robots that do. Opera Mini is the one browser that does not.
func program(ua string, tokens []token) (name string, ok bool) {
	if robot := robotIn(ua); robot != "" {
		return robot, true
	}
	if strings.HasPrefix(ua, "Mozilla/") || strings.HasPrefix(ua, "Opera/") || len(tokens) == 0 {
		return other, len(tokens) == 0
	}
	name = clean(tokens[0].name, maxRemembered)
	if name == "" {
		name = other
	}
	return name, true
}

// robotIn returns the name of the robot that a user agent names.
func robotIn(ua string) string {
	lower := strings.ToLower(ua)
	for _, mark := range []string{"bot", "crawler", "spider", "slurp", "externalhit", "preview", "feedfetcher", "monitor/", "lighthouse"} {
		for from := 0; ; {
			i := strings.Index(lower[from:], mark)
			if i < 0 {
				break
			}
			i += from
			end := i + len(mark)
			start := i
			for start > 0 && (isLetter(ua[start-1]) || ua[start-1] == '-') {
				start--
			}
			// "Cubot" makes phones, and "bottle" is no robot.
			if (end == len(ua) || !isLetter(ua[end])) && !strings.EqualFold(ua[start:end], "cubot") {
				return clean(strings.TrimSuffix(ua[start:end], "/"), maxRemembered)
			}
			from = end
		}
	}
	return ""
}

func isLetter(c byte) bool { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') }

func has(tokens []token, name string) bool {
	for _, t := range tokens {
		if t.name == name {
			return true
		}
	}
	return false
}

func version1(tokens []token, name string) string {
	for _, t := range tokens {
		if t.name == name {
			return major(t.version)
		}
	}
	return ""
}

func versionOf(tokens []token, name string) string {
	for _, t := range tokens {
		if clean(t.name, maxRemembered) == name {
			return major(t.version)
		}
	}
	return ""
}

// engineVersion is the version of the engine an app shows its pages in.
func engineVersion(tokens []token) string {
	if v := version1(tokens, "Chrome"); v != "" {
		return v
	}
	return version1(tokens, "Version")
}

// major returns the digits before the first dot, at most six.
func major(version string) string {
	n := 0
	for n < len(version) && n < 6 && version[n] >= '0' && version[n] <= '9' {
		n++
	}
	return version[:n]
}

// clean keeps the printable ASCII of a name, up to max bytes: what a client
// calls itself ends up on pages, in mails and in logs (threat L14).
func clean(s string, limit int) string {
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < limit; i++ {
		if c := s[i]; c >= ' ' && c <= '~' && !strings.ContainsRune(`<>"'&=`, rune(c)) {
			b.WriteByte(c)
		}
	}
	return strings.TrimSpace(b.String())
}
