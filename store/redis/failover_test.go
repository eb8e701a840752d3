package redis_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/redis"
	"github.com/cadenas-gateway/cadenas/store/storetest"
)

// pair is a master with a replica that follows it.
func pair(t *testing.T, args ...string) (master, replica *server) {
	t.Helper()
	master = start(t, append([]string{"--repl-diskless-sync-delay", "0"}, args...)...)
	replica = start(t, append([]string{"--replicaof", "127.0.0.1 " + fmt.Sprint(master.port)}, args...)...)
	eventually(t, func() error { return following(replica) })
	return master, replica
}

func following(replica *server) error {
	info, err := replica.plain().Info(replica.t.Context(), "replication").Result()
	if err != nil {
		return err
	}
	if !strings.Contains(info, "master_link_status:up") {
		return fmt.Errorf("no replica yet: %s", info)
	}
	return nil
}

// sentinels starts three of them over a master.
func sentinels(t *testing.T, master *server) (urls []string) {
	t.Helper()
	var all []*server
	for range 3 {
		s := &server{t: t, dir: folder(t), port: freePort(t)}
		config := fmt.Sprintf("sentinel monitor gate 127.0.0.1 %d 2\nsentinel down-after-milliseconds gate 500\n"+
			"sentinel failover-timeout gate 3000\nsentinel resolve-hostnames no\n", master.port)
		if err := os.WriteFile(pathIn(s.dir, "sentinel.conf"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		s.config, s.args = pathIn(s.dir, "sentinel.conf"), []string{"--sentinel"}
		s.run()
		t.Cleanup(func() { s.signal(syscall.SIGKILL) })
		all = append(all, s)
		urls = append(urls, s.url()+"?master_name=gate")
	}
	for _, s := range all {
		eventually(t, func() error {
			info, err := s.plain().Info(t.Context(), "sentinel").Result()
			if err != nil {
				return err
			}
			if !strings.Contains(info, "slaves=1,sentinels=3") {
				return fmt.Errorf("a Sentinel does not know the others yet: %s", info)
			}
			return nil
		})
	}
	return urls
}

func TestSentinelsNameTheNewMasterAfterAKill(t *testing.T) {
	t.Parallel()
	master, _ := pair(t)
	urls := sentinels(t, master)
	o := redis.Options{Prefix: fresh()}
	one, other := open(t, o, urls...), open(t, o, urls[0])
	shared(t, one, other)

	events := watching(t, other, "app/")
	put(t, one, "app/before", "v")
	if ev := next(t, events); ev.Key != "app/before" {
		t.Fatalf("got %+v", ev)
	}
	busy := work(t, one, other)
	busy.enough(100)
	busy.promise(func() {
		if n := master.do("WAIT", 1, 10000); n != int64(1) {
			t.Fatalf("%v replicas have it", n)
		}
	})
	master.signal(syscall.SIGKILL)
	written(t, one, "app/after")
	found(t, other, "app/before")
	seen(t, events, "app/after")
	busy.enough(100)
	busy.check(one)
	busy.check(other)
}

// cluster starts six nodes, three of them masters with a replica each.
func cluster(t *testing.T) []*server {
	t.Helper()
	var nodes []*server
	args := []string{"--cluster", "create"}
	for range 6 {
		n := start(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0")
		nodes = append(nodes, n)
		args = append(args, address(n.port))
	}
	args = append(args, "--cluster-replicas", "1", "--cluster-yes")
	cli, err := exec.LookPath("redis-cli")
	if err != nil {
		t.Fatalf("a cluster is made with redis-cli: %v", err)
	}
	if out, err := exec.CommandContext(t.Context(), cli, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, n := range nodes {
		eventually(t, func() error {
			info, err := n.plain().ClusterInfo(t.Context()).Result()
			if err != nil {
				return err
			}
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_slots_ok:16384") {
				return fmt.Errorf("the cluster is not ready: %s", info)
			}
			if !strings.Contains(fmt.Sprint(n.do("ROLE")), "master") {
				return following(n)
			}
			return nil
		})
	}
	return nodes
}

func TestAClusterIsAStoreAndSurvivesFailovers(t *testing.T) {
	t.Parallel()
	nodes := cluster(t)
	t.Run("it is a store", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store {
			return open(t, redis.Options{Prefix: fresh()}, nodes[0].url(), nodes[1].url())
		})
	})
	t.Run("one address is enough, a replica's too", func(t *testing.T) {
		o := redis.Options{Prefix: fresh()}
		for i, n := range nodes {
			st := open(t, o, n.url())
			put(t, st, fmt.Sprintf("app%d/k", i), "v")
			want(t, st, "app0/k", "v")
			if got, err := st.Partitions(t.Context()); err != nil || len(got) != i+1 {
				t.Errorf("partitions %q, %v", got, err)
			}
		}
	})
	o := redis.Options{Prefix: fresh()}
	one, other := open(t, o, nodes[0].url(), nodes[1].url(), nodes[2].url()), open(t, o, nodes[3].url())
	events := watching(t, other, "app/")
	put(t, one, "app/before", "v")
	if ev := next(t, events); ev.Key != "app/before" {
		t.Fatalf("got %+v", ev)
	}
	t.Run("a failover by hand loses nothing", func(t *testing.T) {
		master, replica := holders(t, nodes, o.Prefix)
		replica.do("CLUSTER", "FAILOVER")
		eventually(t, func() error {
			if role := fmt.Sprint(master.do("ROLE")); !strings.Contains(role, "slave") {
				return fmt.Errorf("the old master is %s", role)
			}
			return nil
		})
		put(t, one, "app/moved", "v")
		want(t, other, "app/before", "v")
		if ev := next(t, events); ev.Key != "app/moved" {
			t.Errorf("got %+v, want the event without a gap", ev)
		}
	})
	t.Run("a master that is killed is replaced", func(t *testing.T) {
		master, replica := holders(t, nodes, o.Prefix)
		if n := master.do("WAIT", 1, 10000); n != int64(1) {
			t.Fatalf("%v replicas have everything", n)
		}
		master.signal(syscall.SIGKILL)
		eventually(t, func() error {
			if role := fmt.Sprint(replica.do("ROLE")); !strings.Contains(role, "master") {
				return fmt.Errorf("the replica is %s\n%s", role, replica.out)
			}
			return nil
		})
		written(t, one, "app/after")
		found(t, other, "app/moved")
		seen(t, events, "app/after")
	})
}

// holders returns the master and the replica that have the partition "app".
func holders(t *testing.T, nodes []*server, prefix string) (master, replica *server) {
	t.Helper()
	for _, n := range nodes {
		if keys, ok := n.do("CLUSTER", "GETKEYSINSLOT", n.do("CLUSTER", "KEYSLOT", prefix+":{app}:index"), 100).([]any); !ok || len(keys) == 0 {
			continue
		}
		if strings.Contains(fmt.Sprint(n.do("ROLE")), "master") {
			master = n
		} else {
			replica = n
		}
	}
	if master == nil || replica == nil {
		t.Fatal("the partition has no master, or no replica")
	}
	eventually(t, func() error { return following(replica) })
	return master, replica
}

// A failover forgets what the replica had not got. Whoever had seen it is
// told, however quiet it is afterwards.
func TestAFailoverThatLosesWritesIsAGap(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]func(t *testing.T, st store.Store){
		"and nothing is written afterwards": func(*testing.T, store.Store) {},
		"and others are written instead": func(t *testing.T, st store.Store) {
			written(t, st, "app/instead")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			master, replica := pair(t)
			urls := sentinels(t, master)
			st := open(t, redis.Options{Prefix: fresh()}, urls...)
			events := watching(t, st, "app/")
			put(t, st, "app/kept", "v")
			if n := master.do("WAIT", 1, 10000); n != int64(1) {
				t.Fatalf("%v replicas have it", n)
			}
			// The replica hears nothing more, and the master goes on for a
			// moment. Its socket's buffer is not read before the master is gone.
			replica.do("REPLICAOF", "127.0.0.1", fmt.Sprint(freePort(t)))
			put(t, st, "app/lost", "v")
			seen(t, events, "app/lost")
			replica.do("REPLICAOF", "NO", "ONE")
			master.signal(syscall.SIGKILL)
			after(t, st)
			deadline := time.After(patience)
			for {
				select {
				case ev := <-events:
					if errors.Is(ev.Err, store.ErrGap) {
						return
					}
				case <-deadline:
					t.Fatal("an event that was lost was never taken back")
				}
			}
		})
	}
}

// written tries to write until a new master takes it.
func written(t *testing.T, st store.Store, key string) {
	t.Helper()
	eventually(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return st.Apply(ctx, store.Batch{Writes: []store.Write{{Key: key, Value: []byte("v")}}})
	})
}

// found tries to read until a new master answers: what was there is there.
func found(t *testing.T, st store.Store, key string) {
	t.Helper()
	eventually(t, func() error {
		_, err := st.Get(t.Context(), key)
		if errors.Is(err, store.ErrNotFound) {
			t.Fatalf("%q is lost", key)
		}
		return err
	})
}

// seen waits for an event; a failover may put gaps before it.
func seen(t *testing.T, events <-chan store.Event, key string) {
	t.Helper()
	for next(t, events).Key != key {
	}
}

// shared sees that two handles have one store.
func shared(t *testing.T, one, other store.Store) {
	t.Helper()
	put(t, one, "app/k", "v")
	want(t, other, "app/k", "v")
	err := other.Apply(t.Context(), store.Batch{Checks: []store.Check{{Key: "app/k"}}, Writes: []store.Write{{Key: "app/k"}}})
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
}
