package passive

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"
)

// arrive decides what becomes of a connection that p has accepted, when there had
// been that many expectations: it is of none that was made later.
func (b *Broker) arrive(p *port, c net.Conn, from Origin, number uint64) {
	b.mu.Lock()
	at := place{p, from}
	if b.places[at].count((*entry).claims) == 0 {
		at = at.whole()
	}
	h := b.places[at]
	reason := "stranger"
	awaited := func(e *entry) bool { return e.lives() && e.expectation.number <= number }
	switch en := h.find(awaited); {
	case b.closed:
	case en != nil && en.kind == byArrival:
		b.match(en, c)
		b.mu.Unlock()
		return
	case en != nil:
		b.admit(at, from, c)
		return
	case h.find((*entry).lives) != nil: // who waits there has asked since
		reason = "late"
	case h.count((*entry).claims) > 0:
		reason = "late"
		if h.count((*entry).claims) == 1 { // of several, nobody knows whose it is
			b.swallow(h.find((*entry).claims))
		}
	}
	b.mu.Unlock()
	b.reject(c, from, reason)
}

// swallow ends a tombstone, as the connection that it waited for has come. Where
// connections prove themselves, this one has not: should another come that does, it
// is still known for what it is.
func (b *Broker) swallow(grave *entry) {
	b.remove(grave)
	if grave.request.Proven || grave.request.Shares {
		b.keepInMind(grave.at, grave.request)
	}
	b.vacated(grave.at)
}

// match gives an expectation the connection that has arrived for it. The place is
// free from then on.
func (b *Broker) match(en *entry, c net.Conn) {
	e := en.expectation
	b.remove(en)
	e.raw = c
	if e.request.Secure == nil {
		e.resolve(c, nil)
	} else {
		b.securing[e] = struct{}{}
		e.limitPending()
		go b.secure(e, c)
	}
	b.vacated(en.at)
}

// secure makes a matched connection ready. If it turns out to be somebody else's,
// the expectation takes its place again, unless others have it by now.
func (b *Broker) secure(e *Expectation, c net.Conn) {
	secured, err := e.request.Secure(c)
	b.mu.Lock()
	delete(b.securing, e)
	if e.over() {
		b.mu.Unlock()
		_ = c.Close()
		return
	}
	_ = c.SetDeadline(time.Time{})
	reason := rejection(err)
	switch {
	case err == nil:
		e.resolve(secured, nil)
		b.mu.Unlock()
		return
	case reason == "" || !b.putBack(e):
		e.raw = nil
		e.resolve(nil, err)
	default:
		e.raw, e.why = nil, err
	}
	b.mu.Unlock()
	_ = c.Close()
	if reason != "" {
		b.reject(c, e.request.Origin, reason)
	}
}

// rejection names an error after which others may still be waited for.
func rejection(err error) string {
	switch {
	case errors.Is(err, ErrForeign):
		return "foreign"
	case errors.Is(err, ErrUnproven):
		return "unproven"
	}
	return ""
}

func (b *Broker) putBack(e *Expectation) bool {
	if b.closed || e.port.shut || !e.until.After(b.clock.Now()) || !b.vacant(e.port, e.request) {
		return false
	}
	b.place(e)
	return true
}

// arrival is a connection that is about to show whose it is.
type arrival struct {
	at   place
	from Origin
	conn net.Conn
}

// arrivals are those of a port, the oldest first.
type arrivals []*arrival

func (a arrivals) count(at place) (n int) {
	for _, one := range a {
		if one.at == at {
			n++
		}
	}
	return n
}

// admit has a connection show whose it is, beside others. It is called with mu
// held, and releases it.
func (b *Broker) admit(at place, from Origin, c net.Conn) {
	a, p := &arrival{at: at, from: from, conn: c}, at.side()
	var oldest *arrival
	if len(p.unproven) == MaxUnproven {
		oldest = p.unproven[0]
		p.unproven = slices.Delete(p.unproven, 0, 1)
	}
	p.unproven = append(p.unproven, a)
	prove := b.prove
	b.mu.Unlock()
	if oldest != nil {
		b.reject(oldest.conn, oldest.from, "crowded out")
	}
	go func() {
		proof, err := prove(c)
		b.judge(a, proof, err)
	}()
}

// judge gives a connection that has shown whose it is to whoever awaits it.
func (b *Broker) judge(a *arrival, proof Proof, err error) {
	b.mu.Lock()
	p := a.at.side()
	i := slices.Index(p.unproven, a)
	if i < 0 { // dropped, and closed, meanwhile
		b.mu.Unlock()
		return
	}
	p.unproven = slices.Delete(p.unproven, i, i+1)
	reason := "unproven"
	if err == nil {
		if reason = b.claim(a, proof); reason == "" {
			b.mu.Unlock()
			return
		}
	}
	b.mu.Unlock()
	b.reject(a.conn, a.from, reason)
}

// claim returns why nobody gets the connection; "" if somebody does. What names a
// session is of that one and of no other of the place; only else may it be of
// another session of the same user.
func (b *Broker) claim(a *arrival, proof Proof) string {
	h := b.places[a.at]
	session := func(e *entry) bool { return proof.Session != 0 && e.request.Session == proof.Session }
	user := func(e *entry) bool { return proof.User != "" && e.request.User == proof.User && e.claims() }
	en := h.find(func(e *entry) bool { return session(e) && e.lives() })
	for _, is := range []func(*entry) bool{session, func(e *entry) bool { return user(e) && e.lives() }, user} {
		if en == nil {
			en = h.find(is)
		}
	}
	switch {
	case en == nil:
		return h.refuse(proof)
	case en.kind == tombstone && en.request.Session != proof.Session:
		b.swallow(en)
		return "late"
	case en.times > 1:
		en.times--
		return "late"
	case !en.lives():
		b.remove(en)
		b.vacated(a.at)
		return "late"
	}
	e := en.expectation
	b.remove(en)
	_ = a.conn.SetDeadline(time.Time{})
	e.raw = a.conn
	e.resolve(proof.Conn, nil)
	b.vacated(a.at)
	return ""
}

// refuse notes why a connection is not the one that is awaited: its owner is told
// when the lease is over. Of several nobody knows whom it concerns.
func (h *hold) refuse(proof Proof) string {
	why := ErrUnproven
	if proof.User != "" {
		why = ErrForeign
	}
	if h.count((*entry).lives) == 1 {
		h.find((*entry).lives).expectation.why = why
	}
	return rejection(why)
}

// dropUnwanted closes the connections at a place where nobody is awaited any
// more.
func (b *Broker) dropUnwanted(at place) {
	p := at.side()
	if len(p.unproven) == 0 || b.places[at].count((*entry).lives) > 0 {
		return
	}
	p.unproven = slices.DeleteFunc(p.unproven, func(a *arrival) bool {
		if a.at == at {
			b.reject(a.conn, a.from, "stranger")
		}
		return a.at == at
	})
}

func (b *Broker) reject(c net.Conn, from Origin, reason string) {
	_ = c.Close()
	b.observer.PassiveRejected(reason)
	client := c.RemoteAddr().String()
	if from.Announced {
		client = from.Client.String()
	}
	b.log.Debug("Data connection rejected", "reason", reason, "client", client, "port", c.LocalAddr().String())
}

func addrOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
