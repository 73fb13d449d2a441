package passive

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

const (
	alice = "127.0.0.2"
	other = "127.0.0.3"
)

// TestStranger: who connects first is nobody, unless it is who was expected.
func TestStranger(t *testing.T) {
	b := newBench(t, 1)
	e := b.expect(alice, "alice")
	for range 3 {
		closed(t, connect(t, other, e.Announced()))
	}
	takes(t, e, connect(t, alice, e.Announced()))
	if n := b.seen.rejections("stranger"); n != 3 {
		t.Errorf("%d strangers were counted", n)
	}
	closed(t, connect(t, alice, b.ports[0].Listen)) // early: nobody has asked
}

// TestOnePortManyAddresses: a port is exclusive for an address, not for all.
func TestOnePortManyAddresses(t *testing.T) {
	b := newBench(t, 1)
	first, second := b.expect(alice, "alice"), b.expect(other, "bob")
	if first.Announced() != second.Announced() {
		t.Fatal("there is only one port")
	}
	c2, c1 := connect(t, other, second.Announced()), connect(t, alice, first.Announced())
	takes(t, first, c1)
	takes(t, second, c2)
}

// TestLeastRecentlyUsed: ports of an address take turns.
func TestLeastRecentlyUsed(t *testing.T) {
	b := newBench(t, 3)
	var got []int
	for range 6 {
		e := b.expect(alice, "alice")
		got = append(got, e.Announced())
		takes(t, e, connect(t, alice, e.Announced()))
	}
	for i, number := range got {
		if number != b.ports[i%3].Listen {
			t.Fatalf("ports %v, want %v by turns", got, b.ports)
		}
	}
}

// TestTombstone: how an expectation ends without its connection, the port stays
// closed to that address until the connection has come or can't come any more.
func TestTombstone(t *testing.T) {
	ends := map[string]func(b *bench, e *Expectation){
		"cancelled": func(_ *bench, e *Expectation) { e.Cancel() },
		"lease over": func(b *bench, e *Expectation) {
			b.clock.advance(Lease - time.Second)
			if ended(e) {
				b.t.Fatal("ended too early")
			}
			b.clock.advance(time.Second)
		},
		"context": func(b *bench, e *Expectation) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if _, err := e.Take(ctx); !errors.Is(err, context.Canceled) {
				b.t.Fatalf("Take: %v", err)
			}
		},
	}
	for name, end := range ends {
		t.Run(name+", then late", func(t *testing.T) {
			b := newBench(t, 1)
			e := b.expect(alice, "alice")
			end(b, e)
			if _, err := e.Take(context.Background()); !errors.Is(err, ErrEnded) {
				t.Fatalf("Take: %v", err)
			}
			next := b.wait(context.Background(), alice, "bob")
			takesNow(t, b, other)
			closed(t, connect(t, alice, e.Announced())) // late
			e2, err := next.result(t)
			if err != nil {
				t.Fatal(err)
			}
			takes(t, e2, connect(t, alice, e2.Announced()))
			if n := b.seen.rejections("late"); n != 1 {
				t.Errorf("%d late connections were counted", n)
			}
		})
		t.Run(name+", then nothing", func(t *testing.T) {
			b := newBench(t, 1)
			end(b, b.expect(alice, "alice"))
			b.clock.advance(TombstoneTime - time.Second)
			next := b.wait(context.Background(), alice, "bob")
			b.clock.advance(time.Second)
			if _, err := next.result(t); err != nil {
				t.Fatal(err)
			}
			next.e.Cancel()
		})
	}
}

// takesNow: an address with nothing to be afraid of is served at once.
func takesNow(t *testing.T, b *bench, address string) {
	t.Helper()
	e := b.expect(address, "somebody")
	takes(t, e, connect(t, address, e.Announced()))
}

// TestQueue: requests wait in order, and not for ever.
func TestQueue(t *testing.T) {
	b := newBench(t, 1)
	e := b.expect(alice, "one")
	second := b.wait(context.Background(), alice, "two")
	third := b.wait(context.Background(), alice, "three")
	b.clock.advance(QueueTime - time.Second)
	fourth := b.wait(context.Background(), alice, "four")
	takesNow(t, b, other) // does not queue behind them
	takes(t, e, connect(t, alice, e.Announced()))

	e2, err := second.result(t)
	if err != nil {
		t.Fatal(err)
	}
	third.stillWaits(t)
	b.clock.advance(time.Second)
	if _, err := third.result(t); !errors.Is(err, ErrBusy) {
		t.Fatalf("after the longest wait: %v", err)
	}
	takes(t, e2, connect(t, alice, e2.Announced()))
	e4, err := fourth.result(t)
	if err != nil {
		t.Fatal(err)
	}
	e4.Cancel()
	if b.seen.outcomes["busy"] != 1 || b.seen.longest != QueueTime {
		t.Errorf("counted %v, longest wait %s", b.seen.outcomes, b.seen.longest)
	}
}

// TestQueueLeft: who leaves the queue does not hold up those behind.
func TestQueueLeft(t *testing.T) {
	b := newBench(t, 1)
	e := b.expect(alice, "one")
	ctx, cancel := context.WithCancel(context.Background())
	second, third := b.wait(ctx, alice, "two"), b.wait(context.Background(), alice, "three")
	cancel()
	if _, err := second.result(t); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled request: %v", err)
	}
	takes(t, e, connect(t, alice, e.Announced()))
	e3, err := third.result(t)
	if err != nil {
		t.Fatal(err)
	}
	e3.Cancel()
}

// TestShare: one user can't take all ports of an address.
func TestShare(t *testing.T) {
	b := newBench(t, 4)
	first := b.expect(alice, "greedy")
	b.expect(alice, "greedy")
	third := b.wait(context.Background(), alice, "greedy")
	e := b.expect(alice, "modest") // overtakes
	takes(t, e, connect(t, alice, e.Announced()))
	third.stillWaits(t)
	first.Cancel() // its tombstone still counts
	third.stillWaits(t)
	closed(t, connect(t, alice, first.Announced())) // late, and swallowed
	if _, err := third.result(t); err != nil {
		t.Fatal(err)
	}
}

// TestUnusedPortsBlockNobodyElse: a user who asks again and again and never
// connects uses up their own share, until the tombstones lapse.
func TestUnusedPortsBlockNobodyElse(t *testing.T) {
	b := newBench(t, 8)
	for range 4 {
		b.expect(alice, "greedy").Cancel()
	}
	fifth := b.wait(context.Background(), alice, "greedy")
	fifth.stillWaits(t)
	for range 4 {
		e := b.expect(alice, "modest")
		defer e.Cancel()
	}
	b.clock.advance(QueueTime)
	if _, err := fifth.result(t); !errors.Is(err, ErrBusy) {
		t.Fatalf("beyond the share: %v", err)
	}
	b.clock.advance(TombstoneTime)
	b.expect(alice, "greedy").Cancel()
}

// TestCancel may come at any time and more than once.
func TestCancel(t *testing.T) {
	b := newBench(t, 1)
	e := b.expect(alice, "alice")
	c := connect(t, alice, e.Announced())
	<-e.Arrived()
	e.Cancel()
	e.Cancel()
	closed(t, c)
	takesNow(t, b, alice) // its connection had come: no tombstone
}

func TestNoPorts(t *testing.T) {
	b := newBench(t, 0)
	if _, err := b.Expect(context.Background(), request(alice, "alice")); !errors.Is(err, ErrNoPorts) {
		t.Fatalf("without ports: %v", err)
	}
}

// TestClose ends everything and everyone.
func TestClose(t *testing.T) {
	b := newBench(t, 1)
	e := b.expect(alice, "alice")
	b.expect(other, "bob").Cancel() // a tombstone
	waiting := b.wait(context.Background(), alice, "carol")
	b.Close()
	if _, err := e.Take(context.Background()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Take: %v", err)
	}
	if _, err := b.Expect(context.Background(), request(alice, "alice")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Expect: %v", err)
	}
	b.clock.advance(QueueTime)
	if _, err := waiting.result(t); err == nil {
		t.Error("a request was granted by a closed broker")
	}
	if err := b.SetPorts(b.ports); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SetPorts: %v", err)
	}
}
