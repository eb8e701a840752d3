package fingerprint

import (
	"strings"

	"github.com/cadenas-gateway/cadenas/access"
)

// Memory is what a device once showed of itself and does not show on every
// request. Client hints are missing on WebSocket handshakes and on plain
// http, and a touch screen is seen by scripts only; without a memory the same
// browser would be another one from one request to the next.
type Memory struct {
	// Touch says that a page script counted several touch points where the
	// user agent says Mac: an iPad.
	Touch bool
	// Standalone says that a page script found itself in an installed app.
	Standalone bool
	// Family, Platform and Kind are what client hints told beyond the user
	// agent; empty where they told nothing more.
	Family, Platform string
	Kind             access.Kind
}

// Report is what a page script of ours found out about its browser.
type Report struct {
	// TouchPoints is navigator.maxTouchPoints.
	TouchPoints int
	// Standalone says that the page runs in an installed app
	// (display-mode: standalone, or navigator.standalone).
	Standalone bool
}

// noted returns m with what a script reported. An iPhone's or an Android
// tablet's touch points say nothing new.
func (m Memory) noted(rep Report, a Agent) Memory {
	if a.Browser.Platform == macOS {
		m.Touch = rep.TouchPoints > 1 // a Mac has none; an iPad has five
	}
	m.Standalone = rep.Standalone
	return m
}

// over returns a as it is when m is remembered of the device. What hints told
// counts only for the browser they came with: a cookie that was carried off
// into another browser does not take the name along.
func (m Memory) over(a Agent) Agent {
	if a.Program {
		return a
	}
	if !a.hinted {
		if m.Family != "" && a.Browser.Family == chrome {
			a.Browser.Family = m.Family
		}
		if m.Platform != "" && a.Browser.Platform == linux {
			a.Browser.Platform = m.Platform
		}
		if m.Kind != "" && (a.Browser.Platform == android || a.Browser.Platform == linux) {
			a.Kind = m.Kind
		}
	}
	if m.Touch && a.Browser.Platform == macOS {
		a.Kind = access.Tablet // the platform stays what the browser says, so that it stays the same browser
	}
	if m.Standalone && a.Browser.Family != webView {
		a.Browser.Family = installedApp
	}
	a.Label = label(a.Browser.Platform, a.Kind, a.Program)
	return a
}

// The binary form is one byte of flags and kind, then family and platform
// with their lengths.
const (
	touchBit      = 1 << 0
	standaloneBit = 1 << 1
	kindShift     = 4
	maxRemembered = 40
)

func (m Memory) append(dst []byte) []byte {
	var flags byte
	if m.Touch {
		flags |= touchBit
	}
	if m.Standalone {
		flags |= standaloneBit
	}
	for i, k := range access.Kinds {
		if m.Kind == k {
			flags |= byte(i+1) << kindShift //nolint:gosec // four kinds
		}
	}
	dst = append(dst, flags)
	for _, s := range []string{m.Family, m.Platform} {
		s = s[:min(len(s), maxRemembered)]
		dst = append(dst, byte(len(s))) //nolint:gosec // maxRemembered at most
		dst = append(dst, s...)
	}
	return dst
}

func readMemory(b []byte) (m Memory, ok bool) {
	if len(b) < 3 {
		return m, false
	}
	m.Touch, m.Standalone = b[0]&touchBit != 0, b[0]&standaloneBit != 0
	if i := int(b[0]>>kindShift) - 1; i >= 0 && i < len(access.Kinds) {
		m.Kind = access.Kinds[i]
	}
	b = b[1:]
	for _, to := range []*string{&m.Family, &m.Platform} {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return Memory{}, false
		}
		*to, b = intern(b[1:1+b[0]]), b[1+b[0]:]
	}
	return m, len(b) == 0
}

// intern spares an allocation for what is nearly always remembered.
func intern(b []byte) string {
	switch string(b) {
	case "":
		return ""
	case brave:
		return brave
	case chromium:
		return chromium
	case android:
		return android
	}
	return strings.Clone(string(b))
}
