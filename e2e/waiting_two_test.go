package e2e

import (
	"strings"
	"testing"
)

// L8, L10: the waiting pages of all applications stand on the gate's own host.
// Of two devices that wait, each sees its own number there, whatever address
// it opens.
func TestThreat_L8_OnTheGatesHostEachDeviceSeesItsOwnNumber(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, GateOptions{NoMail: true, Site: "padlock closed"})
	julie, first, _ := g.wait("julie", Accounts[1].Password)
	samuel, second, _ := g.wait("samuel", Accounts[2].Password)
	for tries := 0; second.Number() == first.Number(); tries++ { // two digits may be the same
		if tries > 5 {
			t.Fatal("every device is shown one number")
		}
		samuel, second, _ = g.wait("samuel", Accounts[2].Password)
	}
	if !strings.HasPrefix(first.URL.String(), g.Console.String()) {
		t.Errorf("the waiting page stands at %s", first.URL)
	}
	for _, c := range []struct {
		client *Client
		own    *Answer
		others *Answer
		user   string
	}{{julie, first, second, "samuel"}, {samuel, second, first, "julie"}} {
		for _, at := range []*Answer{c.own, c.others} {
			page := c.client.Visit(at.URL.String())
			if got := page.Number(); got != c.own.Number() {
				t.Errorf("%s shows %s to a device whose number is %s", at.URL, got, c.own.Number())
			}
			if strings.Contains(page.Text(), c.user) {
				t.Errorf("%s tells of %s to another's device", at.URL, c.user)
			}
		}
	}
	// A third device, which waits for nothing, sees no number at all.
	nobody := NewClient(t).Visit(first.URL.String())
	if tokenNumber.Match(nobody.Body) {
		t.Error("a device that waits for nothing is shown a number")
	}
}
