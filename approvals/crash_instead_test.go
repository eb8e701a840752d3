//go:build unix

package approvals

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/bolt"
)

// The orders of an approver whose push is refused for good: what makes up for
// it is another channel, or the one that would have come later.
var orders = map[string][]books.Channel{
	"another channel":       {{Name: "web_push"}},
	"the one that is later": {{Name: "web_push", Wait: 5 * time.Minute}, {Name: "email"}},
}

const (
	orderVariable  = "CADENAS_APPROVALS_TEST_ORDER"
	writesVariable = "CADENAS_APPROVALS_TEST_WRITES"
)

// pushless is a push that nobody can be reached by.
type pushless struct{}

func (pushless) Name() string { return "web_push" }

func (pushless) Notify(context.Context, Notice) error { return Permanent("410 Gone") }

// mortal is a store whose process is killed, by SIGKILL, once it wrote so
// many batches.
type mortal struct {
	store.Store
	left int
}

func (m *mortal) Apply(ctx context.Context, b store.Batch) error {
	if err := m.Store.Apply(ctx, b); err != nil {
		return err
	}
	if m.left--; m.left == 0 {
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return nil
}

func insteadConfig(st store.Store, order string, mail Notifier) Config {
	c := crashConfig(st, mail)
	a := marie
	a.Notify = orders[order]
	c.Admins = func() []books.Admin { return []books.Admin{a} }
	c.Notifiers, c.Alone = []Notifier{pushless{}, mail}, true
	return c
}

// openAndGiveUp opens one request whose notice is given up, and goes on until
// the outbox is empty; or dies after the batch it is told.
func openAndGiveUp(path string) error {
	kept, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		return err
	}
	left, err := strconv.Atoi(os.Getenv(writesVariable))
	if err != nil {
		return err
	}
	s := New(insteadConfig(&mortal{kept, left}, os.Getenv(orderVariable), printer{}))
	ctx := context.Background()
	if _, _, err := s.Open(ctx, julie()); err != nil {
		return err
	}
	d := &drain{s: s, app: app, busy: map[string]bool{}, poke: make(chan struct{}, 1)}
	for {
		if _, err := d.once(ctx); err != nil {
			return err
		}
		d.couriers.Wait()
		count := 0
		if err := s.eachParcel(ctx, app, func(parcel) { count++ }); err != nil || count == 0 {
			return err
		}
	}
}

// Kill -9 after each batch that giving a notice up takes: whoever has to be
// told otherwise is told, by one notice.
func TestKill9BetweenGivingUpAndTheOtherChannelLosesAndDoublesNothing(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for order := range orders {
		t.Run(order, func(t *testing.T) {
			for writes := 1; ; writes++ {
				path := filepath.Join(t.TempDir(), "cadenas.db")
				cmd := exec.CommandContext(t.Context(), self, path)
				cmd.Env = append(os.Environ(), childVariable+"=give-up", orderVariable+"="+order, fmt.Sprint(writesVariable, "=", writes))
				cmd.Stderr = os.Stderr
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				told := map[string]bool{}
				for read := bufio.NewScanner(out); read.Scan(); {
					told[read.Text()[strings.LastIndexByte(read.Text(), ' ')+1:]] = true
				}
				alive := cmd.Wait() == nil
				if !alive && cmd.ProcessState.ExitCode() != -1 {
					t.Fatalf("the child was not killed, it ended with %d", cmd.ProcessState.ExitCode())
				}
				afterGivingUp(t, path, order, told, writes)
				if !alive {
					continue
				}
				if writes < 5 { // asked; claimed and given up; claimed and sent
					t.Errorf("killed %d times only", writes-1)
				}
				return
			}
		})
	}
}

func afterGivingUp(t *testing.T, path, order string, told map[string]bool, writes int) {
	t.Helper()
	st := reopen(t, path)
	defer func() { _ = st.Close() }()
	mail := &channel{name: "email"}
	s := New(insteadConfig(st, order, mail))
	runUntil(t, s, func() bool {
		left := 0
		if err := s.eachParcel(t.Context(), app, func(parcel) { left++ }); err != nil {
			t.Error(err)
		}
		return left == 0
	})
	for _, n := range mail.got() {
		told[n.ID] = true
		if n.Instead != "web_push" || !strings.Contains(n.Why, "410") {
			t.Errorf("after %d batches the mail does not say what failed: %q, %q", writes, n.Instead, n.Why)
		}
	}
	if len(told) != 1 {
		t.Errorf("after %d batches %d notices came in its place: %v", writes, len(told), told)
	}
	all, err := s.Deliveries(t.Context(), app, 10)
	if err != nil {
		t.Fatal(err)
	}
	states := map[DeliveryState]int{}
	for _, d := range all {
		states[d.State]++
	}
	if len(all) != 2 || states[DeliveryFailed] != 1 || states[DeliverySent] != 1 {
		t.Errorf("after %d batches there are %v", writes, states)
	}
}
