package passive

import "time"

// holdTime is how long those who could share a place are held up for somebody who can't:
// from when the connection was asked for that has yet to come. Clients connect as soon
// as they are told the port; one that has not by then most likely never will.
const holdTime = 2 * time.Second

// grant gives free places of an origin to those who wait there, in order. A
// user who has its share already is passed over for now. Nobody begins to share while
// somebody ahead could soon have a place if those who share it now were served: a place
// that is shared all the time would never be free.
func (b *Broker) grant(from Origin) {
	again, heldUntil := true, time.Time{}
	for again {
		again, heldUntil = b.grantInOrder(from)
	}
	b.lookAgain(from, heldUntil)
}

// grantInOrder goes through those who wait once. Again tells that somebody was served
// past one who holds up others, and who may now have to wait for that one, its own user,
// instead. The time is until when somebody is held up; zero if nobody is.
func (b *Broker) grantInOrder(from Origin) (again bool, heldUntil time.Time) {
	q := b.queue[from]
	if q == nil {
		return false, time.Time{}
	}
	var until time.Time // nobody begins to share before
	for el := q.Front(); el != nil; {
		next, w := el.Next(), el.Value.(*waiter)
		switch p := b.portFor(w.request, until.IsZero()); {
		case p != nil:
			b.dequeue(from, el)
			w.granted <- b.expect(p, w.request)
			again = again || !until.IsZero()
		case !w.request.Shares:
			until = later(until, b.holdsUp(w.request))
		case heldUntil.IsZero():
			heldUntil = until
		}
		el = next
	}
	return again, heldUntil
}

// lookAgain has those who wait granted what there is at that time; zero: not for the time.
func (b *Broker) lookAgain(from Origin, at time.Time) {
	if t := b.looks[from]; t != nil {
		t.Stop()
		delete(b.looks, from)
	}
	if at.IsZero() {
		return
	}
	b.looks[from] = b.clock.AfterFunc(at.Sub(b.clock.Now()), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.grant(from)
	})
}

// portFor returns a port for a request: one that it has for itself, else one to
// share, if it may; nil if there is none now.
func (b *Broker) portFor(r Request, mayShare bool) *port {
	if b.hasShareLeft(r) {
		if p := b.leastUsed(func(p *port) bool { return b.vacant(p, r) }); p != nil {
			return p
		}
	}
	if r.Shares && mayShare {
		return b.leastUsed(func(p *port) bool { return b.shareable(p, r) })
	}
	return nil
}

// holdsUp is until when a request holds up those who could share: as long as it would
// have a place for itself if all had come who are awaited there, and they can be taken to
// come soon. It waits neither for its own user, nor for a tombstone's end. Zero: it
// holds up nobody.
func (b *Broker) holdsUp(r Request) (until time.Time) {
	if !b.hasShareLeft(r) {
		return time.Time{}
	}
	for _, p := range b.ports {
		if b.comesFree(p, r) {
			until = later(until, b.soon(place{p, r.Origin}))
		}
	}
	if !until.After(b.clock.Now()) {
		return time.Time{}
	}
	return until
}

// soon is until when all who are awaited at a place can be taken to come soon: as long as
// none was asked for long ago, or a connection is there that has yet to show whose it is.
// Where addresses tell nothing, those at other places of the port don't count: nobody
// could share it with them.
func (b *Broker) soon(at place) (until time.Time) {
	for _, at := range []place{at, at.whole()} {
		if at.side().unproven.count(at) > 0 {
			return b.clock.Now().Add(holdTime)
		}
		h := b.places[at]
		if h == nil {
			continue
		}
		for _, en := range h.entries {
			if !en.lives() {
				continue
			}
			if t := en.expectation.asked.Add(holdTime); until.IsZero() || t.Before(until) {
				until = t
			}
		}
	}
	return until
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
