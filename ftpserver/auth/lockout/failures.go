package lockout

import "time"

// failures are those of one key. Times are since the Guard began, as they take
// half the memory so.
type failures struct {
	// start is when the window began, which is as long as Policy.LockoutFor.
	// count is what it has seen, before what the one before it had.
	start         time.Duration
	count, before uint32
	locked        time.Duration // until then
}

// recent is how many failures the last window's time has seen: those of the one
// before fade evenly.
func (f *failures) recent(p Policy, now time.Duration) int {
	fade := func(n uint32, age time.Duration) int {
		return int(float64(n) * (1 - float64(age)/float64(p.LockoutFor)))
	}
	switch age := now - f.start; {
	case age < p.LockoutFor:
		return int(f.count) + fade(f.before, age)
	case age < 2*p.LockoutFor:
		return fade(f.count, age-p.LockoutFor)
	}
	return 0
}

// add counts one more.
func (f *failures) add(p Policy, now time.Duration) {
	switch age := now - f.start; {
	case age >= 2*p.LockoutFor || f.count == 0 && f.before == 0:
		f.start, f.count, f.before = now, 0, 0
	case age >= p.LockoutFor:
		f.start, f.count, f.before = f.start+p.LockoutFor, 0, f.count
	}
	f.count++
}

// lock begins a lockout, after which the count starts anew.
func (f *failures) lock(p Policy, now time.Duration) {
	*f = failures{start: now, locked: now + p.LockoutFor}
}
