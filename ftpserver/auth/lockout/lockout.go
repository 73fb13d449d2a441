// Package lockout slows down and stops whoever guesses passwords. It counts
// failed logins and says how long the next one has to wait, and whether it is
// refused unseen.
//
// It knows neither sessions nor passwords, waits for nothing and logs nothing.
// What is counted, and whom it must never keep out, is told in
// docs/decisions/2026-11-24-who-is-locked-out.md.
package lockout

import (
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// The most that is remembered. Beyond, what has not been touched for longest is
// forgotten. All of it takes less than 12 MiB: see TestMemory.
const (
	maxPairs     = 32 << 10
	maxAddresses = 16 << 10
	maxUsers     = 16 << 10
	// maxKnown is for how many users it is known where they come from, and
	// knownAddresses how many addresses of each.
	maxKnown       = 16 << 10
	knownAddresses = 8
)

// Policy says what failures lead to.
type Policy struct {
	// Delay is how long a login waits after one failure. It doubles with each
	// further one, up to MaxDelay.
	Delay, MaxDelay time.Duration
	// Lockouts tells whether anybody is locked out at all.
	Lockouts bool
	// LockoutAfter is how many failures for one user from one address lock out
	// that user there.
	LockoutAfter int
	// AddressLockoutAfter is how many failures from one address lock out the
	// address, but for users who have logged in from there before. Of each user,
	// no more than LockoutAfter count. It must be more than twice that.
	AddressLockoutAfter int
	// LockoutFor is how long a lockout lasts, and within which time failures are
	// counted.
	LockoutFor time.Duration
}

// Attempt is who tries to log in, and from where.
type Attempt struct {
	// Name is what the client calls itself, whether there is such a user or not.
	Name string
	// Entry identifies what is configured of the user, "" if there is none.
	// Whoever changes it, such as the password, starts the count anew.
	Entry string
	// From is what the client's address counts as. The zero Prefix: addresses
	// mean nothing here. Only the user is counted then, and nobody is locked out.
	From netip.Prefix
	// Expected tells that the configuration names networks which this user comes
	// from, and the client is in one: others' failures do not slow it down.
	Expected bool
}

// Lockout says what is locked out.
type Lockout string

// What can be locked out.
const (
	None    Lockout = ""
	User    Lockout = "user"    // this user from this address
	Address Lockout = "address" // the address, but for users known there
)

// Guard counts failed logins. It is safe for concurrent use. What it remembers is
// bounded, and keyed by hashes that mean nothing to any other process.
type Guard struct {
	seed  maphash.Seed
	began time.Time

	mu        sync.Mutex
	pairs     table[failures] // by user, entry and address
	addresses table[failures]
	users     table[failures]
	known     table[origins] // by user
}

// origins are the addresses that a user has logged in from, newest first.
type origins [knownAddresses]uint64

// New returns a Guard that has seen nothing.
func New() *Guard {
	return &Guard{
		seed: maphash.MakeSeed(), began: time.Now(),
		pairs: newTable[failures](maxPairs), addresses: newTable[failures](maxAddresses),
		users: newTable[failures](maxUsers), known: newTable[origins](maxKnown),
	}
}

// keys are what an attempt is counted under.
type keys struct{ pair, address, user uint64 }

func (g *Guard) keys(a Attempt) keys {
	a.Expected = false
	hash := func(v any) uint64 { return maphash.Comparable(g.seed, v) }
	return keys{pair: hash(a), address: hash(a.From), user: hash(a.Name)}
}

// Delay is how long this attempt has to wait before its password is looked at,
// right or wrong. It is never more than p.MaxDelay, whatever others do.
func (g *Guard) Delay(p Policy, a Attempt) time.Duration {
	k, now := g.keys(a), time.Since(g.began)
	g.mu.Lock()
	defer g.mu.Unlock()
	pair, _ := g.pairs.get(k.pair)
	wait := p.delay(&pair, now, 0)
	if g.isKnown(k) {
		return wait
	}
	if a.From.IsValid() {
		address, _ := g.addresses.get(k.address)
		wait = max(wait, p.delay(&address, now, p.ofOne()))
	}
	if !a.Expected {
		user, _ := g.users.get(k.user)
		wait = max(wait, p.delay(&user, now, p.ofOne()))
	}
	return wait
}

// Locked says whether this attempt is to be refused, whatever its password.
func (g *Guard) Locked(p Policy, a Attempt) Lockout {
	if !p.Lockouts || !a.From.IsValid() {
		return None
	}
	k, now := g.keys(a), time.Since(g.began)
	g.mu.Lock()
	defer g.mu.Unlock()
	pair, _ := g.pairs.get(k.pair)
	address, _ := g.addresses.get(k.address)
	switch {
	case now < pair.locked:
		return User
	case now < address.locked && !g.isKnown(k):
		return Address
	}
	return None
}

// Failed counts an attempt whose password was looked at and was not let in. It
// returns what is locked out from now on, by this very failure. Attempts that
// were Locked must not be counted: a lockout ends, however often it is tried.
func (g *Guard) Failed(p Policy, a Attempt) Lockout {
	k, now := g.keys(a), time.Since(g.began)
	g.mu.Lock()
	defer g.mu.Unlock()
	count(&g.users, k.user, p, now, 0)
	// Of one user, whatever happens, as many count against the address as would
	// lock the user out.
	pair, _ := g.pairs.get(k.pair)
	counts := pair.recent(p, now) < p.LockoutAfter
	limit, addressLimit := 0, 0
	if p.Lockouts && a.From.IsValid() {
		limit, addressLimit = p.LockoutAfter, p.AddressLockoutAfter
	}
	locked := None
	if count(&g.pairs, k.pair, p, now, limit) {
		locked = User
	}
	if counts && a.From.IsValid() && count(&g.addresses, k.address, p, now, addressLimit) {
		locked = Address
	}
	return locked
}

// count counts one more, and tells whether it is the one that locks out. A limit
// of 0 is none.
func count(t *table[failures], key uint64, p Policy, now time.Duration, limit int) bool {
	f, _ := t.get(key)
	f.add(p, now)
	locks := limit > 0 && f.recent(p, now) >= limit
	if locks {
		f.lock(p, now)
	}
	t.put(key, f)
	t.clean(func(old failures) bool { return now >= old.locked && old.recent(p, now) == 0 })
	return locks
}

// Succeeded forgets the failures of this user from this address, and remembers
// that the user comes from there. It forgets no failures of the address: whoever
// has one login must not guess the more of others.
func (g *Guard) Succeeded(a Attempt) {
	k := g.keys(a)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pairs.remove(k.pair)
	if !a.From.IsValid() {
		return
	}
	o, _ := g.known.get(k.user)
	o.add(k.address)
	g.known.put(k.user, o)
}

// delay after what has failed, of which so many are free. Whoever is locked out
// waits as after many failures: the time must not tell that the lockout began.
func (p Policy) delay(f *failures, now time.Duration, free int) time.Duration {
	count := f.recent(p, now) - free
	switch {
	case now < f.locked:
		return p.MaxDelay
	case count < 1:
		return 0
	}
	wait := p.Delay
	for ; count > 1 && wait < p.MaxDelay; count-- {
		wait *= 2
	}
	return min(wait, p.MaxDelay)
}

// ofOne is how many failures of one user there can be at one time. As many slow
// down nobody else.
func (p Policy) ofOne() int { return 2 * p.LockoutAfter }

// isKnown tells whether the user has logged in from this address before. It is
// called with mu held.
func (g *Guard) isKnown(k keys) bool {
	o, ok := g.known.get(k.user)
	return ok && slices.Contains(o[:], k.address)
}

// add puts an address in front; the oldest makes way.
func (o *origins) add(origin uint64) {
	at := slices.Index(o[:], origin)
	if at < 0 {
		at = len(o) - 1
	}
	copy(o[1:at+1], o[:at])
	o[0] = origin
}
