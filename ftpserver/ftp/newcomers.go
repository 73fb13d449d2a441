package ftp

import (
	"container/list"
	"net/netip"
	"sync"
)

// newcomers are the sessions that nobody is logged in on, those that have waited
// longest first. They cost nobody anything to open, so where there is no room
// for one more session, one of them makes it: of an address that has at least as
// many of them as the others have on average. However many connections somebody
// opens from one address, they crowd out each other, and who comes from another
// has the time to log in.
type newcomers struct {
	mu      sync.Mutex
	waiting list.List // of newcomer
	origins map[netip.Prefix]*crowd
}

// newcomer is a session among those of its origin.
type newcomer struct {
	session *session
	of      *crowd
}

// crowd is how many of them are of one origin.
type crowd struct{ n int }

// maxLookedAt is how many of them are looked at to find one, so that this takes
// no time, however they are mixed.
const maxLookedAt = 1000

func (n *newcomers) add(s *session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.newcomer != nil || s.crowdedOut.Load() {
		return
	}
	from := origin(s.client)
	of := n.origins[from]
	if of == nil {
		if n.origins == nil {
			n.origins = map[netip.Prefix]*crowd{}
		}
		of = &crowd{}
		n.origins[from] = of
	}
	of.n++
	s.newcomer = n.waiting.PushBack(newcomer{s, of})
}

func (n *newcomers) remove(s *session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drop(s)
}

// drop is called with mu held.
func (n *newcomers) drop(s *session) {
	if s.newcomer == nil {
		return
	}
	of := n.waiting.Remove(s.newcomer).(newcomer).of
	s.newcomer = nil
	if of.n--; of.n == 0 {
		delete(n.origins, origin(s.client))
	}
}

// crowdOut takes out the session that has to go; nil if there is none.
func (n *newcomers) crowdOut() *session {
	n.mu.Lock()
	defer n.mu.Unlock()
	oldest := n.waiting.Front()
	if oldest == nil {
		return nil
	}
	victim := oldest.Value.(newcomer).session
	for el, i := oldest, 0; el != nil && i < maxLookedAt; el, i = el.Next(), i+1 {
		if one := el.Value.(newcomer); one.of.n*len(n.origins) >= n.waiting.Len() {
			victim = one.session
			break
		}
	}
	n.drop(victim)
	victim.crowdedOut.Store(true)
	return victim
}
