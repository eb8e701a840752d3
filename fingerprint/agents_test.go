package fingerprint_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/fingerprint"
)

// agentCases are user agents as they were sent from 2024 to 2026.
var agentCases = []struct {
	name, ua, family, platform, version string
	kind                                access.Kind
	label                               string
}{
	// Computers.
	{"Chrome on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", "Chrome", "Windows", "140", access.Computer, "Windows computer"},
	{"Chrome on a Mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36", "Chrome", "macOS", "139", access.Computer, "Mac"},
	{"Chrome on Linux", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36", "Chrome", "Linux", "141", access.Computer, "Linux computer"},
	{"Chrome on a Chromebook", "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36", "Chrome", "ChromeOS", "138", access.Computer, "Chromebook"},
	{"Edge on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge", "Windows", "140", access.Computer, "Windows computer"},
	{"Edge on a Mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36 Edg/137.0.3296.62", "Edge", "macOS", "137", access.Computer, "Mac"},
	{"Edge on Linux", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/136.0.0.0 Safari/537.36 Edg/136.0.0.0", "Edge", "Linux", "136", access.Computer, "Linux computer"},
	{"the first Edge", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763", "Edge", "Windows", "18", access.Computer, "Windows computer"},
	{"Firefox on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0", "Firefox", "Windows", "142", access.Computer, "Windows computer"},
	{"Firefox on a Mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox", "macOS", "140", access.Computer, "Mac"},
	{"Firefox on Linux", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox", "Linux", "128", access.Computer, "Linux computer"},
	{"Firefox on Ubuntu", "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0", "Firefox", "Linux", "141", access.Computer, "Linux computer"},
	{"Firefox on FreeBSD", "Mozilla/5.0 (X11; FreeBSD amd64; rv:139.0) Gecko/20100101 Firefox/139.0", "Firefox", "BSD", "139", access.Computer, "Computer"},
	{"Safari on a Mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15", "Safari", "macOS", "18", access.Computer, "Mac"},
	{"Safari 26 on a Mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15", "Safari", "macOS", "26", access.Computer, "Mac"},
	{"Opera on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/135.0.0.0 Safari/537.36 OPR/120.0.0.0", "Opera", "Windows", "120", access.Computer, "Windows computer"},
	{"Vivaldi on Linux, named", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36 Vivaldi/7.3.3635.4", "Vivaldi", "Linux", "7", access.Computer, "Linux computer"},
	{"Yandex on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 YaBrowser/25.4.0.0 Safari/537.36", "Yandex Browser", "Windows", "25", access.Computer, "Windows computer"},
	{"Whale on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Whale/4.31.304.16 Safari/537.36", "Whale", "Windows", "4", access.Computer, "Windows computer"},
	{"DuckDuckGo on a Mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15 Ddg/18.4", "DuckDuckGo", "macOS", "18", access.Computer, "Mac"},
	{"Internet Explorer 11", "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "Internet Explorer", "Windows", "11", access.Computer, "Windows computer"},
	{"Chromium without a window", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36", "Headless Chrome", "Linux", "140", access.Computer, "Linux computer"},
	{"GNOME Web", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15 Epiphany/605.1.15", "GNOME Web", "Linux", "605", access.Computer, "Linux computer"},
	{"SeaMonkey", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0 SeaMonkey/2.53.20", "SeaMonkey", "Linux", "2", access.Computer, "Linux computer"},

	// iPhones and iPads.
	{"Safari on an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", "Safari", "iOS", "18", access.Phone, "iPhone"},
	{"Safari 26 on an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1", "Safari", "iOS", "26", access.Phone, "iPhone"},
	{"Safari on an iPod", "Mozilla/5.0 (iPod touch; CPU iPhone OS 12_5_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1", "Safari", "iOS", "12", access.Phone, "iPhone"},
	{"Safari on an iPad that says so", "Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1", "Safari", "iOS", "17", access.Tablet, "iPad"},
	{"Chrome on an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/138.0.7204.53 Mobile/15E148 Safari/604.1", "Chrome", "iOS", "138", access.Phone, "iPhone"},
	{"Chrome on an iPad", "Mozilla/5.0 (iPad; CPU OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/136.0.7103.56 Mobile/15E148 Safari/604.1", "Chrome", "iOS", "136", access.Tablet, "iPad"},
	{"Firefox on an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/140.0 Mobile/15E148 Safari/605.1.15", "Firefox", "iOS", "140", access.Phone, "iPhone"},
	{"Edge on an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 EdgiOS/137.0.3296.58 Mobile/15E148 Safari/605.1.15", "Edge", "iOS", "137", access.Phone, "iPhone"},
	{"Opera on an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1 OPT/5.4.0", "Opera", "iOS", "5", access.Phone, "iPhone"},
	{"DuckDuckGo on an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15", "DuckDuckGo", "iOS", "7", access.Phone, "iPhone"},
	{"an app or a home screen on an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", "Web view", "iOS", "", access.Phone, "iPhone"},
	{"an app on an iPad", "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", "Web view", "iOS", "", access.Tablet, "iPad"},
	{"an app on a Mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)", "Web view", "macOS", "", access.Computer, "Mac"},
	{"Facebook on an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22F76 [FBAN/FBIOS;FBAV/517.0.0.39.102;FBBV/738640112;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/18.5;FBSS/3;FBCR/;FBID/phone;FBLC/fr_CA;FBOP/80]", "Web view", "iOS", "", access.Phone, "iPhone"},
	{"Instagram on an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22E252 Instagram 382.0.0.28.84 (iPhone15,2; iOS 18_4_1; fr_CA; fr; scale=3.00; 1179x2556; 733400000)", "Web view", "iOS", "", access.Phone, "iPhone"},
	{"Line on an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Safari Line/15.6.0", "Web view", "iOS", "", access.Phone, "iPhone"},
	{"the Google app on an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/372.0.775619042 Mobile/15E148 Safari/604.1", "Web view", "iOS", "", access.Phone, "iPhone"},

	// Android.
	{"Chrome on an Android phone", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome", "Android", "140", access.Phone, "Android phone"},
	{"Chrome on an Android tablet", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", "Chrome", "Android", "140", access.Tablet, "Android tablet"},
	{"Chrome on a Galaxy, unreduced", "Mozilla/5.0 (Linux; Android 13; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Mobile Safari/537.36", "Chrome", "Android", "112", access.Phone, "Android phone"},
	{"Chrome on a Galaxy Tab, unreduced", "Mozilla/5.0 (Linux; Android 13; SM-X906C) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Safari/537.36", "Chrome", "Android", "112", access.Tablet, "Android tablet"},
	{"a Galaxy Tab that says Mobile", "Mozilla/5.0 (Linux; Android 12; SM-T515) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36", "Samsung Internet", "Android", "23", access.Tablet, "Android tablet"},
	{"Samsung Internet on a phone", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36", "Samsung Internet", "Android", "28", access.Phone, "Android phone"},
	{"Samsung Internet on a tablet", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Safari/537.36", "Samsung Internet", "Android", "27", access.Tablet, "Android tablet"},
	{"Firefox on an Android phone", "Mozilla/5.0 (Android 14; Mobile; rv:141.0) Gecko/141.0 Firefox/141.0", "Firefox", "Android", "141", access.Phone, "Android phone"},
	{"Firefox on an Android tablet", "Mozilla/5.0 (Android 13; Tablet; rv:139.0) Gecko/139.0 Firefox/139.0", "Firefox", "Android", "139", access.Tablet, "Android tablet"},
	{"Edge on an Android phone", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36 EdgA/138.0.0.0", "Edge", "Android", "138", access.Phone, "Android phone"},
	{"Opera on an Android phone", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Mobile Safari/537.36 OPR/89.0.0.0", "Opera", "Android", "89", access.Phone, "Android phone"},
	{"Opera Mini", "Opera/9.80 (Android; Opera Mini/36.2.2254/191.303; U; en) Presto/2.12.423 Version/12.16", "Opera", "Android", "9", access.Phone, "Android phone"},
	{"Mi Browser", "Mozilla/5.0 (Linux; U; Android 13; fr-fr; M2101K6G Build/TKQ1.221013.002) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/112.0.5615.136 Mobile Safari/537.36 XiaoMi/MiuiBrowser/14.4.0-g", "Mi Browser", "Android", "14", access.Phone, "Android phone"},
	{"Huawei Browser", "Mozilla/5.0 (Linux; Android 12; NOH-NX9; HMSCore 6.13.0.302) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.5735.196 HuaweiBrowser/15.0.4.312 Mobile Safari/537.36", "Huawei Browser", "Android", "15", access.Phone, "Android phone"},
	{"UC Browser", "Mozilla/5.0 (Linux; U; Android 11; en-US; RMX2101) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/100.0.4896.58 UCBrowser/13.6.0.1316 Mobile Safari/537.36", "UC Browser", "Android", "13", access.Phone, "Android phone"},
	{"DuckDuckGo on Android", "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/137.0.0.0 Mobile DuckDuckGo/5 Safari/537.36", "DuckDuckGo", "Android", "5", access.Phone, "Android phone"},
	{"a Cubot phone is no robot", "Mozilla/5.0 (Linux; Android 11; CUBOT X50) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36", "Chrome", "Android", "120", access.Phone, "Android phone"},
	{"a web view on Android", "Mozilla/5.0 (Linux; Android 14; Pixel 7 Build/UQ1A.240205.004; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/136.0.7103.60 Mobile Safari/537.36", "Web view", "Android", "136", access.Phone, "Android phone"},
	{"a web view on an Android tablet", "Mozilla/5.0 (Linux; Android 13; SM-X700 Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/130.0.6723.58 Safari/537.36", "Web view", "Android", "130", access.Tablet, "Android tablet"},
	{"a web view that hides it", "Mozilla/5.0 (Linux; Android 9; SM-G960F) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/92.0.4515.159 Mobile Safari/537.36", "Web view", "Android", "92", access.Phone, "Android phone"},
	{"Facebook on Android", "Mozilla/5.0 (Linux; Android 14; SM-A546B Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/135.0.7049.111 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/511.0.0.55.103;]", "Web view", "Android", "135", access.Phone, "Android phone"},
	{"Silk on a Fire tablet", "Mozilla/5.0 (Linux; Android 11; KFTRWI) AppleWebKit/537.36 (KHTML, like Gecko) Silk/120.4.2 like Chrome/120.0.6099.230 Safari/537.36", "Silk", "Fire OS", "120", access.Tablet, "Fire tablet"},
	{"Silk on a Fire tablet that says Mobile", "Mozilla/5.0 (Linux; Android 9; KFMAWI) AppleWebKit/537.36 (KHTML, like Gecko) Silk/108.1 like Chrome/108.0.5359.220 Mobile Safari/537.36", "Silk", "Fire OS", "108", access.Tablet, "Fire tablet"},
	{"the Quest's browser", "Mozilla/5.0 (Linux; Android 12; Quest 3) AppleWebKit/537.36 (KHTML, like Gecko) OculusBrowser/38.3 Chrome/134.0.6998.205 VR Safari/537.36", "Meta Quest Browser", "Android", "38", access.Other, "Unknown device"},
	{"a HarmonyOS phone", "Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1 Mobile HuaweiBrowser/5.0.4.300", "Huawei Browser", "HarmonyOS", "5", access.Phone, "Phone"},
	{"a HarmonyOS tablet", "Mozilla/5.0 (Tablet; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1 HuaweiBrowser/5.0.4.300", "Huawei Browser", "HarmonyOS", "5", access.Tablet, "Tablet"},
	{"a KaiOS phone", "Mozilla/5.0 (Mobile; Nokia_2720_Flip; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5.2", "Firefox", "KaiOS", "48", access.Phone, "Phone"},

	// Apps with windows of their own.
	{"Teams on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/136.0.0.0 Safari/537.36 Edg/136.0.3240.76 Teams/25122.1415.3698.6812", "Installed app", "Windows", "136", access.Computer, "Windows computer"},
	{"an Electron app", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) acme/1.4.0 Chrome/134.0.6998.205 Electron/35.2.1 Safari/537.36", "Installed app", "macOS", "134", access.Computer, "Mac"},

	// What is neither phone, tablet nor computer.
	{"an LG television", "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/94.0.4606.128 Safari/537.36 WebAppManager", "Chrome", "TV", "94", access.Other, "Television"},
	{"a Samsung television", "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.5) AppleWebKit/537.36 (KHTML, like Gecko) 85.0.4183.93/6.5 TV Safari/537.36", "Safari", "TV", "", access.Other, "Television"},
	{"a PlayStation", "Mozilla/5.0 (PlayStation; PlayStation 5/6.50) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15", "Safari", "Game console", "17", access.Other, "Game console"},
	{"curl", "curl/8.9.1", "curl", "Other", "8", access.Other, "Program"},
	{"Python", "python-requests/2.32.3", "python-requests", "Other", "2", access.Other, "Program"},
	{"Go", "Go-http-client/2.0", "Go-http-client", "Other", "2", access.Other, "Program"},
	{"an Android app's own client", "okhttp/4.12.0", "okhttp", "Other", "4", access.Other, "Program"},
	{"an iPhone app's own client", "Nextcloud/6.4.0 CFNetwork/3826.500.131 Darwin/24.5.0", "Nextcloud", "Other", "6", access.Other, "Program"},
	{"Googlebot", "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.7151.68 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot", "Android", "", access.Other, "Program"},
	{"Bing's robot", "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36", "bingbot", "Other", "", access.Other, "Program"},
	{"a link preview", "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "facebookexternalhit", "Other", "1", access.Other, "Program"},
	{"nothing", "", "", "", "", access.Other, "Program"},
}

func agent(s *fingerprint.Agents, header ...string) fingerprint.Agent {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return s.Parse(context.Background(), h)
}

func TestUserAgents(t *testing.T) {
	agents := fingerprint.NewAgents()
	if len(agentCases) < 60 {
		t.Fatalf("only %d", len(agentCases))
	}
	for _, c := range agentCases {
		t.Run(c.name, func(t *testing.T) {
			for _, when := range []string{"first", "from memory"} {
				got := agent(agents, "User-Agent", c.ua)
				if got.Browser != (access.Browser{Family: c.family, Platform: c.platform, Version: c.version}) {
					t.Errorf("%s: %+v, want %s on %s, %s", when, got.Browser, c.family, c.platform, c.version)
				}
				if got.Kind != c.kind || got.Label != c.label || got.Program != (c.label == "Program") {
					t.Errorf("%s: %s, %q, program %v, want %s, %q", when, got.Kind, got.Label, got.Program, c.kind, c.label)
				}
			}
		})
	}
}

func TestClientHints(t *testing.T) {
	const (
		onWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
		onLinux   = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
		onPhone   = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"
		onEdge    = onWindows + " Edg/140.0.0.0"
		google    = `"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"`
	)
	agents := fingerprint.NewAgents()
	for _, c := range []struct {
		name             string
		header           []string
		family, platform string
		kind             access.Kind
	}{
		{"Chrome says it is Google's", []string{"User-Agent", onWindows, "Sec-CH-UA", google}, "Chrome", "Windows", access.Computer},
		{"Brave hides in Chrome's user agent", []string{"User-Agent", onWindows, "Sec-CH-UA", `"Not;A=Brand";v="99", "Brave";v="139", "Chromium";v="139"`}, "Brave", "Windows", access.Computer},
		{"Chromium alone", []string{"User-Agent", onLinux, "Sec-CH-UA", `"Chromium";v="140", "Not A(Brand";v="8"`}, "Chromium", "Linux", access.Computer},
		{"Edge in both", []string{"User-Agent", onEdge, "Sec-CH-UA", `"Not)A;Brand";v="8", "Chromium";v="138", "Microsoft Edge";v="138"`}, "Edge", "Windows", access.Computer},
		{"Edge's engine under Chrome's user agent", []string{"User-Agent", onWindows, "Sec-CH-UA", `"Microsoft Edge";v="139", "Chromium";v="139"`}, "Edge", "Windows", access.Computer},
		{"a web view that took the mark off its user agent", []string{"User-Agent", onPhone, "Sec-CH-UA", `"Android WebView";v="137", "Chromium";v="137", "Not/A)Brand";v="24"`}, "Web view", "Android", access.Phone},
		{"a web view that only names its app", []string{"User-Agent", onPhone, "X-Requested-With", "com.example.app"}, "Web view", "Android", access.Phone},
		{"a script's call names no app", []string{"User-Agent", onPhone, "X-Requested-With", "XMLHttpRequest"}, "Chrome", "Android", access.Phone},
		{"an Android tablet that asks for desktop pages", []string{"User-Agent", onLinux, "Sec-CH-UA", google, "Sec-CH-UA-Mobile", "?0", "Sec-CH-UA-Platform", `"Android"`}, "Chrome", "Android", access.Tablet},
		{"an Android phone that asks for desktop pages", []string{"User-Agent", onLinux, "Sec-CH-UA", google, "Sec-CH-UA-Mobile", "?1", "Sec-CH-UA-Platform", `"Android"`}, "Chrome", "Android", access.Phone},
		{"a model that is a tablet", []string{"User-Agent", onPhone, "Sec-CH-UA", google, "Sec-CH-UA-Model", `"SM-X710"`}, "Chrome", "Android", access.Tablet},
		{"hints do not contradict the user agent", []string{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Sec-CH-UA", google}, "Firefox", "Linux", access.Computer},
		{"hints make no browser of curl", []string{"User-Agent", "curl/8.9.1", "Sec-CH-UA", google}, "curl", "Other", access.Other},
		{"hints that are no list", []string{"User-Agent", onWindows, "Sec-CH-UA", `;;"";v=,"`}, "Chrome", "Windows", access.Computer},
		{"a hint too long to be one", []string{"User-Agent", onWindows, "Sec-CH-UA", `"` + strings.Repeat("x", 300) + `";v="1"`}, "Chrome", "Windows", access.Computer},
		{"a brand with markup", []string{"User-Agent", onWindows, "Sec-CH-UA", "\"<b>Evil</b>\u202e\";v=\"1\""}, "bEvil/b", "Windows", access.Computer},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := agent(agents, c.header...)
			if got.Browser.Family != c.family || got.Browser.Platform != c.platform || got.Kind != c.kind {
				t.Errorf("%s on %s, %s; want %s on %s, %s", got.Browser.Family, got.Browser.Platform, got.Kind, c.family, c.platform, c.kind)
			}
		})
	}
}

// TestThreat_L4_UserAgentsNobodyShouldSend: nothing that is sent stops the
// gate, nor comes out as it went in.
func TestThreat_L4_UserAgentsNobodyShouldSend(t *testing.T) {
	agents := fingerprint.NewAgents()
	chrome := "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	for name, ua := range map[string]string{
		"64 kB of letters":       strings.Repeat("A", 64<<10),
		"64 kB of parentheses":   strings.Repeat("(", 64<<10),
		"64 kB of products":      strings.Repeat("a/1 ", 16<<10),
		"64 kB behind a browser": chrome + strings.Repeat(" x/1", 16<<10),
		"a zero byte":            "Mozilla/5.0 (\x00) Chrome/1",
		"bad UTF-8":              "Mozilla/5.0 (\xff\xfe) \xc3\x28/1",
		"only spaces":            "     ",
		"only slashes":           "////",
		"unclosed":               "Mozilla/5.0 (Windows NT 10.0",
		"closed too often":       "Mozilla/5.0 )))) Chrome/1 (",
		"right to left":          "\u202eMozilla/5.0 \u202e/1",
		"markup":                 "<script>alert(1)</script>/1",
		"a formula":              "=cmd()/1",
	} {
		t.Run(name, func(t *testing.T) {
			checkAgent(t, agent(agents, "User-Agent", ua))
		})
	}
}

func checkAgent(t *testing.T, a fingerprint.Agent) {
	t.Helper()
	for _, s := range []string{a.Browser.Family, a.Browser.Platform, a.Browser.Version, a.Label} {
		if len(s) > 40 || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) ||
			strings.ContainsAny(s, `<>"'&=`) {
			t.Errorf("%q came through", s)
		}
	}
	if _, err := access.ParseKind(string(a.Kind)); err != nil {
		t.Error(err)
	}
}

func TestLongUserAgentsAreReadByTheirBeginning(t *testing.T) {
	agents := fingerprint.NewAgents()
	ua := "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22F76 [FBAN/FBIOS;" + strings.Repeat("x", 64<<10)
	if got := agent(agents, "User-Agent", ua); got.Browser.Family != "Web view" || got.Kind != access.Phone {
		t.Errorf("got %+v", got)
	}
}

// TestStrangersDoNotHoldUpTheKnown: while uap-go is kept busy with what was
// never seen, a known browser is read at once, and an unusual one waits no
// longer than its patience.
func TestStrangersDoNotHoldUpTheKnown(t *testing.T) {
	agents := fingerprint.NewAgents()
	if err := agents.Warm(); err != nil {
		t.Fatal(err)
	}
	known := "Mozilla/5.0 (X11; U; Linux) Gecko/2009 Fennec/2.0.1 Known/1"
	before := agent(agents, "User-Agent", known)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					agent(agents, "User-Agent", fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Flood%d/%d", i, n))
				}
			}
		})
	}
	start := time.Now()
	for range 1000 {
		if got := agent(agents, "User-Agent", known); got != before {
			t.Fatalf("under load %+v, before %+v", got, before)
		}
	}
	close(stop)
	all.Wait()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("1,000 known requests took %s", took)
	}
}

func TestARequestThatEndsDoesNotWaitForItsTurn(t *testing.T) {
	agents := fingerprint.NewAgents()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h := http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux) Something/1"}}
	for range 20 { // the turn may be free, too
		got := agents.Parse(ctx, h)
		if got.Browser.Platform != "Linux" {
			t.Fatalf("got %+v", got)
		}
		if !got.Coarse {
			return
		}
	}
}

func TestLabelsHaveCodes(t *testing.T) {
	for _, c := range agentCases {
		if c.label != "Unknown device" && fingerprint.LabelCode(c.label) == "unknown_device" {
			t.Errorf("%q has no code", c.label)
		}
	}
	if got := fingerprint.LabelCode("Samsung fridge"); got != "unknown_device" {
		t.Errorf("got %q", got)
	}
	if n := len(fingerprint.LabelCodes()); n != 16 {
		t.Errorf("%d codes", n)
	}
}

func FuzzAgents(f *testing.F) {
	for _, c := range agentCases[:20] {
		f.Add(c.ua, `"Chromium";v="140"`, `"Android"`)
	}
	f.Add("Mozilla/5.0 (KFKFKF", `"`, "?1")
	agents := fingerprint.NewAgents()
	f.Fuzz(func(t *testing.T, ua, brands, platform string) {
		checkAgent(t, agent(agents, "User-Agent", ua, "Sec-CH-UA", brands, "Sec-CH-UA-Platform", platform))
	})
}

func BenchmarkAgentFromMemory(b *testing.B) {
	agents := fingerprint.NewAgents()
	h := http.Header{}
	h.Set("User-Agent", agentCases[0].ua)
	h.Set("Sec-CH-UA", `"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"`)
	h.Set("Sec-CH-UA-Mobile", "?0")
	h.Set("Sec-CH-UA-Platform", `"Windows"`)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		agents.Parse(ctx, h)
	}
}

func BenchmarkAgentUsual(b *testing.B) { // what a stranger with a usual browser costs
	ctx := context.Background()
	h := http.Header{}
	agents := fingerprint.NewAgents()
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		h["User-Agent"] = []string{fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", n)}
		agents.Parse(ctx, h)
	}
}
