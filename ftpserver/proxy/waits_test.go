package proxy

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestSilence: where there need be no header, who says nothing is taken for itself
// after a while, and may then take its time.
func TestSilence(t *testing.T) {
	b := newBench(t, config.ProxyOptional, 0)
	client, server := pair(t)
	took := make(chan Peer)
	b.Receive(server, func(p Peer) { took <- p })
	select {
	case p := <-took:
		if p != direct(server) {
			t.Errorf("%+v", p)
		}
	case <-time.After(patience):
		t.Fatal("nobody was taken")
	}
	read := make(chan error, 1)
	go func() {
		_, err := server.Read(make([]byte, 1))
		read <- err
	}()
	select {
	case err := <-read:
		t.Fatalf("a deadline is left: %v", err)
	case <-time.After(2 * Silence): // the deadline that there was
	}
	say(t, client, "x")
	must(t, <-read)
}

// TestNoHeaderInTime: who must have a header and says nothing, or stops in the
// middle, does not stay for long.
func TestNoHeaderInTime(t *testing.T) {
	for name, test := range map[string]struct {
		mode         config.ProxyMode
		sent, logged string
	}{
		"silent":            {config.ProxyRequired, "", "no header came"},
		"stops in v1":       {config.ProxyRequired, "PROXY TCP4 ", "a part of a header came, and not the rest in 5s"},
		"stops in v2":       {config.ProxyOptional, v2(0x21, 0x11, inV4)[:20], "a part of a header came, and not the rest in 5s"},
		"in one's own word": {config.ProxyOptional, "PROX", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, test.mode, patience)
			client, server := pair(t)
			out := b.receive(server)
			_, err := io.WriteString(client, test.sent)
			must(t, err)
			if test.logged == "" { // taken, with what it said
				b.eventually("it is taken", func() bool { return b.counted("absent") == 1 })
				must(t, client.CloseWrite())
				if got := b.taken(out); got.rest != test.sent {
					t.Errorf("%+v", got)
				}
				return
			}
			b.closed(client, out)
			b.eventually("it is told of", func() bool {
				return b.counted("refused") == 1 && strings.Contains(b.logged(), test.logged) && strings.Contains(b.logged(), "level=WARN")
			})
		})
	}
}

// TestHealthChecks: who looks whether the port is open and goes, with a FIN or a
// RST, is no matter for the log.
func TestHealthChecks(t *testing.T) {
	for name, leave := range map[string]func(*net.TCPConn) error{
		"FIN": (*net.TCPConn).Close,
		"RST": func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, config.ProxyRequired, 0)
			client, server := pair(t)
			b.receive(server)
			must(t, leave(client))
			b.eventually("it is over", func() bool { return b.counted("closed") == 1 })
			b.eventually("it is closed", func() bool { return server.SetDeadline(time.Now()) != nil })
			if b.logged() != "" {
				t.Error(b.logged())
			}
		})
	}
}

// TestWaitsAreBounded: one more ends the oldest; where there need be no header, that
// is then taken for itself.
func TestWaitsAreBounded(t *testing.T) {
	for _, mode := range []config.ProxyMode{config.ProxyRequired, config.ProxyOptional} {
		t.Run(string(mode), func(t *testing.T) {
			b := newBench(t, mode, patience)
			var clients []*net.TCPConn
			var outs []<-chan received
			for range 5 {
				client, server := pair(t)
				clients, outs = append(clients, client), append(outs, b.receive(server))
			}
			for i := range 2 {
				if mode == config.ProxyRequired {
					b.closed(clients[i], outs[i])
					continue
				}
				say(t, clients[i], "USER alice\r\n")
				if got := b.taken(outs[i]); got.peer.Announced || got.rest != "USER alice\r\n" {
					t.Errorf("%+v", got)
				}
			}
			for i := 2; i < 5; i++ {
				say(t, clients[i], headers["v2"].sent)
				if got := b.taken(outs[i]); !got.peer.Announced {
					t.Errorf("%+v", got)
				}
			}
			if b.Waiting() > 0 {
				t.Error("waits are left over")
			}
		})
	}
}

// TestClose ends who waits, and who comes later.
func TestClose(t *testing.T) {
	b := newBench(t, config.ProxyRequired, 0)
	client, server := pair(t)
	out := b.receive(server)
	b.Close()
	b.closed(client, out)
	client, server = pair(t)
	b.closed(client, b.receive(server))
	b.eventually("it is told of", func() bool { return b.counted("closed") == 1 })
}

// TestClosedBefore: a connection may be closed by whoever else has it.
func TestClosedBefore(t *testing.T) {
	_, server := pair(t)
	must(t, server.Close())
	if p, err := await(server, make([]byte, 1), func([]byte) bool { return true }); len(p) > 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("%q, %v", p, err)
	}
	if p, err := await(&net.TCPConn{}, nil, nil); len(p) > 0 || err == nil {
		t.Errorf("%q, %v", p, err)
	}
}

// TestAwaitLooksOnceMore: what has come by the deadline counts, whoever is told of
// which first.
func TestAwaitLooksOnceMore(t *testing.T) {
	client, server := pair(t)
	say(t, client, "x")
	must(t, server.SetReadDeadline(time.Unix(1, 0)))
	p, err := await(server, make([]byte, 1), func([]byte) bool { return true })
	if err != nil || string(p) != "x" {
		t.Errorf("%q, %v", p, err)
	}
}
