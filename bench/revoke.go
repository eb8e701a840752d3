package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// server is a redis-server with a folder of its own.
type server struct {
	dir  string
	at   string
	cmd  *exec.Cmd
	done chan struct{}
}

func (b *bench) startRedis() (*server, error) {
	at, err := port()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "redis-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, at: at}
	b.stops = append(b.stops, s.kill)
	return s, s.run()
}

func (s *server) run() error {
	_, number, err := net.SplitHostPort(s.at)
	if err != nil {
		return err
	}
	s.cmd = exec.Command("redis-server", "--port", number, "--bind", "127.0.0.1", "--dir", s.dir, "--appendonly", "yes", "--save", "")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	s.done = done
	go func() { _ = s.cmd.Wait(); close(done) }()
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		if socket, err := net.Dial("tcp", s.at); err == nil {
			return socket.Close()
		}
	}
	return fmt.Errorf("redis-server does not listen on %s", s.at)
}

// ready waits until the server has read what it had on disk.
func (s *server) ready() error {
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		socket, err := net.Dial("tcp", s.at)
		if err != nil {
			continue
		}
		answer := make([]byte, 5)
		_, err = io.WriteString(socket, "PING\r\n")
		if err == nil {
			_, err = io.ReadFull(socket, answer)
		}
		if err := errors.Join(err, socket.Close()); err == nil && string(answer) == "+PONG" {
			return nil
		}
	}
	return fmt.Errorf("redis-server on %s is not ready", s.at)
}

func (s *server) kill() {
	if s.done == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.done
	s.done = nil
}

// verb calls the admin endpoint as the command line does, without the time
// that a process takes.
func (c *caddy) verb(ctx context.Context, verb string, words map[string]string) error {
	secret, err := os.ReadFile(filepath.Join(c.dir, "caddy", "cadenas", "command-line.secret"))
	if err != nil {
		return err
	}
	body, err := json.Marshal(words)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.admin+"/cadenas/"+verb, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+string(bytes.TrimSpace(secret)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", "http://"+c.admin)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // read below
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d %s: %w", verb, answer.StatusCode, text, orNothing(err))
	}
	return nil
}

// visitor asks over sockets that stay open, as a browser does.
type visitor struct {
	*http.Client
	headers []string
	// url is what is asked for; "" is the application's API.
	url string
}

func (c *caddy) visitor(p person) visitor {
	return visitor{Client: &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 4, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, c.http)
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, headers: p.headers()}
}

func (v visitor) status(ctx context.Context) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, cmp.Or(v.url, "http://app.localhost/api/children"), nil)
	if err != nil {
		return 0, err
	}
	for _, h := range v.headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	answer, err := v.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close() //nolint:errcheck // read to keep the socket
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// until asks until the status is what is wanted.
func (v visitor) until(ctx context.Context, want int) error {
	for began := time.Now(); time.Since(began) < 20*time.Second; {
		got, err := v.status(ctx)
		if err != nil {
			return err
		}
		if got == want {
			return nil
		}
	}
	return fmt.Errorf("no %d within 20 s", want)
}

// pair starts two gates on one Redis, with Marie known and the padlock closed.
func (b *bench) pair(redis *server) (one, two *caddy, err error) {
	if one, err = b.start("gate-a", &settings{store: "redis redis://" + redis.at}); err != nil {
		return nil, nil, err
	}
	if two, err = b.start("gate-b", &settings{store: "redis redis://" + redis.at}); err != nil {
		return nil, nil, err
	}
	return one, two, b.arrive(one)
}
