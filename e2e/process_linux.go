package e2e

import (
	"os/exec"
	"syscall"
)

// dieWithParent lets the kernel end a child when the test binary dies without
// its cleanups, as it does when it times out.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
