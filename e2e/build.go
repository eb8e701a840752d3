package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// cacheDir is where tests keep what is dear to make, outside the repository.
func cacheDir() (string, error) {
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("finding the cache folder: %w", err)
		}
		cache = filepath.Join(home, ".cache")
	}
	return filepath.Join(cache, "cadenas-tests"), nil
}

// moduleDir is the root of this repository.
var moduleDir = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
})

// caddyBinary builds ./cmd/caddy, once in a test binary, and returns a
// program that stays as it is when somebody builds again meanwhile.
var caddyBinary = sync.OnceValues(func() (string, error) {
	root, err := moduleDir()
	if err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder: %w", err)
	}
	// One build at a time on this machine. Built at a lasting path, so that
	// go build finds it up to date the next time.
	lock, err := os.OpenFile(filepath.Join(cache, "build.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", fmt.Errorf("locking the build: %w", err)
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("locking the build: %w", err)
	}
	built := filepath.Join(cache, "caddy")
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-s -w",
		"-tags", "nobadger,nomysql,nopgx", "-o", built, "./cmd/caddy")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building Caddy: %w\n%s", err, out)
	}
	// A second name for the same file: a later build replaces the file at the
	// first name and leaves this one alone. Those of dead tests are removed.
	names, _ := filepath.Glob(filepath.Join(cache, "caddy-*"))
	for _, name := range names {
		pid := strings.TrimPrefix(filepath.Base(name), "caddy-")
		if _, err := os.Stat(filepath.Join("/proc", pid)); os.IsNotExist(err) {
			_ = os.Remove(name)
		}
	}
	mine := filepath.Join(cache, fmt.Sprintf("caddy-%d", os.Getpid()))
	_ = os.Remove(mine)
	if err := os.Link(built, mine); err != nil {
		return "", fmt.Errorf("keeping the program: %w", err)
	}
	return mine, nil
})

// CaddyBinary returns the path of Caddy with Cadenas, built from this tree;
// E2E_CADDY names another one to test, as xcaddy built it.
func CaddyBinary(t testing.TB) string {
	t.Helper()
	if other := os.Getenv("E2E_CADDY"); other != "" {
		return other
	}
	path, err := caddyBinary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
