package proxy

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
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

// TestNobody: of a client who comes from an unspecified address nothing is told; what
// follows the header is the client's, also where it is another header.
func TestNobody(t *testing.T) {
	for name, sent := range nobody {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, config.ProxyRequired, 0)
			b.Config().ProxyProtocol.Trusted[0].Data = config.ProxyDataDirect
			client, server := pair(t)
			want, out := direct(server), b.receive(server)
			want.Hidden = true
			rest := headers["v1"].sent + "USER alice\r\n"
			say(t, client, sent+rest)
			if got := b.taken(out); got.peer != want || got.rest != rest {
				t.Errorf("%+v, want %+v", got, want)
			}
			if b.counted("local") != 1 || b.logged() != "" {
				t.Errorf("%v, %s", b.outcomes, b.logged())
			}
		})
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
				_, _ = io.WriteString(client, sent) // which may be cut
				_ = client.CloseWrite()
				b.closed(client, out)
				b.eventually("it is told of", func() bool {
					return b.counted("refused") == 1 && strings.Contains(b.logged(), "level=WARN") && strings.Contains(b.logged(), "see what the load balancer sends")
				})
				if strings.Contains(b.logged(), "not the rest in") {
					t.Error("the rest was waited for, and could not come")
				}
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
