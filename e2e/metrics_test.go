package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// X15: what the gate does is counted, by words of the configuration and closed
// sets alone: no user, address or device is a label.
func TestMetricsCountWhatTheGateDoesAndNameNobody(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, GateOptions{NoMail: true, Site: "padlock closed"})
	g.wait("julie", Accounts[1].Password)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.Admin+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("%d %v", a.StatusCode, err)
	}
	for _, want := range []string{
		`cadenas_verdicts_total{answer="approval",application="attendance"`, `cadenas_logins_total{application="attendance"`,
		`cadenas_access_requests_total{application="attendance"} 1`, "cadenas_requests_in_flight", "cadenas_store_away_seconds 0",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "cadenas_") && (strings.Contains(line, "julie") || strings.Contains(line, "127.0.0.1")) {
			t.Errorf("a label names somebody: %s", line)
		}
	}
}
