package passive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/freeport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counts is an Observer.
type counts struct {
	mu       sync.Mutex
	outcomes map[string]int
	rejected map[string]int
	longest  time.Duration
}

func (c *counts) PassiveWait(d time.Duration, outcome string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcomes[outcome]++
	c.longest = max(c.longest, d)
}

func (c *counts) PassiveRejected(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rejected[reason]++
}

func (c *counts) rejections(reason string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rejected[reason]
}

// bench is a broker with a clock that the test moves.
type bench struct {
	*Broker
	t     testing.TB
	clock *fakeClock
	seen  *counts
	ports []config.PassivePort
}

// newBench returns a broker with n ports on loopback. All of 127.0.0.0/8 are
// addresses of clients.
func newBench(t testing.TB, n int) *bench {
	t.Helper()
	clock, seen := newFakeClock(), &counts{outcomes: map[string]int{}, rejected: map[string]int{}}
	b := &bench{newBroker("127.0.0.1", slog.New(slog.DiscardHandler), seen, clock), t, clock, seen, freePorts(t, n)}
	if err := b.SetPorts(b.ports); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.finish)
	return b
}

// finish closes the broker; nothing may be left in it.
func (b *bench) finish() {
	b.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.places)+len(b.users)+len(b.queue)+len(b.retired)+len(b.securing)+len(b.Broker.ports) > 0 {
		b.t.Errorf("left over: places %v, users %v, queue %v, retired %v, securing %v", b.places, b.users, b.queue, b.retired, b.securing)
	}
	if n := len(b.clock.timers); n > 0 {
		b.t.Errorf("%d timers left over", n)
	}
}

// freePorts returns distinct ports that nobody listens on now.
func freePorts(t testing.TB, n int) []config.PassivePort {
	t.Helper()
	numbers, err := freeport.Take(n)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]config.PassivePort, n)
	for i, number := range numbers {
		out[i] = config.PassivePort{Listen: number, Announce: number}
	}
	return out
}

func request(address, user string) Request {
	return Request{Origin: Origin{Client: netip.MustParseAddr(address)}, User: user}
}

// arrive lets a connection arrive at once.
func (b *bench) arrive(p *port, c *fakeConn) { b.Broker.arrive(p, c, c.from, b.made()) }

// made counts the expectations so far.
func (b *bench) made() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// expect gets a port at once.
func (b *bench) expect(address, user string) *Expectation {
	b.t.Helper()
	e, err := b.Expect(context.Background(), request(address, user))
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

// pending is a request that waits.
type pending struct {
	e   *Expectation
	err error
	ret chan struct{}
}

// wait makes a request that must wait, and returns once it does.
func (b *bench) wait(ctx context.Context, address, user string) *pending {
	b.t.Helper()
	p, before := &pending{ret: make(chan struct{})}, b.clock.active(QueueTime)
	go func() {
		p.e, p.err = b.Expect(ctx, request(address, user))
		close(p.ret)
	}()
	eventually(b.t, "the request waits", func() bool { return b.clock.active(QueueTime) > before })
	return p
}

func (p *pending) result(t testing.TB) (*Expectation, error) {
	t.Helper()
	select {
	case <-p.ret:
	case <-time.After(5 * time.Second):
		t.Fatal("the request still waits")
	}
	return p.e, p.err
}

func (p *pending) stillWaits(t testing.TB) {
	t.Helper()
	select {
	case <-p.ret:
		t.Fatalf("the request was answered: %v", p.err)
	default:
	}
}

// connect opens a connection from this address to a port.
func connect(t testing.TB, from string, port int) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	c, err := d.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// closed fails unless the other side closes the connection without a byte.
func closed(t testing.TB, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := c.Read(make([]byte, 1)); n > 0 || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		t.Fatalf("the connection is open: %d, %v", n, err)
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// takes hands the expectation's connection over and proves that it is this one.
func takes(t testing.TB, e *Expectation, client net.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := e.Take(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = client.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
		t.Fatalf("the connection went to somebody else: %v", err)
	}
}

func ended(e *Expectation) bool {
	select {
	case <-e.Arrived():
		return e.err != nil
	default:
		return false
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		runtime.Gosched()
	}
}
