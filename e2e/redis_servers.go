package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// RedisNode is one redis-server of several.
type RedisNode struct {
	// Addr is host:port.
	Addr string

	t       testing.TB
	args    []string
	log     *Log
	process *process
	client  *redis.Client
}

// redisUser and redisPassword are whom the gates are in a Redis of several
// nodes; the nodes among themselves are the default user.
const redisUser, redisPassword = "gate", "a-word/for:redis@only"

// redisACL is what docs/instances.md says that the user needs.
var redisACL = []string{"~cadenas:*", "+@read", "+@write", "+@scripting", "+@connection", "+time", "+info", "+cluster|slots", "+cluster|shards", "+command"}

func startRedisNode(t testing.TB, port int, args ...string) *RedisNode {
	t.Helper()
	n := &RedisNode{t: t, Addr: fmt.Sprintf("127.0.0.1:%d", port), args: append(args, "--port", strconv.Itoa(port), "--bind", "127.0.0.1"), log: newLog()}
	n.client = redis.NewClient(&redis.Options{Addr: n.Addr, MaxRetries: -1})
	t.Cleanup(func() {
		_ = n.client.Close()
		if n.process != nil {
			n.process.kill()
		}
	})
	n.Start()
	return n
}

// keepingNode is a node that has on disk what it acknowledged.
func keepingNode(t testing.TB, args ...string) *RedisNode {
	t.Helper()
	n := startRedisNode(t, FreePort(t), append([]string{"--dir", t.TempDir(), "--appendonly", "yes", "--save", "", "--repl-diskless-sync-delay", "0"}, args...)...)
	n.grant()
	return n
}

// grant makes the gates' user; a node that starts again has to be told anew.
func (n *RedisNode) grant() {
	n.t.Helper()
	words := []any{"ACL", "SETUSER", redisUser, "on", ">" + redisPassword}
	for _, w := range redisACL {
		words = append(words, w)
	}
	Eventually(n.t, func() error { return n.client.Do(n.t.Context(), words...).Err() })
}

// Start starts the node, again after Kill.
func (n *RedisNode) Start() {
	n.t.Helper()
	binary := need(n.t, "Debian has it in redis-server", "redis-server", "valkey-server")
	n.process = start(n.t, "redis", n.log, exec.CommandContext(context.Background(), binary, n.args...))
	awaitListener(n.t, n.Addr, n.process)
}

// Kill ends the node as a power cut does.
func (n *RedisNode) Kill() {
	n.t.Helper()
	n.process.kill()
	n.process = nil
}

// await waits until a section of the node's INFO has a text.
func (n *RedisNode) await(section, text string) {
	n.t.Helper()
	Eventually(n.t, func() error {
		info, err := n.client.Info(n.t.Context(), section).Result()
		if err != nil {
			return err
		}
		if !strings.Contains(info, text) {
			return fmt.Errorf("%s does not say %s: %s", n.Addr, text, info)
		}
		return nil
	})
}

// Master reports whether the node takes writes.
func (n *RedisNode) Master() bool {
	info, err := n.client.Info(n.t.Context(), "replication").Result()
	return err == nil && strings.Contains(info, "role:master")
}

// login is the gates' user in a URL.
func login() string { return url.UserPassword(redisUser, redisPassword).String() + "@" }

// Sentinels are three of them, which watch a master and its replica.
type Sentinels struct {
	// URLs is what `store redis` takes.
	URLs             string
	Sentinels, Nodes []*RedisNode
}

// StartSentinels returns once each Sentinel knows the others and the replica.
func StartSentinels(t testing.TB) *Sentinels {
	t.Helper()
	master := keepingNode(t)
	_, port, _ := strings.Cut(master.Addr, ":")
	replica := keepingNode(t, "--replicaof", "127.0.0.1 "+port)
	replica.await("replication", "master_link_status:up")
	s := &Sentinels{Nodes: []*RedisNode{master, replica}}
	var urls []string
	for range 3 {
		file := filepath.Join(t.TempDir(), "sentinel.conf")
		text := "sentinel monitor gate 127.0.0.1 " + port + " 2\nsentinel down-after-milliseconds gate 500\nsentinel failover-timeout gate 3000\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := FreePort(t)
		n := &RedisNode{t: t, Addr: fmt.Sprintf("127.0.0.1:%d", at), log: newLog(), args: []string{file, "--port", strconv.Itoa(at), "--bind", "127.0.0.1", "--sentinel"}}
		n.client = redis.NewClient(&redis.Options{Addr: n.Addr})
		t.Cleanup(func() {
			_ = n.client.Close()
			if n.process != nil {
				n.process.kill()
			}
		})
		n.Start()
		s.Sentinels = append(s.Sentinels, n)
		urls = append(urls, "redis://"+login()+n.Addr+"?master_name=gate")
	}
	for _, n := range s.Sentinels {
		n.await("sentinel", "slaves=1,sentinels=3")
	}
	s.URLs = strings.Join(urls, " ")
	return s
}

// Master is the node that takes writes now.
func (s *Sentinels) Master() *RedisNode {
	s.Nodes[0].t.Helper()
	return master(s.Nodes[0].t, s.Nodes)
}

// master waits until one of the nodes that run is one.
func master(t testing.TB, nodes []*RedisNode) (found *RedisNode) {
	t.Helper()
	Eventually(t, func() error {
		for _, n := range nodes {
			if n.process != nil && n.Master() {
				found = n
				return nil
			}
		}
		return fmt.Errorf("none of %d nodes is a master", len(nodes))
	})
	return found
}

// RedisCluster is a cluster of six: three masters with a replica each.
type RedisCluster struct {
	// URLs is what `store redis` takes.
	URLs  string
	Nodes []*RedisNode
}

// StartRedisCluster returns once all nodes serve all slots.
func StartRedisCluster(t testing.TB) *RedisCluster {
	t.Helper()
	c := &RedisCluster{}
	words := []string{"--cluster", "create"}
	var urls []string
	for range 6 {
		n := keepingNode(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(FreePort(t)), "--cluster-node-timeout", "2000")
		c.Nodes = append(c.Nodes, n)
		words = append(words, n.Addr)
		urls = append(urls, "redis://"+login()+n.Addr)
	}
	cli := need(t, "Debian has it in redis-tools", "redis-cli", "valkey-cli")
	words = append(words, "--cluster-replicas", "1", "--cluster-yes")
	if out, err := exec.CommandContext(t.Context(), cli, words...).CombinedOutput(); err != nil { //nolint:gosec // of ourselves
		t.Fatalf("making a cluster: %v\n%s", err, out)
	}
	for _, n := range c.Nodes {
		Eventually(t, func() error {
			info, err := n.client.ClusterInfo(t.Context()).Result()
			if err != nil {
				return err
			}
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_slots_ok:16384") {
				return fmt.Errorf("%s is not ready: %s", n.Addr, info)
			}
			return nil
		})
		if !n.Master() {
			n.await("replication", "master_link_status:up")
		}
	}
	c.URLs = strings.Join(urls, " ")
	return c
}

// Holder is the master that keeps a partition of the store.
func (c *RedisCluster) Holder(partition string) *RedisNode {
	t := c.Nodes[0].t
	t.Helper()
	var found *RedisNode
	Eventually(t, func() error {
		for _, n := range c.Nodes {
			if n.process == nil || !n.Master() {
				continue
			}
			slot, err := n.client.ClusterKeySlot(t.Context(), "cadenas:{"+partition+"}:index").Result()
			if err != nil {
				return err
			}
			if held, err := n.client.ClusterCountKeysInSlot(t.Context(), int(slot)).Result(); err == nil && held > 0 {
				found = n
				return nil
			}
		}
		return fmt.Errorf("no master holds %s", partition)
	})
	return found
}
