package passive

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestSharingComesToAnEnd: a place that others go on sharing would never be free for
// somebody who can't, so those who come later wait behind them.
func TestSharingComesToAnEnd(t *testing.T) {
	b := fakeBench(t, 1)
	ctx, giveUp := context.WithCancel(context.Background())
	alices, bobs := b.ask(proven(1, "alice", true)), b.ask(proven(2, "bob", true))
	carol := b.waitFor(ctx, proven(3, "carol", false))
	dave := b.waitFor(context.Background(), proven(4, "dave", true))
	b.got(alices, says(b.come(alices, 1, "alice")))
	carol.stillWaits(t)
	dave.stillWaits(t)
	if all, taken, waiting := b.Load(); all != 1 || taken != 1 || waiting != 2 {
		t.Errorf("%d ports, %d taken, %d waiting", all, taken, waiting)
	}
	b.got(bobs, says(b.come(bobs, 2, "bob")))
	carols, err := carol.result(t)
	if err != nil {
		t.Fatal(err)
	}
	dave.stillWaits(t)
	b.got(carols, says(b.come(carols, 3, "carol")))
	daves, err := dave.result(t)
	if err != nil {
		t.Fatal(err)
	}

	// Whoever gives up holds up nobody.
	carol = b.waitFor(ctx, proven(3, "carol", false))
	erin := b.waitFor(context.Background(), proven(5, "erin", true))
	giveUp()
	if _, err := carol.result(t); !errors.Is(err, context.Canceled) {
		t.Errorf("carol gets %v", err)
	}
	erins, err := erin.result(t)
	if err != nil {
		t.Fatal(err)
	}
	// Nor does who waits for the end of a tombstone, which takes longer than all wait,
	// or for its own user's connections.
	daves.Cancel()
	carol = b.waitFor(context.Background(), proven(3, "carol", false))
	other := b.waitFor(context.Background(), proven(6, "erin", false))
	bobs = b.ask(proven(2, "bob", true))
	b.got(bobs, says(b.come(bobs, 2, "bob")))
	b.got(erins, says(b.come(erins, 5, "erin")))
	b.clock.advance(QueueTime)
	for _, p := range []*pending{carol, other} {
		if _, err := p.result(t); !errors.Is(err, ErrBusy) {
			t.Errorf("it gets %v", err)
		}
	}
}

// granted is the answer to a request that must have got a port.
func (p *pending) granted(t testing.TB) *Expectation {
	t.Helper()
	e, err := p.result(t)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestNobodyIsHeldUpForLong: who can't share holds up those who could only while the
// connections that it waits for can be taken to come soon.
func TestNobodyIsHeldUpForLong(t *testing.T) {
	b := fakeBench(t, 1)
	alices := b.ask(proven(1, "alice", true)) // who never connects
	carol := b.waitFor(context.Background(), proven(3, "carol", false))
	bob := b.waitFor(context.Background(), proven(2, "bob", true))
	b.clock.advance(holdTime - time.Millisecond)
	bob.stillWaits(t)
	b.clock.advance(time.Millisecond)
	bobs := bob.granted(t)
	daves := b.ask(proven(4, "dave", true)) // nor does carol hold up who comes since
	b.got(daves, says(b.come(daves, 4, "dave")))
	silent := b.come(bobs, 0, "") // which may be alice's
	erin := b.waitFor(context.Background(), proven(5, "erin", true))
	b.clock.advance(holdTime - time.Millisecond)
	erin.stillWaits(t)
	b.isClosed("nothing to show", says(silent))
	b.clock.advance(time.Millisecond)
	erins := erin.granted(t)
	carol.stillWaits(t)
	b.clock.advance(QueueTime - 2*holdTime)
	if _, err := carol.result(t); !errors.Is(err, ErrBusy) {
		t.Errorf("carol gets %v", err)
	}
	b.got(bobs, says(b.come(bobs, 2, "bob")))
	b.got(erins, says(b.come(erins, 5, "erin")))
	b.got(alices, says(b.come(alices, 1, "alice")))
}

// TestOvertakenByItsOwnUser: who holds up others, and is overtaken by another session of
// its user, waits for that one from then on, and holds up nobody any more.
func TestOvertakenByItsOwnUser(t *testing.T) {
	b := fakeBench(t, 3) // of which a user has one
	left := b.ask(proven(1, "alice", true))
	b.isClosed("nothing to show", says(b.come(left, 0, "")))
	left.Cancel() // where alice's connection may still come, none is matched by arrival
	daves, bobs := b.ask(proven(2, "dave", true)), b.ask(proven(3, "bob", true))
	first := b.waitFor(context.Background(), Request{Session: 4, User: "carol"})
	second := b.waitFor(context.Background(), proven(5, "bob", true))
	second.stillWaits(t)
	carols := b.ask(proven(6, "carol", true))
	if carols.port != left.port {
		t.Fatal("carol has joined somebody")
	}
	if got := second.granted(t); got.port == bobs.port || got.port != daves.port && got.port != left.port {
		t.Errorf("bob got port %d", got.port.listen)
	}
	b.clock.advance(QueueTime)
	if _, err := first.result(t); !errors.Is(err, ErrBusy) {
		t.Errorf("carol gets %v", err)
	}
}
