// Package e2e starts the real parts that the gate lives among, for tests: a
// Caddy process built from this tree, applications with logins of their own,
// a mail server, and Chromium. Nothing here is a stand-in; what is missing on
// a machine fails the test with a sentence that says what to install.
//
// A test reads like this:
//
//	register := e2e.Demo{}
//	site := e2e.NewSite(t, "app.localhost")
//	gate := e2e.StartCaddy(t, fmt.Sprintf(`%s {
//		cadenas
//		reverse_proxy %s
//	}`, site, register.Start(t)))
//	browser := e2e.OpenBrowser(t, e2e.View{Size: e2e.Phone, Language: "fr"})
//	browser.Open(site.URL("/"))
//
// Whatever a test starts, the test's end stops. All servers listen on
// loopback, on ports that were free.
package e2e

import "time"

// patience is how long anything here may take before a test fails: far more
// than it does take on a slow machine, and the end of a test that hangs.
const patience = 90 * time.Second

// poll is how often a state that cannot be waited for is looked at.
const poll = 10 * time.Millisecond
