package passive

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

// fakeBench is a bench whose connections are fakes.
func fakeBench(t *testing.T, ports int) *bench {
	b := newBench(t, ports)
	b.SetProver(proveFake)
	return b
}

// proven asks for a port where addresses tell nothing.
func proven(session uint64, user string, shares bool) Request {
	return Request{Session: session, User: user, Proven: true, Shares: shares}
}

func (b *bench) ask(r Request) *Expectation {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // at once, or not at all
	e, err := b.Expect(ctx, r)
	if err != nil {
		b.t.Fatalf("%+v: %v", r, err)
	}
	return e
}

// full fails if a request gets a port now.
func (b *bench) full(r Request) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if e, err := b.Expect(ctx, r); err == nil {
		e.Cancel()
		b.t.Errorf("%+v got a port", r)
	}
}

// come is a connection to the port of an expectation, from anywhere.
func (b *bench) come(e *Expectation, session uint64, user string) *fakeConn {
	c := newFakeConn(nil, netip.MustParseAddr(other))
	c.session, c.user = session, user
	b.arrive(e.port, c)
	return c
}

func (b *bench) isClosed(what string, c *fakeConn) {
	b.t.Helper()
	eventually(b.t, what+": it is closed", c.closed)
}

func (b *bench) got(e *Expectation, c *fakeConn) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if got, err := e.Take(ctx); err != nil || got != net.Conn(c) {
		b.t.Fatalf("took %v, %v", got, err)
	}
	if c.closed() {
		b.t.Fatal("what was taken is closed")
	}
}

func says(c *fakeConn) *fakeConn { c.speak(); return c }

// TestProof: silent strangers, strangers with nothing to show and those of other
// users neither get a connection nor hold it up.
func TestProof(t *testing.T) {
	b := fakeBench(t, 1)
	e := b.ask(proven(1, "alice", false))
	b.full(proven(2, "bob", true)) // the whole port is alice's
	silent := b.come(e, 0, "")
	b.isClosed("nothing to show", says(b.come(e, 0, "")))
	b.isClosed("another user", says(b.come(e, 2, "bob")))
	b.got(e, says(b.come(e, 1, "alice")))
	b.isClosed("silent, when nobody is awaited any more", silent)
	e = b.ask(proven(1, "alice", false))
	b.got(e, says(b.come(e, 3, "alice"))) // the ticket of a sibling
	for reason, n := range map[string]int{"unproven": 1, "foreign": 1, "stranger": 1} {
		if got := b.seen.rejections(reason); got != n {
			t.Errorf("%d rejected as %s", got, reason)
		}
	}
}

// TestProofReason: who has waited in vain is told what came instead.
func TestProofReason(t *testing.T) {
	for name, test := range map[string]struct {
		session uint64
		user    string
		want    error
	}{"none": {0, "", ErrUnproven}, "foreign": {2, "bob", ErrForeign}, "nobody's": {9, "", ErrUnproven}} {
		t.Run(name, func(t *testing.T) {
			b := fakeBench(t, 1)
			e := b.ask(proven(1, "alice", false))
			b.isClosed("the wrong one", says(b.come(e, test.session, test.user)))
			b.clock.advance(Lease)
			if _, err := e.Take(context.Background()); !errors.Is(err, test.want) {
				t.Errorf("Take: %v", err)
			}
		})
	}
}

// TestCrowd: the connections of a port that have yet to show whose they are are
// bounded, and the oldest goes first.
func TestCrowd(t *testing.T) {
	b := fakeBench(t, 1)
	e := b.ask(proven(1, "alice", false))
	var crowd []*fakeConn
	for range MaxUnproven + 3 {
		crowd = append(crowd, b.come(e, 0, ""))
	}
	for i, c := range crowd {
		if c.closed() != (i < 3) {
			t.Errorf("connection %d: closed %t", i, c.closed())
		}
	}
	b.got(e, says(b.come(e, 1, "alice")))
	if n := b.seen.rejections("crowded out"); n != 4 {
		t.Errorf("%d were crowded out", n)
	}
}

// TestSharedPort: where all ports are taken, those who can be told apart share,
// but never two sessions of a user, nor with one who can't.
func TestSharedPort(t *testing.T) {
	b := fakeBench(t, 2)
	alices, bobs := b.ask(proven(1, "alice", true)), b.ask(proven(2, "bob", false))
	if alices.port == bobs.port {
		t.Fatal("shared without need")
	}
	b.full(proven(3, "alice", true)) // alice's own is hers, and bob's is not shared
	b.full(proven(4, "carol", false))
	carols := b.ask(proven(4, "carol", true))
	if carols.port != alices.port {
		t.Fatal("shared with one who does not")
	}
	c1, c4 := b.come(alices, 1, "alice"), b.come(carols, 4, "carol")
	b.isClosed("nothing to show", says(b.come(alices, 0, "")))
	b.isClosed("another's", says(b.come(alices, 2, "bob")))
	b.got(carols, says(c4))
	b.got(alices, says(c1))
	bobs.Cancel()
}

// TestSharedByKnownAddresses: an exclusive place becomes a shared one when
// somebody joins.
func TestSharedByKnownAddresses(t *testing.T) {
	b := fakeBench(t, 1)
	r := func(session uint64, user string) Request {
		r := request(alice, user)
		r.Session, r.Shares = session, true
		r.Secure = func(c net.Conn) (net.Conn, error) { return c, nil }
		return r
	}
	first := b.ask(r(1, "one"))
	second := b.ask(r(2, "two"))
	b.full(r(3, "one"))
	from := func(session uint64, user string) *fakeConn {
		c := newFakeConn(nil, netip.MustParseAddr(alice))
		c.session, c.user = session, user
		b.arrive(first.port, c)
		return says(c)
	}
	b.got(second, from(2, "two"))
	b.got(first, from(1, "one"))
	alone := b.ask(r(1, "one"))
	b.got(alone, from(0, "")) // matched by its address alone
}

// TestSharedTombstones: of a shared port, a connection that is late reaches
// nobody, and its user does not come back there until it has come.
func TestSharedTombstones(t *testing.T) {
	b := fakeBench(t, 1)
	alices, bobs := b.ask(proven(1, "alice", true)), b.ask(proven(2, "bob", true))
	alices.Cancel()
	b.full(proven(1, "alice", true))
	b.full(proven(3, "alice", true))
	b.isClosed("late", says(b.come(bobs, 1, "alice")))
	again := b.ask(proven(3, "alice", true))
	b.got(bobs, says(b.come(bobs, 2, "bob")))
	b.got(again, says(b.come(again, 3, "alice")))

	alices, bobs = b.ask(proven(1, "alice", true)), b.ask(proven(2, "bob", true))
	alices.Cancel()
	bobs.Cancel()
	b.full(proven(3, "carol", false))
	b.isClosed("of two, nobody knows which", b.come(bobs, 2, "bob"))
	b.full(proven(3, "carol", false))
	b.clock.advance(TombstoneTime)
	b.ask(proven(3, "carol", false)).Cancel()
}

// TestRefusedCommands: a connection that has come and shown nothing yet is taken
// for the one that will not be used. The port is free again, and yet no other
// session of the user gets what names the first.
func TestRefusedCommands(t *testing.T) {
	b := fakeBench(t, 1)
	for range 3 {
		e := b.ask(proven(1, "alice", false))
		c := b.come(e, 1, "alice")
		e.Cancel()
		b.isClosed("unused", c)
	}
	e := b.ask(proven(2, "alice", false))
	for range 3 {
		b.isClosed("late", says(b.come(e, 1, "alice")))
	}
	b.got(e, says(b.come(e, 2, "alice")))
}

// TestClientThatNeverProves: its connections have come, so it does not use up its
// share of the ports, nor those of its user's other clients.
func TestClientThatNeverProves(t *testing.T) {
	b := fakeBench(t, 2)
	for _, kind := range []struct {
		session uint64
		user    string
	}{{0, ""}, {7, "bob"}} {
		for range 5 {
			e := b.ask(proven(1, "alice", false))
			b.isClosed("not proven", says(b.come(e, kind.session, kind.user)))
			b.clock.advance(Lease)
			if !ended(e) {
				t.Fatal("it still waits")
			}
		}
	}
	e := b.ask(proven(2, "alice", false))
	b.isClosed("late", says(b.come(e, 1, "alice")))
	e.Cancel()
}

// TestSpentIsNotForAll: who takes what arrives is not given a place where
// something may still come.
func TestSpentIsNotForAll(t *testing.T) {
	for _, address := range []netip.Addr{{}, netip.MustParseAddr(other)} {
		b := fakeBench(t, 1)
		r := proven(1, "alice", false)
		r.Client = address
		e := b.ask(r)
		b.come(e, 1, "alice")
		e.Cancel()
		b.full(Request{Origin: Origin{Client: address}, User: "bob"})
		b.full(Request{User: "bob"})
		b.ask(r).Cancel()
		b.clock.advance(TombstoneTime)
		e = b.ask(Request{Origin: Origin{Client: address}, User: "bob"})
		b.got(e, b.come(e, 0, ""))
	}
}

// TestHiddenIsWholePort: where addresses tell nothing, nobody else has the port,
// not even who is known by an address.
func TestHiddenIsWholePort(t *testing.T) {
	b := fakeBench(t, 1)
	known := b.expect(alice, "alice")
	b.full(Request{User: "bob"})
	known.Cancel()
	b.full(Request{User: "bob"})
	b.clock.advance(TombstoneTime)
	e := b.ask(Request{User: "bob"}) // in clear, as it was allowed: whoever comes
	b.full(request(alice, "alice"))
	b.got(e, b.come(e, 0, ""))
	b.expect(alice, "alice").Cancel()
}

// TestHiddenWaits: who waits for a whole port is served in turn, after those known
// by their address as well.
func TestHiddenWaits(t *testing.T) {
	b := fakeBench(t, 1)
	known := b.expect(alice, "alice")
	p, before := &pending{ret: make(chan struct{})}, b.clock.active(QueueTime)
	go func() {
		p.e, p.err = b.Expect(context.Background(), Request{User: "bob"})
		close(p.ret)
	}()
	eventually(t, "the request waits", func() bool { return b.clock.active(QueueTime) > before })
	takes(t, known, connect(t, alice, known.Announced()))
	if _, err := p.result(t); err != nil {
		t.Fatal(err)
	}
	next := b.wait(context.Background(), alice, "alice")
	b.come(p.e, 0, "")
	if _, err := next.result(t); err != nil {
		t.Fatal(err)
	}
	next.e.Cancel()
	p.e.Cancel()
}

// TestPutBack: a connection that arrives in the right place, and turns out to be
// somebody else's, does not end the wait, unless the place is taken by then.
func TestPutBack(t *testing.T) {
	for name, taken := range map[string]bool{"free": false, "taken": true} {
		t.Run(name, func(t *testing.T) {
			b := fakeBench(t, 1)
			r := request(alice, "alice")
			r.Secure = func(c net.Conn) (net.Conn, error) {
				proof, err := proveFake(c)
				if err == nil && proof.User == "bob" {
					err = fmt.Errorf("%w: bob's", ErrForeign)
				}
				return c, err
			}
			e := b.ask(r)
			from := func(user string) *fakeConn {
				c := newFakeConn(nil, netip.MustParseAddr(alice))
				c.session, c.user = 2, user
				b.arrive(e.port, c)
				return c
			}
			wrong := from("bob")
			if taken {
				defer b.expect(alice, "carol").Cancel()
			}
			says(wrong)
			b.isClosed("bob's", wrong)
			if taken {
				if _, err := e.Take(context.Background()); !errors.Is(err, ErrForeign) {
					t.Errorf("Take: %v", err)
				}
				return
			}
			eventually(t, "it waits again", func() bool {
				b.mu.Lock()
				defer b.mu.Unlock()
				return e.entry != nil
			})
			b.got(e, says(from("alice")))
		})
	}
}

// TestBegin: what must prove itself has time from the command on, as clients may
// begin only then.
func TestBegin(t *testing.T) {
	b := fakeBench(t, 1)
	e := b.ask(proven(1, "alice", false))
	c := b.come(e, 1, "alice")
	b.clock.advance(Lease - time.Second)
	e.Begin(Lease)
	b.clock.advance(Lease - time.Second)
	b.got(e, says(c))
	e = b.ask(proven(1, "alice", false))
	e.Begin(Lease)
	b.clock.advance(Lease)
	if !ended(e) {
		t.Error("it waits for longer than its time")
	}
}
