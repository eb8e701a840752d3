package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// process is a child of the test: its output is kept, and it never outlives
// the test.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   *Log
	ended chan struct{}
	// err is what Wait said; read it after ended.
	err error
}

// stopTime is how long a process may take to end when it is asked to.
const stopTime = 15 * time.Second

// start runs a command; its standard output and error go to log.
func start(t testing.TB, name string, log *Log, cmd *exec.Cmd) *process {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	cmd.Stdout, cmd.Stderr = writer, writer
	dieWithParent(cmd)
	err = cmd.Start()
	_ = writer.Close()
	if err != nil {
		_ = reader.Close()
		t.Fatalf("starting %s: %v", name, err)
	}
	p := &process{name: name, cmd: cmd, log: log, ended: make(chan struct{})}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		log.read(reader)
		_ = reader.Close()
	}()
	go func() {
		p.err = cmd.Wait()
		// A grandchild may hold the pipe open: then the log ends without it.
		select {
		case <-drained:
		case <-time.After(time.Second):
		}
		close(p.ended)
	}()
	return p
}

// running reports whether the process has not ended.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// stop asks the process to end, and kills it when it does not. The error says
// how it ended, when that was not by itself and with success.
func (p *process) stop() error {
	if !p.running() {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopTime):
		p.kill()
		return fmt.Errorf("%s did not end within %s of SIGTERM", p.name, stopTime)
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
			return nil
		}
		return fmt.Errorf("%s ended with %w", p.name, p.err)
	}
	return nil
}

// kill ends the process with SIGKILL and returns when it has ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// need returns the path of a program, the first of names that is installed,
// or fails the test saying what to install.
func need(t testing.TB, install string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed: %s (./test.sh does it)", names[0], install)
	return ""
}
