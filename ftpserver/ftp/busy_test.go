package ftp

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/accept"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/lograte"
)

// watchedBench is a bench whose Watch beats when the test says so.
func watchedBench(t *testing.T, edits ...func(*config.Config)) (*bench, *accept.Watch) {
	t.Helper()
	w := accept.NewWatch()
	return newBenchWith(t, parts{watch: w}, func(c *config.Config) {
		c.TLS.Implicit.Listen = "127.0.0.1:0"
		for _, edit := range edits {
			edit(c)
		}
	}), w
}

// TestStuckLoops: of each control port, a loop that waits for what does not happen is
// named; it is not any more when it gets on, and who has come is served. So it is where
// connections come from a balancer, of which nobody knows yet who they are from.
func TestStuckLoops(t *testing.T) {
	for _, test := range []struct {
		name, header string
		trusted      []string
	}{
		{"direct", "", nil},
		{"balanced", header(2, farClient), []string{"127.0.0.1/32"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, w := watchedBench(t, trusting(config.ProxyRequired, test.trusted...))
			b.connectBy(test.header)
			b.by(test.header, b.implicit).handshake() // both loops are at work
			for kind, address := range map[string]string{"control": b.address, "implicit TLS": b.implicit} {
				b.stuck(w, kind+" "+address, address)
				eventually(t, kind+" gets on", func() bool { return len(w.Stuck()) == 0 })
			}
			b.connectBy(test.header)
		})
	}
}

// stuck fails unless the loop of a port is told of as stuck while it waits for what the
// server keeps its sessions by.
func (b *bench) stuck(w *accept.Watch, name, address string) {
	b.t.Helper()
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	c, err := net.Dial("tcp", address)
	must(b.t, err)
	defer func() { _ = c.Close() }()
	eventually(b.t, name+" is stuck", func() bool {
		w.Beat()
		return fmt.Sprint(w.Stuck()) == "["+name+"]"
	})
}

// holding is a log that keeps whoever writes lines with a message waiting.
type holding struct {
	slog.Handler
	message string
	until   chan struct{}
}

func (h holding) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == h.message {
		<-h.until
	}
	return h.Handler.Handle(ctx, r)
}

func (h holding) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

// TestBlockedLog: while the log takes no lines of those who are sent away, others are
// served, and no loop is stuck.
func TestBlockedLog(t *testing.T) {
	for message, limit := range map[string]func(*config.Config){
		"Connection refused":  func(c *config.Config) { c.Limits.SessionsPerAddress = 1 },
		"Session crowded out": func(c *config.Config) { c.Limits.Sessions = 2 },
	} {
		t.Run(message, func(t *testing.T) {
			log := holding{slog.NewTextHandler(t.Output(), nil), message, make(chan struct{})}
			w := accept.NewWatch()
			b := newBenchWith(t, parts{watch: w, log: slog.New(log)}, limit)
			t.Cleanup(func() { close(log.until) }) // before the server ends
			b.connectFrom("127.0.0.66")
			for range 3 {
				b.dialFrom("127.0.0.66", b.address)
			}
			b.connectFrom("127.0.0.2").login()
			if !b.atRest(w) {
				t.Errorf("stuck: %q", w.Stuck())
			}
		})
	}
}

// TestRefusedAreToldOfOnceAWhile: what the log says of those who are refused does not grow
// with their number.
func TestRefusedAreToldOfOnceAWhile(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Limits.SessionsPerAddress = 1 })
	var seconds atomic.Int64
	b.tellOfRefusedBy(func() time.Time { return time.Unix(1000+seconds.Load(), 0) })
	b.connectFrom("127.0.0.66")
	refuse := func() {
		c := b.over(b.dialFrom("127.0.0.66", b.address))
		c.expect("421 Too many sessions from your address")
		c.ended()
	}
	for range 20 {
		refuse()
	}
	if n := b.log.lines("Connection refused"); n != 1 {
		t.Errorf("%d lines of 20 refused", n)
	}
	seconds.Store(int64(lograte.Every / time.Second))
	refuse()
	if !b.log.logged("level=INFO", "Connection refused", "client=127.0.0.66", "connections=20") {
		t.Errorf("the log does not tell how many there were:\n%s", b.log.String())
	}
}

// TestFloodIsNotStuck: 2,000 connections come as fast as they can, and are greeted; a
// Watch that beats for each of them finds nobody stuck. With as many clients at a time
// as there are here, a loop that comes back for each connection can't be away for as
// long as would be too long.
func TestFloodIsNotStuck(t *testing.T) {
	const flood, atATime = 2000, accept.StuckAfter / 2
	b, w := watchedBench(t)
	next := make(chan struct{}, flood)
	for range flood {
		next <- struct{}{}
	}
	close(next)
	conns := make(chan net.Conn, flood)
	var clients sync.WaitGroup
	for range atATime {
		clients.Go(func() {
			for range next {
				c, err := net.DialTimeout("tcp", b.address, patience)
				if err != nil {
					t.Error(err)
					return
				}
				conns <- c
				_ = c.SetReadDeadline(time.Now().Add(10 * patience))
				greeting := make([]byte, 4)
				if _, err := io.ReadFull(c, greeting); err != nil || !strings.HasPrefix(string(greeting), "220 ") {
					t.Errorf("greeted %q, %v", greeting, err)
				}
				w.Beat()
				if stuck := w.Stuck(); stuck != nil {
					t.Errorf("stuck: %q", stuck)
				}
			}
		})
	}
	clients.Wait()
	eventually(t, "the loop is back at Accept", func() bool { return b.atRest(w) })
	close(conns)
	for c := range conns {
		_ = c.Close()
	}
	eventually(t, "all sessions have ended", func() bool { return len(b.server.all()) == 0 })
}

// atRest tells whether all loops stay at Accept for longer than one may be away.
func (b *bench) atRest(w *accept.Watch) bool {
	for range accept.StuckAfter + 1 {
		w.Beat()
	}
	return w.Stuck() == nil
}
