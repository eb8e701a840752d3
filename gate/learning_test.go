package gate_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store/bolt"
)

// someone is a visit of a person who never came before, from one of a few
// hundred places.
func someone(n int) access.Visit {
	return access.Visit{
		User: fmt.Sprintf("u%07d", n*7919%10_000_000), Application: "register",
		Device:  access.Device{ID: fmt.Sprintf("device-%015d", n), Kind: access.Computer, Label: "Linux computer"},
		Browser: access.Browser{Family: "Chrome", Platform: "Linux", Version: "156"},
		Place:   access.Place{City: fmt.Sprintf("City %d", n%300), Country: "CA", Owner: "Bell", Address: netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})},
	}
}

// BenchmarkLearning is a connection that was never seen, behind an open
// padlock, until it is in the file: 10,000 a flush.
func BenchmarkLearning(b *testing.B) {
	st, err := bolt.Open(filepath.Join(b.TempDir(), "learning.db"), bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	g := gate.New(books.New(st), gate.Options{})
	g.Configure(gate.Application{Name: "register"})
	b.ReportAllocs()
	used := processorTime(b)
	n := 0
	for b.Loop() {
		if v, err := g.Check(b.Context(), someone(n), gate.Circumstance{}); err != nil || v.Answer != access.LetIn {
			b.Fatal(v, err)
		}
		if n++; n%10_000 == 0 {
			if err := g.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := g.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(processorTime(b)-used)/float64(b.N), "cpu-ns/op")
}

// processorTime is what this process has used of processors: on a machine
// that others use as well it says more than the clock.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
