package caddymodule

import (
	"net/http"

	"github.com/cadenas-gateway/cadenas/fingerprint"
)

// shown are the headers that every request is asked for, found in one walk
// through all of them: a walk has to be, and a look for each by its name costs
// more.
type shown struct {
	fingerprint.Shown
	cookies   []string // the lines of Cookie
	forwarded []string // of X-Forwarded-For
	proto     string   // X-Forwarded-Proto
	mode      string   // Sec-Fetch-Mode
	token     bool     // one may hold a token
	explain   string   // the token of `explain token`, taken off
}

// show takes off a request the headers that no backend must read from a
// browser, and reads those that every request is asked for. It is step 0: on the
// request itself, before anything can fail, since what handles an error gets
// the request after us (tried).
func (h *Handler) show(r *http.Request) (s shown) {
	lists := false
	for name, values := range r.Header {
		if h.aliases.Has(name) {
			if name == explainHeader {
				s.explain = firstOf(values)
			}
			delete(r.Header, name)
			continue
		}
		switch name {
		case "User-Agent":
			s.Agent = firstOf(values)
		case "Sec-Ch-Ua":
			s.Brands = firstOf(values)
		case "Sec-Ch-Ua-Mobile":
			s.Mobile = firstOf(values)
		case "Sec-Ch-Ua-Platform":
			s.Platform = firstOf(values)
		case "Sec-Ch-Ua-Model":
			s.Model = firstOf(values)
		case "X-Requested-With":
			s.Via = firstOf(values)
		case "Cookie":
			s.cookies = values
		case "X-Forwarded-For":
			s.forwarded = values
		case "X-Forwarded-Proto":
			s.proto = firstOf(values)
		case "Sec-Fetch-Mode":
			s.mode = firstOf(values)
		case "Authorization", "X-Auth-Token", "X-Access-Token", "X-Token", "X-Api-Token":
			s.token = s.token || len(values) > 0
		case "Connection", "Trailer", "Proxy-Connection":
			lists = true
		}
	}
	if lists {
		h.aliases.StripLists(r.Header)
	}
	return s
}

func firstOf(values []string) string {
	if len(values) > 0 {
		return values[0]
	}
	return ""
}
