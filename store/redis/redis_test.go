package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/redis"
	"github.com/cadenas-gateway/cadenas/store/storetest"
)

var prefixes atomic.Int64

// fresh is a prefix that no other test uses: an empty store on a server that
// tests share.
func fresh() string { return fmt.Sprintf("test%d", prefixes.Add(1)) }

func TestRedisIsAStore(t *testing.T) {
	t.Parallel()
	s := start(t)
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, redis.Options{Prefix: fresh()}, s.url())
	})
}

func TestTwoInstancesShareAStore(t *testing.T) {
	t.Parallel()
	s := start(t)
	storetest.RunShared(t, func(t *testing.T) (one, other store.Store) {
		o := redis.Options{Prefix: fresh()}
		return open(t, o, s.url()), open(t, o, s.url())
	})
}

func TestAStoreIsReachedBySocketPasswordAndTLS(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	certificate(t, pathIn(dir, "cert.pem"), pathIn(dir, "key.pem"))
	tlsPort := freePort(t)
	s := start(t, "--unixsocket", pathIn(dir, "sock"),
		"--tls-port", fmt.Sprint(tlsPort), "--tls-cert-file", pathIn(dir, "cert.pem"), "--tls-key-file", pathIn(dir, "key.pem"),
		"--tls-ca-cert-file", pathIn(dir, "cert.pem"))
	s.do("ACL", "SETUSER", "gate", "on", ">s3cret/@:", "~cadenas:*", "+@read", "+@write", "+@scripting", "+@connection", "+time")
	s.do("CONFIG", "SET", "requirepass", "other")

	login := url.UserPassword("gate", "s3cret/@:").String() + "@"
	var first store.Store
	for name, raw := range map[string]string{
		"an ACL user":   "redis://" + login + address(s.port),
		"a Unix socket": "unix://" + login + pathIn(dir, "sock"),
		"TLS both ways": "rediss://" + login + address(tlsPort) + "?tls_ca=" + pathIn(dir, "cert.pem") + "&tls_cert=" + pathIn(dir, "cert.pem") + "&tls_key=" + pathIn(dir, "key.pem"),
	} {
		st := open(t, redis.Options{}, raw)
		put(t, st, "app/"+name, name)
		want(t, st, "app/"+name, name)
		if got, err := st.Partitions(t.Context()); err != nil || len(got) != 1 {
			t.Errorf("%s: partitions %q, %v", name, got, err)
		}
		if w := st.Warnings(t.Context()); len(w) != 0 {
			t.Errorf("%s: the settings may not be read, yet: %q", name, w)
		}
		first = st
	}
	events, err := first.Watch(t.Context(), "app/")
	if err != nil {
		t.Fatal(err)
	}
	put(t, first, "app/k", "v")
	if ev := next(t, events); ev.Key != "app/k" {
		t.Errorf("got %+v", ev)
	}

	for name, raw := range map[string]string{
		"no password":              s.url(),
		"a wrong password":         "redis://gate:wr0ng@" + address(s.port),
		"a certificate of nobody":  "rediss://" + login + address(tlsPort) + "?tls_cert=" + pathIn(dir, "cert.pem") + "&tls_key=" + pathIn(dir, "key.pem"),
		"no certificate of ours":   "rediss://" + login + address(tlsPort) + "?tls_ca=" + pathIn(dir, "cert.pem"),
		"a name that is not there": "rediss://" + login + address(tlsPort) + "?tls_server_name=other&tls_ca=" + pathIn(dir, "cert.pem"),
		"nobody listens":           "redis://" + login + address(freePort(t)),
	} {
		u, err := redis.Parse(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err = redis.Open(t.Context(), u, redis.Options{Wait: 300 * time.Millisecond})
		if err == nil {
			t.Errorf("%s: opened", name)
			continue
		}
		if !strings.Contains(err.Error(), "127.0.0.1") || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "wr0ng") {
			t.Errorf("%s: %q does not name the address, or names the password", name, err)
		}
	}
}

func TestURLs(t *testing.T) {
	for _, c := range []struct {
		name string
		urls []string
		want string // of the error; "" for none
	}{
		{"a single server", []string{"redis://localhost"}, ""},
		{"Sentinels", []string{"redis://a:26379/2?master_name=m", "redis://b:26379"}, ""},
		{"nodes of a cluster", []string{"redis://a", "redis://b"}, ""},
		{"none", nil, "no URL"},
		{"another scheme", []string{"http://s3cret@a"}, `scheme "http"`},
		{"no URL at all", []string{"redis://:s3cret@[a"}, "not a URL"},
		{"an unknown parameter", []string{"redis://:s3cret@a?colour=red"}, "colour"},
		{"a database in a cluster", []string{"redis://a/1", "redis://b"}, "database 0 only"},
		{"TLS for one of two", []string{"redis://a", "rediss://b"}, "mixed"},
		{"a socket among others", []string{"redis://a", "unix:///s"}, "stands alone"},
		{"a cluster with a master", []string{"redis://a?cluster=true&master_name=m"}, "exclude"},
		{"two masters", []string{"redis://a?master_name=m", "redis://b?master_name=n"}, "differs"},
		{"TLS words without TLS", []string{"redis://a?tls_ca=/x"}, "rediss"},
		{"a CA file that is not there", []string{"rediss://a?tls_ca=/nowhere.pem"}, "nowhere.pem"},
		{"half a certificate", []string{"rediss://a?tls_cert=/nowhere.pem"}, "tls_cert"},
		{"cluster=perhaps", []string{"redis://a?cluster=perhaps"}, "want true or false"},
	} {
		_, err := redis.Parse(c.urls...)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %q has the password", c.name, err)
		}
	}
}

func TestDangerousSettingsAreSaid(t *testing.T) {
	t.Parallel()
	s := start(t)
	st := open(t, redis.Options{}, s.url())
	if w := st.Warnings(t.Context()); len(w) != 1 || !strings.Contains(w[0], "appendonly") {
		t.Errorf("got %q", w)
	}
	s.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	s.do("CONFIG", "SET", "appendonly", "yes")
	if w := st.Warnings(t.Context()); len(w) != 1 || !strings.Contains(w[0], "noeviction") {
		t.Errorf("got %q", w)
	}
}

func TestAStoreSaysHowMuchItHolds(t *testing.T) {
	t.Parallel()
	st := store.Heed(open(t, redis.Options{}, start(t).url()), nil)
	if err := st.Apply(t.Context(), store.Batch{Writes: []store.Write{{Key: "app/a", Value: []byte("v")}}}); err != nil {
		t.Fatal(err)
	}
	if size, ok, err := store.SizeOf(t.Context(), st); err != nil || !ok || size.Bytes <= 0 || size.Keys <= 0 {
		t.Errorf("%+v, %v, %v", size, ok, err)
	}
}

func TestABatchWhoseAnswerWasLostIsAppliedOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	way := pave(t, address(s.port))
	o := redis.Options{Prefix: fresh()}
	far, near := open(t, o, way.url()), open(t, o, s.url())
	put(t, near, "app/n", "0")
	want(t, far, "app/n", "0") // its connection is made, its next bytes are the batch
	events := watching(t, near, "app/")

	// The server stops in the middle of the call: what it was sent it carries
	// out when it goes on, and the answer finds the road cut.
	s.signal(syscall.SIGSTOP)
	sent := way.there.Load()
	done := make(chan error, 1)
	go func() {
		done <- far.Apply(t.Context(), store.Batch{
			Checks: []store.Check{{Key: "app/n", Value: []byte("0")}},
			Writes: []store.Write{{Key: "app/n", Value: []byte("1")}},
		})
	}()
	eventually(t, func() error {
		if way.there.Load() == sent {
			return errors.New("nothing is on its way")
		}
		return nil
	})
	way.cut()
	way.mend()
	s.signal(syscall.SIGCONT)
	if err := <-done; err != nil {
		t.Errorf("the batch was sent again and failed: %v", err)
	}
	want(t, near, "app/n", "1")
	if ev := next(t, events); string(ev.Value) != "1" {
		t.Errorf("got %+v", ev)
	}
	put(t, near, "app/end", "")
	if ev := next(t, events); ev.Key != "app/end" {
		t.Errorf("the batch was applied twice: %+v", ev)
	}
}

func TestAnInstanceThatWasCutOffResumesWithoutAGap(t *testing.T) {
	t.Parallel()
	s := start(t)
	way := pave(t, address(s.port))
	o := redis.Options{Prefix: fresh()}
	far, near := open(t, o, way.url()), open(t, o, s.url())
	events := watching(t, far, "app/")
	put(t, near, "app/before", "")
	if ev := next(t, events); ev.Key != "app/before" {
		t.Fatalf("got %+v", ev)
	}
	way.cut()
	for i := range 200 {
		put(t, near, fmt.Sprintf("app/%03d", i), "v")
	}
	cut := time.Now()
	if _, err := far.Get(t.Context(), "app/000"); err == nil {
		t.Error("a store that cannot be reached gave an answer")
	}
	if heard := far.Heard(); heard.After(cut) {
		t.Errorf("it says that it heard from the server %s after it was cut off", heard.Sub(cut))
	}
	way.mend()
	for i := range 200 {
		if ev := next(t, events); ev.Err != nil || ev.Key != fmt.Sprintf("app/%03d", i) {
			t.Fatalf("got %+v, want event %d", ev, i)
		}
	}
	mended := time.Now()
	eventually(t, func() error {
		if far.Heard().Before(mended) {
			return errors.New("it does not hear from the server again")
		}
		return nil
	})
}

func TestAnInstanceThatMissedEventsIsTold(t *testing.T) {
	t.Parallel()
	for name, miss := range map[string]func(t *testing.T, s *server, near store.Store){
		"because they were trimmed": func(t *testing.T, s *server, near store.Store) {
			for i := range 1000 {
				put(t, near, fmt.Sprintf("app/%03d", i), "v")
			}
		},
		"because the server forgot everything": func(_ *testing.T, s *server, _ store.Store) {
			s.do("FLUSHALL")
		},
		"because the server came back empty": func(_ *testing.T, s *server, _ store.Store) {
			s.signal(syscall.SIGKILL)
			s.run()
		},
		"because the server came back empty and was written to": func(t *testing.T, s *server, near store.Store) {
			s.signal(syscall.SIGKILL)
			s.run()
			eventually(t, func() error {
				return near.Apply(t.Context(), store.Batch{Writes: []store.Write{{Key: "app/new", Value: []byte("v")}}})
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			way := pave(t, address(s.port))
			o := redis.Options{Prefix: fresh(), Length: 100}
			far, near := open(t, o, way.url()), open(t, o, s.url())
			events := watching(t, far, "app/")
			put(t, near, "app/before", "")
			if ev := next(t, events); ev.Key != "app/before" {
				t.Fatalf("got %+v", ev)
			}
			way.cut()
			miss(t, s, near)
			way.mend()
			if ev := next(t, events); !errors.Is(ev.Err, store.ErrGap) {
				t.Fatalf("got %+v, want a gap", ev)
			}
			// And then it goes on, to the last.
			put(t, near, "app/after", "")
			for ev := next(t, events); ev.Key != "app/after"; ev = next(t, events) {
				if ev.Err != nil {
					t.Fatalf("a second gap: %v", ev.Err)
				}
			}
		})
	}
}

func TestKill9LosesNothingWhenTheServerSyncsEachWrite(t *testing.T) {
	t.Parallel()
	s := start(t, "--appendonly", "yes", "--appendfsync", "always")
	o := redis.Options{Prefix: fresh()}
	st := open(t, o, s.url())
	events := watching(t, st, "app/")
	put(t, st, "app/before", "v")
	if ev := next(t, events); ev.Key != "app/before" {
		t.Fatalf("got %+v", ev)
	}
	s.signal(syscall.SIGKILL)
	s.run()
	eventually(t, func() error {
		return st.Apply(t.Context(), store.Batch{Writes: []store.Write{{Key: "app/after", Value: []byte("v")}}})
	})
	want(t, st, "app/before", "v")
	if ev := next(t, events); ev.Key != "app/after" {
		t.Errorf("got %+v, want the next event without a gap", ev)
	}
}

func TestExpiredKeysLeaveTheServerWithLaterWrites(t *testing.T) {
	t.Parallel()
	s := start(t)
	st := open(t, redis.Options{Prefix: "sweep"}, s.url())
	var b store.Batch
	for i := range 100 {
		b.Writes = append(b.Writes, store.Write{Key: fmt.Sprintf("app/%d", i), Value: []byte("v"), TTL: time.Millisecond})
	}
	if err := st.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		put(t, st, "app/stays", "v")
		for _, key := range []string{"index", "ends"} {
			if n := s.do("ZCARD", "sweep:{app}:"+key); n != int64(1) && key == "index" || n != int64(0) && key == "ends" {
				return fmt.Errorf("%s still has %d", key, n)
			}
		}
		if n := s.do("HLEN", "sweep:{app}:values"); n != int64(1) {
			return fmt.Errorf("values still has %d", n)
		}
		return nil
	})
}

func TestOldEventsLeaveTheServer(t *testing.T) {
	t.Parallel()
	s := start(t)
	st := open(t, redis.Options{Prefix: "old", Keep: time.Millisecond}, s.url())
	events := watching(t, st, "app/")
	// Each fills a node of the stream: nodes go whole.
	value := strings.Repeat("v", 5000)
	for range 20 {
		put(t, st, "app/k", value)
	}
	eventually(t, func() error {
		put(t, st, "app/k", value)
		if n := s.do("XLEN", "old:{app}:events").(int64); n > 5 {
			return fmt.Errorf("%d events are kept", n)
		}
		return nil
	})
	for range 2 {
		if ev := next(t, events); ev.Err == nil && ev.Key != "app/k" {
			t.Errorf("got %+v", ev)
		}
	}
}

func put(t *testing.T, st store.Store, key, value string) {
	t.Helper()
	if err := st.Apply(t.Context(), store.Batch{Writes: []store.Write{{Key: key, Value: []byte(value)}}}); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, st store.Store, key, value string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if got, err := st.Get(ctx, key); err != nil || string(got) != value {
		t.Errorf("%q: got %q and %v, want %q", key, got, err, value)
	}
}

func watching(t *testing.T, st store.Store, prefix string) <-chan store.Event {
	t.Helper()
	events, err := st.Watch(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func next(t *testing.T, events <-chan store.Event) store.Event {
	t.Helper()
	select {
	case ev, open := <-events:
		if !open {
			t.Fatal("the watch ended")
		}
		return ev
	case <-time.After(patience):
		t.Fatal("no event came")
	}
	return store.Event{}
}
