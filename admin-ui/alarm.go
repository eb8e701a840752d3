package adminui

import (
	"errors"
	"syscall"
	"time"
)

// alarm says what is wrong with the store, for every room and in place of a
// room that cannot be read; ok is false while all is well.
func (v *visit) alarm() (words string, ok bool) {
	t, ok := v.Gate.Trouble()
	if !ok {
		return "", false
	}
	since := v.say.Time(t.Since)
	if v.now.Sub(t.Since) > 12*time.Hour {
		since = v.say.When(t.Since, v.now)
	}
	switch {
	case t.Closed:
		return v.say.Text("console.store.closed", "since", since), true
	case t.Away:
		return v.say.Text("console.store.away", "since", since, "until", v.say.Time(t.Until)), true
	case errors.Is(t.Err, syscall.ENOSPC), errors.Is(t.Err, syscall.EDQUOT):
		return v.say.Text("console.store.full", "since", since), true
	case errors.Is(t.Err, syscall.EROFS), errors.Is(t.Err, syscall.EACCES), errors.Is(t.Err, syscall.EPERM):
		return v.say.Text("console.store.read_only", "since", since), true
	}
	return v.say.Text("console.store.broken", "since", since), true
}
