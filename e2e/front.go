package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// StartFront starts n gates on one store and, in front of them, a load
// balancer that knows nothing of them: each request goes to the next one, so
// that whatever is begun on one instance goes on on another. The gate it
// returns is what people see; its commands go to the first instance. Options
// must name a store that all share.
func StartFront(t testing.TB, a App, o GateOptions, n int) (front *Gate, each []*Gate) {
	t.Helper()
	site := NewSite(t, "app.localhost")
	front = &Gate{App: a, Name: "attendance", Site: site, Console: site.As("console.localhost")}
	var settings []Setting
	if !o.NoMail {
		ca := NewAuthority(t)
		front.Mail = StartMail(t, ca)
		settings = append(settings, Trusting(ca))
	}
	front.Backend = a.Start(t)
	balancer := &balancer{}
	for range n {
		own := NewSite(t, site.Name)
		g := &Gate{App: a, Name: front.Name, Backend: front.Backend, Mail: front.Mail, Site: own, Console: own.As(front.Console.Name)}
		text := strings.Replace(g.Text(o), "console "+g.Console.String()+"\n", "console "+front.Console.String()+"\n", 1)
		g.Caddy = StartCaddy(t, text, settings...)
		each = append(each, g)
		to, err := url.Parse(fmt.Sprintf("http://127.0.0.1:%d", own.Port))
		if err != nil {
			t.Fatal(err)
		}
		balancer.ways = append(balancer.ways, &httputil.ReverseProxy{
			FlushInterval: -1,
			Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host },
		})
	}
	front.Caddy = each[0].Caddy
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", site.Port))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: balancer, ReadHeaderTimeout: patience}
	go func() { _ = server.Serve(listener) }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })
	return front, each
}

// balancer sends each request to the next of several instances.
type balancer struct {
	ways []*httputil.ReverseProxy
	next atomic.Uint64
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.ways[b.next.Add(1)%uint64(len(b.ways))].ServeHTTP(w, r)
}
