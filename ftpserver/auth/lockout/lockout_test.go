package lockout

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// The tests sleep in bubbles of synctest only: there, to sleep sets the clock ahead
// and takes no time.

var policy = Policy{
	Delay: 500 * time.Millisecond, MaxDelay: 8 * time.Second,
	Lockouts: true, LockoutAfter: 10, AddressLockoutAfter: 100, LockoutFor: 10 * time.Minute,
}

func from(address string) netip.Prefix { return Group(netip.MustParseAddr(address)) }

func attempt(name, address string) Attempt {
	return Attempt{Name: name, Entry: "1", From: from(address)}
}

// fail has an attempt fail n times, and returns what was locked out on the way.
// As a session does, it asks first.
func fail(g *Guard, a Attempt, n int) (began []Lockout) {
	for range n {
		if g.Locked(policy, a) != None {
			continue
		}
		if l := g.Failed(policy, a); l != None {
			began = append(began, l)
		}
	}
	return began
}

func TestDelayDoublesUpToItsBound(t *testing.T) {
	g, a := New(), attempt("alice", "10.0.0.1")
	var got []time.Duration
	for range 8 {
		got = append(got, g.Delay(policy, a))
		g.Failed(policy, a)
	}
	want := "[0s 500ms 1s 2s 4s 8s 8s 8s]"
	if fmt.Sprint(got) != want {
		t.Errorf("delays %v, want %s", got, want)
	}
	g.Succeeded(a)
	if d := g.Delay(policy, a); d != 0 {
		t.Errorf("after a login: %v", d)
	}
}

// TestLockoutOfAUser is of one user from one address, ends by itself however
// often it is tried, and as soon as something else is configured of the user.
func TestLockoutOfAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, a := New(), attempt("alice", "10.0.0.1")
		if began := fail(g, a, 9); len(began) > 0 || g.Locked(policy, a) != None {
			t.Fatalf("locked out too early: %v", began)
		}
		if began := fail(g, a, 100); fmt.Sprint(began) != "[user]" || g.Locked(policy, a) != User {
			t.Fatalf("after ten failures: %v, %q", began, g.Locked(policy, a))
		}
		if d := g.Delay(policy, a); d != policy.MaxDelay {
			t.Errorf("locked out, the delay is %v: it tells", d)
		}
		for name, other := range map[string]Attempt{
			"another user there":     attempt("bob", "10.0.0.1"),
			"the user, elsewhere":    attempt("alice", "10.0.0.2"),
			"a user with a new word": {Name: "alice", Entry: "2", From: from("10.0.0.1")},
		} {
			if g.Locked(policy, other) != None || g.Delay(policy, other) != 0 {
				t.Errorf("%s: %q, %v", name, g.Locked(policy, other), g.Delay(policy, other))
			}
		}
		for range 59 {
			time.Sleep(10 * time.Second) // of the bubble's clock: it takes no time
			fail(g, a, 1)
		}
		if g.Locked(policy, a) != User {
			t.Error("the lockout is over too early")
		}
		time.Sleep(10 * time.Second) // of the bubble's clock: it takes no time
		if g.Locked(policy, a) != None || g.Delay(policy, a) != 0 {
			t.Errorf("the lockout goes on: %q, %v", g.Locked(policy, a), g.Delay(policy, a))
		}
	})
}

// TestLockoutOfAnAddress is of whoever guesses at many names. Users who have
// logged in from there before are not held up by it.
func TestLockoutOfAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, regular, newcomer := New(), attempt("alice", "10.0.0.1"), attempt("bob", "10.0.0.1")
		g.Succeeded(regular)
		var began []Lockout
		for i := range 100 {
			began = append(began, fail(g, attempt(fmt.Sprint("name", i), "10.0.0.1"), 1)...)
		}
		if fmt.Sprint(began) != "[address]" || g.Locked(policy, newcomer) != Address || g.Delay(policy, newcomer) != policy.MaxDelay {
			t.Fatalf("began %v; a newcomer: %q, %v", began, g.Locked(policy, newcomer), g.Delay(policy, newcomer))
		}
		if g.Locked(policy, regular) != None || g.Delay(policy, regular) != 0 {
			t.Errorf("who is known there: %q, %v", g.Locked(policy, regular), g.Delay(policy, regular))
		}
		if elsewhere := attempt("bob", "10.0.0.2"); g.Locked(policy, elsewhere) != None {
			t.Error("another address is locked out too")
		}
		time.Sleep(policy.LockoutFor) // of the bubble's clock: it takes no time
		if g.Locked(policy, newcomer) != None {
			t.Error("the lockout goes on")
		}
	})
}

// TestNobodyElseIsLockedOut: whatever one user's client does for hours, and with
// whatever passwords, others from the same address are neither locked out nor
// slowed down; nor is the user from where it has logged in before.
func TestNobodyElseIsLockedOut(t *testing.T) {
	for name, p := range map[string]Policy{"lockouts": policy, "delays only": delaysOnly()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, broken, other := New(), attempt("alice", "10.0.0.1"), attempt("bob", "10.0.0.1")
				home := attempt("alice", "10.0.0.9")
				g.Succeeded(home)
				for second := 0; second < 6*3600; second += 3 {
					if g.Locked(p, broken) == None {
						g.Failed(p, broken)
					}
					for who, a := range map[string]Attempt{"another user": other, "the user at home": home} {
						if l, d := g.Locked(p, a), g.Delay(p, a); l != None || d != 0 {
							t.Fatalf("after %d s, %s: %q, %v", second, who, l, d)
						}
					}
					time.Sleep(3 * time.Second) // of the bubble's clock: it takes no time
				}
			})
		})
	}
}

func delaysOnly() Policy {
	p := policy
	p.Lockouts = false
	return p
}

// TestAUserIsNeverLockedOutByOthers: guesses from a thousand addresses slow down
// who comes from a new one, and no more.
func TestAUserIsNeverLockedOutByOthers(t *testing.T) {
	g := New()
	for i := range 1000 {
		fail(g, attempt("alice", fmt.Sprintf("10.1.%d.%d", i/250, i%250)), 1)
	}
	newcomer := attempt("alice", "10.0.0.1")
	if l, d := g.Locked(policy, newcomer), g.Delay(policy, newcomer); l != None || d != policy.MaxDelay {
		t.Errorf("from a new address: %q, %v, want no lockout and %v", l, d, policy.MaxDelay)
	}
	expected := newcomer
	expected.Expected = true
	if d := g.Delay(policy, expected); d != 0 {
		t.Errorf("from a network that is configured: %v", d)
	}
	g.Succeeded(newcomer)
	if d := g.Delay(policy, newcomer); d != 0 {
		t.Errorf("where the user is known: %v", d)
	}
}

// TestHiddenAddresses: where addresses mean nothing, there are delays only.
func TestHiddenAddresses(t *testing.T) {
	g, a := New(), Attempt{Name: "alice", Entry: "1"}
	if began := fail(g, a, 1000); len(began) > 0 {
		t.Errorf("locked out: %v", began)
	}
	if d := g.Delay(policy, a); d != policy.MaxDelay {
		t.Errorf("the delay is %v", d)
	}
	if l, d := g.Locked(policy, Attempt{Name: "bob"}), g.Delay(policy, Attempt{Name: "bob"}); l != None || d != 0 {
		t.Errorf("another user: %q, %v", l, d)
	}
}

func TestGroup(t *testing.T) {
	for address, want := range map[string]string{
		"10.1.2.3":             "10.1.2.3/32",
		"::ffff:10.1.2.3":      "10.1.2.3/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0":         "fe80::/64",
	} {
		if got := from(address).String(); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if Group(netip.Addr{}).IsValid() {
		t.Error("no address has a group")
	}
}

// TestKnownAddresses: of each user the last eight, and nobody takes another's.
func TestKnownAddresses(t *testing.T) {
	g := New()
	at := func(i int) Attempt { return attempt("alice", fmt.Sprintf("10.0.0.%d", i)) }
	for i := range knownAddresses + 1 {
		g.Succeeded(at(i))
		g.Succeeded(at(1)) // is always in use
	}
	for i := range 100 {
		g.Succeeded(attempt("bob", fmt.Sprintf("10.2.0.%d", i)))
	}
	for i := range knownAddresses + 1 {
		if got, want := g.isKnown(g.keys(at(i))), i != 0; got != want {
			t.Errorf("address %d is known: %v", i, got)
		}
	}
}

// TestBounds: whatever is tried, no table grows beyond its bound, and what is
// over is cleaned away.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New()
		for i := range uint32(2 * maxPairs) {
			a := Attempt{Name: fmt.Sprint(i), From: Group(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))}
			g.Failed(policy, a)
			g.Succeeded(Attempt{Name: fmt.Sprint("in", i), From: a.From})
		}
		for name, got := range map[string][2]int{
			"pairs":     {g.pairs.recent.Len(), maxPairs},
			"addresses": {g.addresses.recent.Len(), maxAddresses},
			"users":     {g.users.recent.Len(), maxUsers},
			"known":     {g.known.recent.Len(), maxKnown},
		} {
			if got[0] != got[1] {
				t.Errorf("%d %s, want %d", got[0], name, got[1])
			}
		}
		time.Sleep(2 * policy.LockoutFor) // of the bubble's clock: it takes no time
		for range maxPairs {
			g.Failed(policy, attempt("alice", "10.0.0.1"))
		}
		if n := g.pairs.recent.Len() + g.addresses.recent.Len() + g.users.recent.Len(); n != 3 {
			t.Errorf("%d are left, want 3", n)
		}
	})
}

// TestMemory: full tables take less than what is promised.
func TestMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	g := New()
	for i := range uint64(maxPairs) {
		f := failures{count: 1}
		g.pairs.put(i, f)
		g.addresses.put(i, f)
		g.users.put(i, f)
		g.known.put(i, origins{})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("full tables: %.1f MiB", float64(used)/(1<<20))
	if used > 16<<20 {
		t.Errorf("full tables take %d bytes", used)
	}
	runtime.KeepAlive(g)
}

// TestFailuresFade: no more than the failures of the last window's time count,
// whatever their pattern.
func TestFailuresFade(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var f failures
		var now time.Duration
		var times []time.Duration
		for range 200 {
			now += time.Duration(r.Int64N(int64(policy.LockoutFor / 5)))
			f.add(policy, now)
			times = append(times, now)
			within := 0
			for _, at := range times {
				if now-at < 2*policy.LockoutFor {
					within++
				}
			}
			if got := f.recent(policy, now); got < 1 || got > within {
				t.Fatalf("%d count, of %d in two windows", got, within)
			}
		}
		if got := f.recent(policy, now+2*policy.LockoutFor); got != 0 {
			t.Fatalf("%d count after two windows", got)
		}
	}
}
