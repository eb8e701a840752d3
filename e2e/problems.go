package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// problems are what a browser complained of: errors on the console, uncaught
// exceptions, violations of the Content-Security-Policy.
type problems struct {
	mu  sync.Mutex
	all []problem
	// documents are the requests for pages themselves: that one of them
	// answers 403 is what a waiting page does, and no mistake.
	documents map[network.RequestID]bool
	allowed   []*regexp.Regexp
	// responses are the last pages, by frame, with their status.
	status int64
}

type problem struct {
	text    string
	request network.RequestID
}

// hear takes an event of a tab. It is called in the tab's own loop and may
// not wait.
func (p *problems) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			if p.documents == nil {
				p.documents = make(map[network.RequestID]bool)
			}
			p.documents[e.RequestID] = true
			p.status = e.Response.Status
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.add(text+" at "+e.ExceptionDetails.URL, "")
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert || e.Type == runtime.ConsoleAPICalledTypeWarning {
			var words []string
			for _, argument := range e.Args {
				words = append(words, strings.Trim(string(argument.Value), `"`)+argument.Description)
			}
			p.add("console."+string(e.Type)+": "+strings.Join(words, " "), "")
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Source == log.EntrySourceSecurity {
			p.add(fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL), e.Entry.NetworkRequestID)
		}
	case *audits.EventIssueAdded:
		if e.Issue.Details != nil && e.Issue.Details.ContentSecurityPolicyIssueDetails != nil {
			issue := e.Issue.Details.ContentSecurityPolicyIssueDetails
			p.add(fmt.Sprintf("Content-Security-Policy: %s blocked %s", issue.ViolatedDirective, issue.BlockedURL), "")
		}
	}
}

func (p *problems) add(text string, request network.RequestID) {
	p.all = append(p.all, problem{text, request})
}

// list returns what is left when the allowed ones are taken out.
func (p *problems) list() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var left []string
each:
	for _, found := range p.all {
		if found.request != "" && p.documents[found.request] {
			continue
		}
		for _, allowed := range p.allowed {
			if allowed.MatchString(found.text) {
				continue each
			}
		}
		left = append(left, found.text)
	}
	return left
}
