package passive

import (
	"net"
	"net/netip"
	"testing"
)

// from is a connection to the port of an expectation.
func (b *bench) from(e *Expectation, o Origin, session uint64, user string) *fakeConn {
	c := newFakeConn(nil, o.Client)
	c.from, c.session, c.user = o, session, user
	b.arrive(e.port, c)
	return c
}

// TestAnnounced: on one port, who has asked by way of a proxy, who has not, and who
// has an address that tells nothing each get the connection that came in the same
// way, and none that came in another, whatever address it has.
func TestAnnounced(t *testing.T) {
	address := netip.MustParseAddr(alice)
	announced, direct := Origin{address, true}, Origin{address, false}
	for name, other := range map[string]Request{
		"known":             {Origin: direct, User: "bob", Session: 2},
		"hidden":            {User: "bob", Session: 2},
		"hidden and proven": proven(2, "bob", true),
	} {
		t.Run(name, func(t *testing.T) {
			b := fakeBench(t, 1)
			first := b.ask(Request{Origin: announced, User: "alice", Session: 1})
			second := b.ask(other)
			b.isClosed("announced, of another address", b.from(first, Origin{netip.MustParseAddr("127.0.0.9"), true}, 2, "bob"))
			c2 := says(b.from(second, direct, 2, "bob"))
			c1 := b.from(first, announced, 0, "")
			b.got(second, c2)
			b.got(first, c1)

			first = b.ask(Request{Origin: announced, User: "alice", Session: 1})
			b.isClosed("direct, when only an announced one is awaited", b.from(first, direct, 1, "alice"))
			first.Cancel()
			second = b.ask(other)
			b.isClosed("announced, of whom a late one may come", b.from(second, announced, 2, "bob"))
			b.isClosed("announced, when only a direct one is awaited", b.from(second, announced, 2, "bob"))
			b.got(second, says(b.from(second, direct, 2, "bob")))
		})
	}
}

// TestAnnouncedStrangersCrowdOutTheirOwn: connections that have yet to show whose
// they are make room for others that came in the same way only.
func TestAnnouncedStrangersCrowdOutTheirOwn(t *testing.T) {
	b := fakeBench(t, 1)
	r := Request{Origin: Origin{netip.MustParseAddr(alice), true}, User: "alice", Session: 1, Proven: true}
	announced, hidden := b.ask(r), b.ask(proven(2, "bob", true))
	own := b.from(announced, r.Origin, 1, "alice")
	for range MaxUnproven + 1 {
		b.come(hidden, 0, "")
	}
	if own.closed() {
		t.Fatal("strangers have crowded out an announced connection")
	}
	b.got(announced, says(own))
	b.got(hidden, says(b.come(hidden, 2, "bob")))
}

// TestAskedSince: a connection that was there before a session has asked is not
// its own, however late it says where it comes from.
func TestAskedSince(t *testing.T) {
	for name, kind := range map[string]bool{"by arrival": false, "by proof": true} {
		t.Run(name, func(t *testing.T) {
			b := fakeBench(t, 1)
			o := Origin{netip.MustParseAddr(alice), true}
			before := b.made()
			e := b.ask(Request{Origin: o, User: "alice", Session: 1, Proven: kind})
			early := newFakeConn(nil, o.Client)
			early.from, early.session, early.user = o, 1, "alice"
			says(early)
			b.Broker.arrive(e.port, early, o, before)
			b.isClosed("early", early)
			if n := b.seen.rejections("late"); n != 1 {
				t.Errorf("%d late connections were counted", n)
			}
			b.got(e, says(b.from(e, o, 1, "alice")))
		})
	}
}

// TestReceiver: where connections come from is what the receiver says, at once or
// later; or they are gone.
func TestReceiver(t *testing.T) {
	b := newBench(t, 1)
	o := Origin{netip.MustParseAddr("192.0.2.7"), true}
	later := make(chan func(), 1)
	b.SetReceiver(func(c net.Conn, take func(Origin)) {
		later <- func() { take(o) }
	})
	e := b.ask(Request{Origin: o, User: "alice"})
	client := connect(t, other, e.Announced())
	tell := <-later
	if ended(e) {
		t.Fatal("it was given a connection of which nothing is known")
	}
	tell()
	takes(t, e, client)
}
