package e2e

import (
	"context"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Size is the kind of screen that a browser has.
type Size struct {
	// Name is a word for the names of screenshots.
	Name          string
	Width, Height int64
	// Scale is device pixels per pixel.
	Scale float64
	// Touch makes it a touch screen with a mobile browser's viewport.
	Touch bool
	// UserAgent is what a browser there says of itself.
	UserAgent string
	// Model and Platform are its client hints.
	Model, Platform string
}

// The three sizes that pages are looked at in.
var (
	Phone  = Size{"phone", 390, 844, 2, true, ChromeAndroid, "Pixel 9", "Android"}
	Tablet = Size{"tablet", 820, 1180, 2, true, ChromeTablet, "Pixel Tablet", "Android"}
	Desk   = Size{"desk", 1440, 900, 1, false, ChromeLinux, "", "Linux"}
)

// View is how a person looks at pages. The zero value is a desk, English and
// light.
type View struct {
	Size Size
	// Dark is the person's colour scheme.
	Dark bool
	// Language is that of the person's browser, as in Accept-Language:
	// "fr-CA"; empty means "en".
	Language string
	// UserAgent overrides the size's.
	UserAgent string
	// NoScript turns scripts off.
	NoScript bool
	// Motion leaves animations on; otherwise the person asked for less motion,
	// so that pictures come out the same.
	Motion bool
	// Zone is the time zone of the person's machine ("America/Toronto"); empty
	// for that of this one.
	Zone string
	// IPv6 lets names on this machine lead to ::1, which is another place
	// than 127.0.0.1.
	IPv6 bool
	// AnyCertificate lets the browser take every certificate, for sites with
	// an authority of their own.
	AnyCertificate bool
}

// Name is the view in a file's name: phone-fr-dark.
func (v View) Name() string {
	scheme := "light"
	if v.Dark {
		scheme = "dark"
	}
	return v.Size.Name + "-" + v.Language + "-" + scheme
}

// Views are the combinations that pages are looked at in: two languages, two
// colour schemes, phone and desk.
func Views() []View {
	var all []View
	for _, size := range []Size{Phone, Desk} {
		for _, language := range []string{"en", "fr"} {
			for _, dark := range []bool{false, true} {
				all = append(all, View{Size: size, Language: language, Dark: dark})
			}
		}
	}
	return all
}

// withDefaults fills what a test left out.
func (v View) withDefaults() View {
	if v.Size.Width == 0 {
		v.Size = Desk
	}
	if v.Language == "" {
		v.Language = "en"
	}
	if v.UserAgent == "" {
		v.UserAgent = v.Size.UserAgent
	}
	return v
}

// apply sets a tab up for the view.
func (v View) apply() chromedp.Action[chromedp.Void] {
	scheme, motion := "light", "reduce"
	if v.Dark {
		scheme = "dark"
	}
	if v.Motion {
		motion = "no-preference"
	}
	options := []chromedp.EmulateViewportOption{chromedp.EmulateScale(v.Size.Scale)}
	if v.Size.Touch {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait)
	}
	return chromedp.Steps(
		chromedp.EmulateViewport(v.Size.Width, v.Size.Height, options...),
		chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			agent := emulation.SetUserAgentOverrideParams{UserAgent: v.UserAgent, AcceptLanguage: v.Language}
			if v.UserAgent == v.Size.UserAgent {
				brands := []*emulation.UserAgentBrandVersion{{Brand: "Chromium", Version: "156"}, {Brand: "Google Chrome", Version: "156"}}
				agent.UserAgentMetadata = &emulation.UserAgentMetadata{
					Brands: brands, Platform: v.Size.Platform, Model: v.Size.Model,
					Mobile: v.Size.Touch && v.Size.Width < 600,
				}
			}
			if _, err := cdp.Call(ctx, t, emulation.SetUserAgentOverride, agent); err != nil {
				return err
			}
			if _, err := cdp.Call(ctx, t, emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: v.Language}); err != nil {
				return err
			}
			if v.Zone != "" {
				if _, err := cdp.Call(ctx, t, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: v.Zone}); err != nil {
					return err
				}
			}
			if _, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: v.NoScript}); err != nil {
				return err
			}
			if _, err := cdp.Call(ctx, t, audits.Enable, cdp.Empty{}); err != nil {
				return err
			}
			_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion},
			}})
			return err
		}),
	)
}
