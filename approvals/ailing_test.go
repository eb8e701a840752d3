package approvals

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAChannelsLastErrorIsKeptWithWhenItWorkedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		mail := &channel{name: "email", fail: func(Notice) error {
			if away.Load() {
				return errors.New("421 try again\r\nlater")
			}
			return nil
		}}
		s := newService(t, with(mail), only(marie))
		go func() { _ = s.Run(t.Context()) }()
		synctest.Wait()
		look := func() (Ailing, bool) {
			t.Helper()
			all, err := s.Ailing(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			a, ok := all["email"]
			return a, ok
		}
		if _, err := s.Test(t.Context(), marie, "email"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if a, ok := look(); ok {
			t.Fatalf("before the first error: %+v", a)
		}
		away.Store(true)
		mustOpen(t, s, julie())
		synctest.Wait()
		failed, ok := look()
		if !ok || failed.Error != "421 try again later" || failed.At.IsZero() || !failed.Over.IsZero() {
			t.Fatalf("after an error: %+v", failed)
		}
		away.Store(false)
		time.Sleep(time.Hour) // it is tried again meanwhile
		synctest.Wait()
		if a, _ := look(); a.Over.IsZero() || a.Error != failed.Error || a.Over.Before(a.At) {
			t.Errorf("after it worked again: %+v", a)
		}
	})
}
