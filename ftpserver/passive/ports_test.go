package passive

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func (b *bench) set(ports ...config.PassivePort) {
	b.t.Helper()
	if err := b.SetPorts(ports); err != nil {
		b.t.Fatal(err)
	}
}

func listens(port int) bool {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// TestAnnounce: another public number touches no connection.
func TestAnnounce(t *testing.T) {
	b := newBench(t, 1)
	e := b.expect(alice, "alice")
	p := b.ports[0]
	b.set(config.PassivePort{Listen: p.Listen, Announce: 12345})
	takes(t, e, connect(t, alice, p.Listen))
	e = b.expect(alice, "alice")
	if e.Announced() != 12345 {
		t.Errorf("announced %d", e.Announced())
	}
	takes(t, e, connect(t, alice, p.Listen))
}

// TestGrow: new ports serve who waits.
func TestGrow(t *testing.T) {
	b := newBench(t, 1)
	b.expect(alice, "alice")
	waiting := b.wait(context.Background(), alice, "bob")
	b.set(append(freePorts(t, 1), b.ports...)...)
	e, err := waiting.result(t)
	if err != nil {
		t.Fatal(err)
	}
	takes(t, e, connect(t, alice, e.Announced()))
	if b.Ports() != 2 {
		t.Errorf("%d ports", b.Ports())
	}
}

// TestShrink: a port that is given up serves whom it was promised to, and is
// closed when nobody can come there any more.
func TestShrink(t *testing.T) {
	b := newBench(t, 2)
	gone, kept := b.expect(alice, "alice"), b.ports[1]
	b.set(kept)
	e := b.expect(alice, "bob")
	if e.Announced() != kept.Listen {
		t.Errorf("given out although given up: %d", e.Announced())
	}
	takes(t, gone, connect(t, alice, gone.Announced()))
	eventually(t, "the port is closed", func() bool { return !listens(gone.Announced()) })
	takes(t, e, connect(t, alice, e.Announced()))
}

// TestReopen: a port that comes back still knows whose connection may be late.
func TestReopen(t *testing.T) {
	b := newBench(t, 1)
	e := b.expect(alice, "alice")
	e.Cancel()
	b.set()
	b.set(b.ports...)
	next := b.wait(context.Background(), alice, "bob")
	closed(t, connect(t, alice, e.Announced()))
	e2, err := next.result(t)
	if err != nil {
		t.Fatal(err)
	}
	takes(t, e2, connect(t, alice, e2.Announced()))
}

// TestOpenFails: the error names the port, and the others work.
func TestOpenFails(t *testing.T) {
	b := newBench(t, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	taken := l.Addr().(*net.TCPAddr).Port
	err = b.SetPorts([]config.PassivePort{{Listen: taken, Announce: taken}, b.ports[0]})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint(taken)) {
		t.Fatalf("the error is %v", err)
	}
	takesNow(t, b, alice)
	if got := b.Missing(); !slices.Equal(got, []int{taken}) || b.Retry() == nil {
		t.Errorf("%v are missing, and the retry went well", got)
	}
	_ = l.Close()
	if err := b.Retry(); err != nil || b.Ports() != 2 || len(b.Missing()) > 0 {
		t.Errorf("once it is free: %v; %d ports, %v missing", err, b.Ports(), b.Missing())
	}
	if b.Broker.ports[0].listen != taken {
		t.Error("the ports are in another order than configured")
	}
}

// TestNoneLeft: who waits for a port when the last is given up is told.
func TestNoneLeft(t *testing.T) {
	b := newBench(t, 1)
	e := b.expect(alice, "alice")
	waiting := b.wait(context.Background(), alice, "bob")
	b.set()
	b.clock.advance(QueueTime)
	if _, err := waiting.result(t); !errors.Is(err, ErrBusy) {
		t.Fatalf("without ports: %v", err)
	}
	takes(t, e, connect(t, alice, e.Announced()))
}

// TestStuckPort: a port whose loop waits for what does not happen is named, and no
// other.
func TestStuckPort(t *testing.T) {
	b := newBench(t, 2)
	b.mu.Lock()
	c := connect(t, alice, b.ports[1].Listen)
	want := fmt.Sprintf("[passive 127.0.0.1:%d]", b.ports[1].Listen)
	eventually(t, "the port is stuck", func() bool {
		b.Watch.Beat()
		return fmt.Sprint(b.Watch.Stuck()) == want
	})
	b.mu.Unlock()
	closed(t, c)
	eventually(t, "it gets on", func() bool { return len(b.Watch.Stuck()) == 0 })
}
