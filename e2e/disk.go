package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// SmallDisk is a file system of its own in memory, for one Caddy's store: it
// can be full, and it can be read-only.
type SmallDisk struct {
	// Dir is where Caddy sees it.
	Dir string
	// ReadOnly lets nothing be written to it, from the start.
	ReadOnly bool

	t    testing.TB
	size int
	c    *Caddy
}

// NewSmallDisk makes a disk of some bytes. It exists while the Caddy runs that
// was started with On.
func NewSmallDisk(t testing.TB, size int) *SmallDisk {
	t.Helper()
	return &SmallDisk{Dir: t.TempDir(), t: t, size: size}
}

// On starts a Caddy with the disk: in a mount namespace of its own, which
// needs no right that a user of this machine has not.
func (d *SmallDisk) On() Setting {
	return func(c *Caddy) {
		d.c = c
		unshare := need(d.t, "Debian has it in util-linux", "unshare")
		c.around = func(cmd *exec.Cmd) *exec.Cmd {
			how := "mode=700"
			if d.ReadOnly {
				how = "ro"
			}
			script := fmt.Sprintf(`mount -t tmpfs -o size=%d,%s tmpfs "$0" && exec "$@"`, d.size, how)
			args := append([]string{"--user", "--map-root-user", "--mount", "sh", "-c", script, d.Dir}, cmd.Args...)
			around := exec.CommandContext(context.Background(), unshare, args...) //nolint:gosec // of ourselves
			around.Dir, around.Env = cmd.Dir, cmd.Env
			return around
		}
	}
}

// inside is the disk as others see it: through the process that has it.
func (d *SmallDisk) inside() string {
	return filepath.Join("/proc", fmt.Sprint(d.c.process.cmd.Process.Pid), "root", d.Dir)
}

// Fill leaves no byte free.
func (d *SmallDisk) Fill() {
	d.t.Helper()
	f, err := os.Create(filepath.Join(d.inside(), "filler"))
	if err != nil {
		d.t.Fatal(err)
	}
	_, err = io.Copy(f, io.LimitReader(zeros{}, int64(d.size)))
	if err := errors.Join(err, f.Close()); !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatalf("the disk is not full: %v", err)
	}
}

// Free makes room again.
func (d *SmallDisk) Free() {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.inside(), "filler")); err != nil {
		d.t.Fatal(err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return copy(b, bytes.Repeat([]byte{0}, len(b))), nil }
