package approvals

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestATextThatArrivesOrNotIsWrittenDownAndMadeUpForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := play(t, admins(julieAdmin, marie))
		mustOpen(t, x.Service, julie())
		synctest.Wait()
		text := x.sms.got()
		if len(text) != 1 || len(x.mail.got()) != 0 {
			t.Fatalf("%+v", text)
		}
		id := text[0].ID
		state := func() DeliveryState {
			t.Helper()
			list, err := x.Deliveries(t.Context(), app, 20)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range list {
				if d.Notice.ID == id {
					return d.State
				}
			}
			return ""
		}
		lost := errors.New("twilio 30003: the handset cannot be reached")
		for name, c := range map[string]struct{ channel, id string }{
			"another channel's": {"email", id}, "a notice that nobody knows": {"sms", "none"},
		} {
			if err := x.ToldLater(t.Context(), c.channel, app, c.id, lost); err != nil || state() != DeliverySent {
				t.Errorf("%s: %v, %s", name, err, state())
			}
		}
		for range 2 { // Twilio may say it twice
			if err := x.ToldLater(t.Context(), "sms", app, id, lost); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.ToldLater(t.Context(), "sms", app, id, nil); err != nil || state() != DeliveryFailed {
			t.Errorf("%v, %s", err, state())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		got := x.mail.got()
		if len(got) != 1 || got[0].To.Email != julieAdmin.Email || got[0].Instead != "sms" || !strings.Contains(got[0].Why, "30003") {
			t.Errorf("%+v", got)
		}
		if list := audited(t, x.Service, "notice.failed"); len(list) != 1 {
			t.Errorf("%+v", list)
		}
	})
}

func TestATextThatArrivedIsNotMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := play(t, admins(julieAdmin))
		mustOpen(t, x.Service, julie())
		synctest.Wait()
		id := x.sms.got()[0].ID
		if err := x.ToldLater(t.Context(), "sms", app, id, nil); err != nil {
			t.Fatal(err)
		}
		if err := x.ToldLater(t.Context(), "sms", app, id, errors.New("30003")); err != nil {
			t.Fatal(err)
		}
		list, err := x.Deliveries(t.Context(), app, 20)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			if d.Notice.ID == id && d.State != DeliveryArrived {
				t.Errorf("%+v", d)
			}
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if got := x.mail.got(); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	})
}
