//go:build unix

package approvals

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/bolt"
)

// A child is this test binary run again; it works until it is killed.
const childVariable = "CADENAS_APPROVALS_TEST_CHILD"

func TestMain(m *testing.M) {
	var work func(path string) error
	switch os.Getenv(childVariable) {
	case "":
		os.Exit(m.Run())
	case "hang":
		work = openAndHang
	case "give-up":
		work = openAndGiveUp
	case "load":
		work = openAndDecide
	}
	if err := work(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// crashKey is the same in all processes: what is tried here is the store.
var crashKey = []byte("0123456789abcdef0123456789abcdef")

func crashConfig(st store.Store, n Notifier) Config {
	return Config{
		Books: books.New(st),
		Ring: func() *seal.Ring {
			ring, err := seal.NewRing(map[byte][]byte{1: crashKey}, 1)
			if err != nil {
				panic(err)
			}
			return ring
		},
		Admins:       func() []books.Admin { return []books.Admin{marie} },
		Applications: func() []string { return []string{app} },
		Application:  func(string) Application { return Application{Name: "Registre"} },
		Console:      "https://gate.example.com",
		Notifiers:    []Notifier{n},
		Caps:         Caps{PerUser: 1 << 20, PerNetwork: 1 << 20, PerApplication: 1 << 20, NoticesPerHour: 1 << 20},
		Log:          slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// printer is a channel that says on standard output what it was handed, and
// then hangs where it is told to.
type printer struct{ hang bool }

func (printer) Name() string { return "email" }

func (p printer) Notify(ctx context.Context, n Notice) error {
	if _, err := fmt.Println("sent", n.Ask.ID, n.ID); err != nil {
		return err
	}
	if p.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// openAndHang opens one request; its notice is claimed and never finished.
func openAndHang(path string) error {
	st, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		return err
	}
	s := New(crashConfig(st, printer{hang: true}))
	ask, _, err := s.Open(context.Background(), julie())
	if err != nil {
		return err
	}
	if _, err := fmt.Println("open", ask.ID); err != nil {
		return err
	}
	return s.Run(context.Background())
}

// openAndDecide opens and decides requests for ever, and says what was
// acknowledged.
func openAndDecide(path string) error {
	st, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		return err
	}
	s := New(crashConfig(st, printer{}))
	ctx := context.Background()
	go func() { _ = s.Run(ctx) }()
	failed := make(chan error, 4)
	for w := range cap(failed) {
		go func() {
			for i := 0; ; i++ {
				if err := openOne(ctx, s, fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i), i); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

func openOne(ctx context.Context, s *Service, name string, i int) error {
	a := julie()
	a.Person.User, a.Person.Email, a.Device.ID = "user "+name, "", "device "+name
	ask, _, err := s.Open(ctx, a)
	if err != nil {
		return err
	}
	if _, err := fmt.Println("open", ask.ID); err != nil {
		return err
	}
	c := approve(ask, marie)
	switch i % 4 {
	case 1:
		c.Width = WidthFull
	case 2:
		c.Effect = access.Refuse
	case 3:
		return nil
	}
	if _, err := s.Decide(ctx, c); err != nil {
		return err
	}
	_, err = fmt.Println(map[int]string{0: "approve", 1: "full", 2: "refuse"}[i%4], ask.ID)
	return err
}

// killAfter runs a child and kills it, by SIGKILL, after some lines. What it
// said until then is returned.
func killAfter(t *testing.T, work, path string, lines int) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, path)
	cmd.Env = append(os.Environ(), childVariable+"="+work)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	read := bufio.NewScanner(out)
	for read.Scan() {
		said = append(said, read.Text())
		if len(said) == lines {
			_ = cmd.Process.Kill() // what is in the pipe was acknowledged too
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v, after %d lines", err, len(said))
	}
	return said
}

func reopen(t *testing.T, path string) store.Store {
	t.Helper()
	st, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// runUntil runs a service until done or a while has passed.
func runUntil(t *testing.T, s *Service, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Run(ctx)
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Error("not done in time")
			<-ended
			return
		}
	}
	cancel()
	<-ended
}

func TestANoticeKilledInMidSendGoesOutAfterTheRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cadenas.db")
	said := killAfter(t, "hang", path, 2) // opened, and being sent
	if len(said) != 2 {
		t.Fatalf("%q", said)
	}
	st := reopen(t, path)
	defer func() { _ = st.Close() }()
	mail := &channel{name: "email"}
	c := crashConfig(st, mail)
	c.Clock = func() time.Time { return time.Now().Add(leaseFor) } // the dead one's claim has run out
	runUntil(t, New(c), func() bool { return len(mail.got()) > 0 })
	if got := mail.got(); len(got) != 1 || !strings.Contains(strings.Join(said, " "), got[0].ID) {
		t.Errorf("%+v for %q", got, said)
	}
}

func TestKill9LosesNoRequestNoGrantAndNoNotice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cadenas.db")
	acknowledged := map[string]string{} // request: the last thing said of it
	told := map[string]bool{}
	for range 4 {
		n, err := rand.Int(rand.Reader, big.NewInt(150))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range killAfter(t, "load", path, 20+int(n.Int64())) {
			words := strings.Fields(line)
			if words[0] == "sent" {
				told[words[1]] = true
			} else {
				acknowledged[words[1]] = words[0]
			}
		}
	}
	st := reopen(t, path)
	defer func() { _ = st.Close() }()
	mail := &channel{name: "email"}
	c := crashConfig(st, mail)
	c.Clock = func() time.Time { return time.Now().Add(leaseFor) }
	s := New(c)
	ctx := t.Context()
	runUntil(t, s, func() bool {
		left := 0
		if err := s.eachParcel(ctx, app, func(parcel) { left++ }); err != nil {
			t.Error(err)
		}
		asks, err := s.List(ctx, app, "", 100_000)
		if err != nil {
			t.Error(err)
		}
		return left == 0 && !slices.ContainsFunc(asks, func(a AccessRequest) bool { return a.State == Deciding })
	})
	for _, n := range mail.got() {
		told[n.Ask.ID] = true
	}
	rules := map[string]access.Rule{}
	all, err := s.conf.Books.Rules.All(ctx, app)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		rules[r.ID] = r
	}
	asks, err := s.List(ctx, app, "", 100_000)
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]AccessRequest{}
	ofRule := map[string]bool{}
	for _, ask := range asks {
		kept[ask.ID] = ask
		ofRule[ask.Decision.RuleID] = true
		u, err := s.conf.Books.Users.Get(ctx, ask.Person.User)
		if err != nil {
			t.Fatal(err)
		}
		full := ask.State == Approved && ask.Decision.Width == WidthFull
		if u.HasFullAccess(app) != full {
			t.Errorf("%s is %s with width %q, full access %v", ask.ID, ask.State, ask.Decision.Width, u.HasFullAccess(app))
		}
		if ask.State == Deciding {
			t.Errorf("%s was left in the middle", ask.ID)
		}
		if _, ok := rules[ask.Decision.RuleID]; ok != (ask.State == Approved && !full) {
			t.Errorf("%s is %s, and its rule: %v", ask.ID, ask.State, ok)
		}
		if ask.State == Waiting && !told[ask.ID] {
			t.Errorf("nobody was told of %s", ask.ID)
		}
		if got, err := s.ForHolder(ctx, app, ask.Device.ID, ask.LoginID); err != nil || got.ID != ask.ID {
			t.Errorf("%s is not its holder's: %v", ask.ID, err)
		}
	}
	for id := range rules {
		if !ofRule[id] {
			t.Errorf("rule %s belongs to no request", id)
		}
	}
	want := map[string]State{"approve": Approved, "full": Approved, "refuse": Refused}
	for id, last := range acknowledged {
		ask, ok := kept[id]
		if !ok {
			t.Errorf("%s was acknowledged (%s) and is gone", id, last)
		} else if st, decided := want[last]; decided && ask.State != st {
			t.Errorf("%s was acknowledged as %s and is %s", id, last, ask.State)
		}
	}
	t.Logf("%d requests, %d acknowledged, %d told", len(kept), len(acknowledged), len(told))
}
