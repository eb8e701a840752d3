package wire

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestNobodyIsReachedWhoDoesNotProveWhoTheyAreOrWhomSomebodyElseNames(t *testing.T) {
	reached := 0
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached++
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	t.Cleanup(s.Close)
	known := x509.NewCertPool()
	known.AddCert(s.Certificate())
	get := func(roots *x509.CertPool) (int, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/path-secret", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := Client(Transport(roots, nil)).Do(r)
		if err != nil {
			return 0, err
		}
		return answer.StatusCode, answer.Body.Close()
	}
	if code, err := get(known); err != nil || code != http.StatusFound || reached != 1 {
		t.Errorf("%d %v, %d requests: a redirect was followed", code, err, reached)
	}
	_, err := get(x509.NewCertPool())
	if err == nil || reached != 1 {
		t.Fatalf("a server of nobody's: %v", err)
	}
	if !strings.Contains(err.Error(), "path-secret") || strings.Contains(WithoutURL(err).Error(), "path-secret") {
		t.Errorf("%v, without the address %v", err, WithoutURL(err))
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "a.localhost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true,
		"example.com": false, "localhost.example.com": false, "10.0.0.1": false, "": false,
	} {
		if Loopback(host) != want {
			t.Errorf("Loopback(%q) is not %v", host, want)
		}
	}
}
