package fingerprint

import "github.com/cadenas-gateway/cadenas/access"

// Families and platforms that rules of this package name.
const (
	chrome          = "Chrome"
	chromium        = "Chromium"
	safari          = "Safari"
	firefox         = "Firefox"
	edge            = "Edge"
	brave           = "Brave"
	samsungInternet = "Samsung Internet"
	headlessChrome  = "Headless Chrome"
	// An installed app and a web view are families of their own: what runs
	// in them is not the browser whose engine they borrow.
	installedApp = "Installed app"
	webView      = "Web view"
	other        = "Other"

	windows     = "Windows"
	macOS       = "macOS"
	ios         = "iOS"
	android     = "Android"
	chromeOS    = "ChromeOS"
	linux       = "Linux"
	fireOS      = "Fire OS"
	harmonyOS   = "HarmonyOS"
	kaiOS       = "KaiOS"
	television  = "TV"
	gameConsole = "Game console"
	bsd         = "BSD"
)

// The labels of devices, and a code for each by which pages find the words of
// another language.
var labelCodes = map[string]string{
	"iPhone":           "iphone",
	"iPad":             "ipad",
	"Android phone":    "android_phone",
	"Android tablet":   "android_tablet",
	"Fire tablet":      "fire_tablet",
	"Windows computer": "windows_computer",
	"Mac":              "mac",
	"Chromebook":       "chromebook",
	"Linux computer":   "linux_computer",
	"Computer":         "computer",
	"Phone":            "phone",
	"Tablet":           "tablet",
	"Television":       "television",
	"Game console":     "game_console",
	"Program":          "program",
	"Unknown device":   "unknown_device",
}

// LabelCode returns the stable code of a label that this package gave
// ("android_tablet"), and "unknown_device" for any other.
func LabelCode(label string) string {
	if code, ok := labelCodes[label]; ok {
		return code
	}
	return "unknown_device"
}

// LabelCodes lists all codes, so that a catalogue can be checked for them.
func LabelCodes() []string {
	codes := make([]string, 0, len(labelCodes))
	for _, code := range labelCodes {
		codes = append(codes, code)
	}
	return codes
}

// label says in plain words what a device is.
func label(platform string, kind access.Kind, program bool) string {
	if program {
		return "Program"
	}
	switch platform {
	case television:
		return "Television"
	case gameConsole:
		return "Game console"
	}
	switch kind {
	case access.Phone:
		switch platform {
		case ios:
			return "iPhone"
		case android:
			return "Android phone"
		}
		return "Phone"
	case access.Tablet:
		switch platform {
		case ios, macOS:
			return "iPad"
		case android:
			return "Android tablet"
		case fireOS:
			return "Fire tablet"
		}
		return "Tablet"
	case access.Computer:
		switch platform {
		case windows:
			return "Windows computer"
		case macOS:
			return "Mac"
		case chromeOS:
			return "Chromebook"
		case linux:
			return "Linux computer"
		}
		return "Computer"
	case access.Other:
	}
	return "Unknown device"
}
