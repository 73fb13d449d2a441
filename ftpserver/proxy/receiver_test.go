package proxy

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is the longest that a test waits.
const patience = 30 * time.Second

// bench is a receiver, with what it says.
type bench struct {
	*Receiver
	t *testing.T

	mu       sync.Mutex
	log      bytes.Buffer
	outcomes map[string]int
}

// newBench returns a receiver that believes in who comes from loopback. Where there
// need be no header it waits for one for as long as a test may take, unless silence
// is something else.
func newBench(t *testing.T, mode config.ProxyMode, silence time.Duration) *bench {
	t.Helper()
	b := &bench{t: t, outcomes: map[string]int{}}
	c := &config.Config{ProxyProtocol: config.ProxyProtocol{Trusted: []config.ProxySource{{CIDR: "127.0.0.0/8", Mode: mode}}}}
	c.Limits.Handshakes = 3
	b.Receiver = NewReceiver(Options{
		Port: "control", Config: func() *config.Config { return c }, Observer: b, Silence: silence,
		Log: slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	t.Cleanup(b.Close)
	return b
}

func (b *bench) ProxyConnection(port, outcome string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.outcomes[port+" "+outcome]++
}

func (b *bench) counted(outcome string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.outcomes["control "+outcome]
}

func (b *bench) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

func (b *bench) logged() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}

// pair returns both ends of a connection.
func pair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	s, err := l.Accept()
	must(t, err)
	t.Cleanup(func() { _, _ = c.Close(), s.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// received is a connection that was handed over, with the rest of what came.
type received struct {
	peer Peer
	rest string
	err  error
}

// receive has a connection received, and read to its end.
func (b *bench) receive(server *net.TCPConn) <-chan received {
	out := make(chan received, 1)
	b.Receive(server, func(p Peer) {
		_ = server.SetReadDeadline(time.Now().Add(patience))
		rest, err := io.ReadAll(server)
		out <- received{p, string(rest), err}
	})
	return out
}

func (b *bench) taken(out <-chan received) received {
	b.t.Helper()
	select {
	case r := <-out:
		must(b.t, r.err)
		return r
	case <-time.After(patience):
		b.t.Fatal("the connection was not handed over")
		return received{}
	}
}

// closed fails unless the connection is closed, and was not handed over.
func (b *bench) closed(client *net.TCPConn, out <-chan received) {
	b.t.Helper()
	_ = client.SetReadDeadline(time.Now().Add(patience))
	if n, err := client.Read(make([]byte, 1)); n > 0 || errors.As(err, new(net.Error)) && err.(net.Error).Timeout() {
		b.t.Fatalf("%d bytes came, %v", n, err)
	}
	select {
	case r := <-out:
		b.t.Fatalf("it was handed over: %+v", r)
	default:
	}
}

func (b *bench) eventually(what string, ok func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			b.t.Fatalf("not in time: %s", what)
		}
		time.Sleep(time.Millisecond) // between two looks
	}
}

// say sends all of it, and that nothing more will come.
func say(t *testing.T, client *net.TCPConn, text string) {
	t.Helper()
	_, err := io.WriteString(client, text)
	must(t, err)
	must(t, client.CloseWrite())
}

// TestReceive: a header tells who a connection is from, and all that follows it is
// left for whoever reads next.
func TestReceive(t *testing.T) {
	for _, mode := range []config.ProxyMode{config.ProxyRequired, config.ProxyOptional} {
		for name, h := range headers {
			for _, rest := range []string{"", "USER alice\r\n", h.sent + "PROXY "} {
				t.Run(string(mode)+"/"+name, func(t *testing.T) {
					b := newBench(t, mode, patience)
					client, server := pair(t)
					own, out := direct(server), b.receive(server)
					say(t, client, h.sent+rest)
					want := own
					if h.client != "" {
						want.Announced, want.Client = true, addrPortOr(h.client)
						if h.server != "" {
							want.Server = addrPortOr(h.server)
						}
					}
					if got := b.taken(out); got.peer != want || got.rest != rest {
						t.Errorf("%+v, want %+v and %q", got, want, rest)
					}
					outcome := "client"
					if h.client == "" {
						outcome = "local"
					}
					if b.counted(outcome) != 1 || b.logged() != "" {
						t.Errorf("%v, %s", b.outcomes, b.logged())
					}
				})
			}
		}
	}
}

// TestBrokenHeadersAreRefused, also where there need be none: somebody who is
// believed wanted to say who it is.
func TestBrokenHeadersAreRefused(t *testing.T) {
	cases := map[string]string{
		"v1, the end is missing":       "PROXY TCP4 203.0.113.7 198.51.100.1 40000",
		"v1, almost all is missing":    "PROXY ",
		"v2, the end is missing":       v2(0x21, 0x11, inV4)[:fixedV2+3],
		"v2, of a long one":            v2(0x21, 0x11, inV4, make([]byte, 3000))[:2000],
		"v2, all but the signature is": "\r\n\r\n\x00\r\nQUIT\n",
	}
	for name, h := range broken {
		cases[name] = h.sent
	}
	for _, mode := range []config.ProxyMode{config.ProxyRequired, config.ProxyOptional} {
		for name, sent := range cases {
			t.Run(string(mode)+"/"+name, func(t *testing.T) {
				b := newBench(t, mode, patience)
				client, server := pair(t)
				out := b.receive(server)
				say(t, client, sent)
				b.closed(client, out)
				b.eventually("it is told of", func() bool {
					return b.counted("refused") == 1 && strings.Contains(b.logged(), "level=WARN") && strings.Contains(b.logged(), "see what the load balancer sends")
				})
			})
		}
	}
}

// TestNoHeader: what is no header is left unread where there need be none, for
// whoever reads next; else it is refused.
func TestNoHeader(t *testing.T) {
	for name, sent := range map[string]string{
		"a command": "USER alice\r\n", "TLS": "\x16\x03\x01\x02\x00\x01", "the beginning of a header": "P", "more of it": "PROXY",
		"a word like it": "PROXYING all\r\n", "an empty line": "\r\n", "two, and something else": "\r\n\r\n\x00\r\nQUIET", "NUL": "\x00",
		"much": strings.Repeat("content", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, config.ProxyOptional, patience)
			client, server := pair(t)
			own, out := direct(server), b.receive(server)
			say(t, client, sent)
			if got := b.taken(out); got.peer != own || got.rest != sent {
				t.Errorf("%+v, want %+v", got, own)
			}
			if b.counted("absent") != 1 || b.logged() != "" {
				t.Errorf("%v, %s", b.outcomes, b.logged())
			}

			b = newBench(t, config.ProxyRequired, 0)
			client, server = pair(t)
			out = b.receive(server)
			_, _ = io.WriteString(client, sent) // which may be cut
			_ = client.CloseWrite()
			b.closed(client, out)
			b.eventually("it is told of", func() bool { return b.counted("refused") == 1 && strings.Contains(b.logged(), "level=WARN") })
		})
	}
}

// TestByteByByte: a header may come in as many pieces as it has bytes.
func TestByteByByte(t *testing.T) {
	for name, sent := range map[string]string{"v1": headers["v1"].sent, "v2": headers["v2"].sent} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, config.ProxyOptional, patience)
			client, server := pair(t)
			out := b.receive(server)
			for i := range len(sent) - 1 {
				_, err := io.WriteString(client, sent[i:i+1])
				must(t, err)
			}
			say(t, client, sent[len(sent)-1:]+"rest")
			if got := b.taken(out); got.peer.Client.String() != "203.0.113.7:40000" || got.rest != "rest" {
				t.Errorf("%+v", got)
			}
		})
	}
}

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

// TestNotTrusted: from elsewhere nothing is read, and nothing waited for.
func TestNotTrusted(t *testing.T) {
	b := newBench(t, config.ProxyRequired, 0)
	b.Config().ProxyProtocol.Trusted[0].CIDR = "192.0.2.0/24"
	client, server := pair(t)
	say(t, client, headers["v1"].sent)
	var got *Peer
	b.Receive(server, func(p Peer) { got = &p })
	if got == nil || *got != direct(server) {
		t.Fatalf("%+v", got)
	}
	if rest, err := io.ReadAll(server); err != nil || string(rest) != headers["v1"].sent {
		t.Errorf("%q, %v", rest, err)
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
			b.Receiver.mu.Lock()
			defer b.Receiver.mu.Unlock()
			if b.waiting.Len() > 0 {
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

// TestTrust: the smallest network counts, and the stricter of two that are the same.
func TestTrust(t *testing.T) {
	required, optional := config.ProxyRequired, config.ProxyOptional
	var sources []config.ProxySource
	for _, s := range []struct {
		cidr string
		mode config.ProxyMode
	}{
		{"10.0.0.0/8", required}, {"10.1.0.0/16", optional}, {"10.1.2.0/24", required}, {"10.1.2.7/32", optional},
		{"::ffff:192.0.2.0/120", optional}, {"2001:db8::/32", optional}, {"2001:DB8::1/32", required}, {"not a network", required},
	} {
		sources = append(sources, config.ProxySource{CIDR: s.cidr, Mode: s.mode})
	}
	for from, want := range map[string]config.ProxyMode{
		"10.9.9.9": required, "10.1.9.9": optional, "10.1.2.9": required, "10.1.2.7": optional,
		"192.0.2.1": optional, "2001:db8::7": required, "192.0.3.1": "", "::1": "",
	} {
		source, trusted := trust(sources, netip.MustParseAddr(from))
		mode := source.Mode
		if mode != want || trusted != (want != "") {
			t.Errorf("%s: %s, %t", from, mode, trusted)
		}
	}
	if _, trusted := trust(sources, netip.Addr{}); trusted {
		t.Error("nobody is trusted")
	}
}

// TestComplaints are told of once a minute, with how many there were.
func TestComplaints(t *testing.T) {
	now := time.Unix(1000, 0)
	c := complaints{now: func() time.Time { return now }}
	told := map[int]int{}
	for range 150 { // two and a half minutes
		if n, due := c.add(); due {
			told[n]++
		}
		now = now.Add(time.Second)
	}
	if len(told) != 2 || told[1] != 1 || told[60] != 2 {
		t.Errorf("%v", told)
	}
}

// TestAddresses: one of IPv4 is one, also where a socket of both families writes it as
// one of IPv6; what is none of TCP is none.
func TestAddresses(t *testing.T) {
	for want, a := range map[string]net.Addr{
		"10.0.0.1:21":      &net.TCPAddr{IP: net.ParseIP("::ffff:10.0.0.1").To16(), Port: 21},
		"[fe80::1]:21":     &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 21},
		"invalid AddrPort": &net.UnixAddr{},
	} {
		if got := addrPort(a); got.String() != want {
			t.Errorf("%v is %v", a, got)
		}
	}
}
