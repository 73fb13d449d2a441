package passive

import (
	"net/netip"
	"slices"
	"time"
)

// place is what an expectation takes: a port, as seen from one origin. Under
// the zero Addr it is the whole port, but for announced connections.
type place struct {
	port *port
	Origin
}

// side is what the origin sees of the port.
func (at place) side() *side { return at.port.side(at.Origin) }

// whole is the place of those of the same side whose addresses tell nothing.
func (at place) whole() place {
	at.Client = netip.Addr{}
	return at
}

// hold is who has a place: one, or several users who share it.
type hold struct{ entries []*entry }

// entry is why a place is taken.
type entry struct {
	kind        kind
	at          place
	request     Request
	expectation *Expectation // of one that lives, else nil
	times       int          // of one that is spent: how many connections may still come
	timer       timer
}

type kind int

const (
	byArrival kind = iota // lives: the next connection here is its own
	byProof               // lives: the connection here that proves itself is its own
	tombstone             // has ended: its connection may still come
	// spent: has ended, and a connection came meanwhile that did not show whose it
	// was: most likely its own. It keeps nobody from the place whose connection must
	// prove itself, and one that names its session belongs to nobody else.
	spent
)

func (e *entry) lives() bool  { return e.kind == byArrival || e.kind == byProof }
func (e *entry) claims() bool { return e.kind != spent }

// maxSpent bounds the spent entries of a place: more sessions than that have no
// late connections to one port.
const maxSpent = 64

func (h *hold) count(of func(*entry) bool) (n int) {
	if h == nil {
		return 0
	}
	for _, e := range h.entries {
		if of(e) {
			n++
		}
	}
	return n
}

func (h *hold) find(is func(*entry) bool) *entry {
	if h == nil {
		return nil
	}
	if i := slices.IndexFunc(h.entries, is); i >= 0 {
		return h.entries[i]
	}
	return nil
}

// vacant tells whether a request can have a place for itself. One that takes what
// arrives needs a place where nothing else may still come. A whole port is vacant
// only if all of its places are.
func (b *Broker) vacant(p *port, r Request) bool {
	counts := (*entry).claims
	if !r.Proven {
		counts = func(*entry) bool { return true }
	}
	at := place{p, r.Origin}
	if r.Client.IsValid() {
		return b.places[at].count(counts) == 0 && b.places[at.whole()].count(counts) == 0
	}
	return at.side().claims == 0 && (r.Proven || at.side().entries == 0)
}

// shareable tells whether a request may join those who have a place: connections
// of all who are awaited there prove themselves, and none is of the same user,
// as clients may show a ticket of the wrong one of their sessions.
func (b *Broker) shareable(p *port, r Request) bool {
	at := place{p, r.Origin}
	h := b.places[at]
	claims := h.count((*entry).claims)
	if r.Client.IsValid() && b.places[at.whole()].count((*entry).claims) > 0 || !r.Client.IsValid() && at.side().claims > claims {
		return false
	}
	return claims > 0 && h.find(func(e *entry) bool {
		return e.claims() && e.request.User == r.User || e.lives() && !e.request.Shares
	}) == nil
}

// place lets an expectation wait at its place, until its lease is over. Whoever
// shares a place is matched by proof.
func (b *Broker) place(e *Expectation) {
	en := &entry{at: place{e.port, e.request.Origin}, request: e.request, expectation: e}
	if e.request.Proven {
		en.kind = byProof
	}
	if others := b.places[en.at]; others.count((*entry).claims) > 0 {
		en.kind = byProof
		for _, other := range others.entries {
			if other.kind == byArrival {
				other.kind = byProof
				other.expectation.prolong()
			}
		}
	}
	e.entry = en
	b.addUntil(en, e.until.Sub(b.clock.Now()))
}

// addUntil adds an entry that ends after d.
func (b *Broker) addUntil(en *entry, d time.Duration) {
	en.timer = b.clock.AfterFunc(d, func() { b.lapse(en) })
	h := b.places[en.at]
	if h == nil {
		h = &hold{}
		b.places[en.at] = h
	}
	h.entries = append(h.entries, en)
	en.at.side().entries++
	if en.claims() {
		en.at.side().claims++
		b.users[holder{en.at.Origin, en.request.User}]++
	}
}

// remove takes an entry off; whoever waits for the place may then have it.
func (b *Broker) remove(en *entry) {
	en.timer.Stop()
	h := b.places[en.at]
	h.entries = slices.DeleteFunc(h.entries, func(other *entry) bool { return other == en })
	if len(h.entries) == 0 {
		delete(b.places, en.at)
	}
	en.at.side().entries--
	if en.expectation != nil {
		en.expectation.entry = nil
	}
	if en.claims() {
		en.at.side().claims--
		key := holder{en.at.Origin, en.request.User}
		if b.users[key]--; b.users[key] == 0 {
			delete(b.users, key)
		}
	}
}

// vacated is called when entries of a place were removed.
func (b *Broker) vacated(at place) {
	b.dropUnwanted(at)
	b.closeIfIdle(at.port)
	b.grant(at.Origin)
	if at.Client.IsValid() {
		b.grant(at.whole().Origin)
		return
	}
	for from := range b.queue {
		b.grant(from)
	}
}

// bury leaves what an expectation that has ended leaves behind: the connection
// that may still come must reach nobody else.
func (b *Broker) bury(en *entry) {
	came := en.at.side().unproven.count(en.at) > 0 || en.expectation.why != nil
	spends := en.kind == byProof && came && b.places[en.at].count((*entry).claims) == 1
	b.remove(en)
	if b.closed {
		return
	}
	if spends {
		b.keepInMind(en.at, en.request)
		return
	}
	b.addUntil(&entry{kind: tombstone, at: en.at, request: en.request}, TombstoneTime)
}

// keepInMind adds a spent entry: one of a session, and not too many in all.
func (b *Broker) keepInMind(at place, r Request) {
	h, times := b.places[at], 1
	old := h.find(func(e *entry) bool { return e.kind == spent && e.request.Session == r.Session })
	if old == nil && h.count(func(e *entry) bool { return e.kind == spent }) >= maxSpent {
		old = h.find(func(e *entry) bool { return e.kind == spent })
	}
	if old != nil {
		b.remove(old)
		if old.request.Session == r.Session {
			times += old.times
		}
	}
	b.addUntil(&entry{kind: spent, at: at, request: r, times: times}, TombstoneTime)
}

// lapse ends an entry whose time is over.
func (b *Broker) lapse(en *entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.places[en.at].find(func(other *entry) bool { return other == en }) == nil {
		return
	}
	if en.lives() {
		b.end(en.expectation, ErrEnded)
		return
	}
	b.remove(en)
	b.vacated(en.at)
}
