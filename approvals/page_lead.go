package approvals

import (
	"encoding/json"
	"net/http"

	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

// LeadPage is the small page on an application's host that leads to the
// waiting page on the gate's own: an application's scripts and service worker
// can read and forge whatever stands on its origin (threat L12).
type LeadPage struct {
	// Application is its name for people.
	Application string
	Languages   []string
	// To is the waiting page, ticket included, or the Biopass page.
	To string
	// Biopass says that it is the latter.
	Biopass bool
}

type leadView struct {
	pages.Door
	To, Device string
	Biopass    bool
}

// WriteLead answers with the page that leads to the gate's host. It is a page
// and no redirect, so that nothing takes it for content or stores it (threat
// L19).
func WriteLead(w http.ResponseWriter, r *http.Request, c *lang.Catalogue, status int, p LeadPage) error {
	v := leadView{
		Door: pages.Door{
			Application: p.Application, Here: WaitPath, Languages: p.Languages,
			Styles: []string{"waiting.css"}, Scripts: []string{"lead.js"},
		},
		To: local(p.To, WaitPath), Device: DevicePath, Biopass: p.Biopass,
	}
	// For browsers without script, after the script had its time to tell what
	// only a script can see of the device.
	w.Header().Set("Refresh", "2; url="+v.To)
	return pageSet().Write(w, r, c, status, "lead", v)
}

// RefusedPage is shown where there is nothing to wait for: nobody is signed
// in, or a page was lost.
type RefusedPage struct {
	Application string
	Languages   []string
	// SignIn is where one signs in; empty for no button.
	SignIn string
	// Lost says that the address of a waiting page bears no ticket that
	// counts: one starts from the application again.
	Lost bool
}

type refusedView struct {
	pages.Door
	SignIn string
	Lost   bool
}

// WriteRefused answers with the page for those who are not signed in.
func WriteRefused(w http.ResponseWriter, r *http.Request, c *lang.Catalogue, status int, p RefusedPage) error {
	return pageSet().Write(w, r, c, status, "nobody", refusedView{
		Door:   pages.Door{Application: p.Application, Here: WaitPath, Languages: p.Languages, Styles: []string{"waiting.css"}},
		SignIn: local(p.SignIn, ""), Lost: p.Lost,
	})
}

// Problem is what a request that cannot show a page is answered (RFC 9457).
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Reference is what a person reads out; Waiting where their page is.
	Reference string `json:"reference,omitempty"`
	Waiting   string `json:"waiting,omitempty"`
}

// WriteProblem answers 403 with application/problem+json, never with HTML, a
// redirect or a 200 (X9).
func WriteProblem(w http.ResponseWriter, p Problem) error {
	p.Status = http.StatusForbidden
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Cookie")
	for _, stale := range []string{"ETag", "Last-Modified", "Content-Encoding", "Content-Length", "Location"} {
		h.Del(stale)
	}
	w.WriteHeader(http.StatusForbidden)
	return json.NewEncoder(w).Encode(p)
}
