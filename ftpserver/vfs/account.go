package vfs

import (
	"errors"
	"sync"
	"time"
)

const (
	// countPatience is how long a command waits for a count that it depends on.
	countPatience = 5 * time.Second
	// recountAfter is when a count is too old to be gone by without a new one:
	// programs and users that share no account have changed the home meanwhile.
	recountAfter = 15 * time.Minute
	// Counting may take no more than this share of the time, and there is a pause
	// between two counts however quick they are.
	countShare = 20
	countPause = 2 * time.Second
)

// account is what a home holds. A nil account counts nothing.
//
// Uploads on their way are kept apart from what is at rest in the home: a count
// walks through the home while they go on, and must not see them half.
type account struct {
	store *Store
	home  identity

	// leaving is held from when something goes from what is at rest on the disk
	// until it has gone from the account: a count that came into force in between
	// would have it go twice. It comes before mu.
	leaving sync.RWMutex

	mu      sync.Mutex
	rel     string        // where the home was found last
	known   bool          // there has been a count
	rest    tally         // at rest: the last count, and what has changed since
	moving  tally         // uploads on their way
	running chan struct{} // closed at the end of the count that is going on
	grown   tally         // what has come to rest or was renamed since that has begun
	shifted bool          // directories were renamed since
	renamed tally         // what is being renamed
	shifts  int           // directories that are being renamed
	ended   time.Time     // the last count
	took    time.Duration // the last count
}

// start has a home counted that never was, when what a login makes in it is there.
func (a *account) start() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.known {
		a.count()
	}
}

// change notes what has come to rest or has gone. A count that is going on may
// have met it already or not: what has come is added to it, so that no more is
// granted than there is, and the next count sets it right.
func (a *account) change(by tally) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.put(by)
}

// put is change, with mu held.
func (a *account) put(by tally) {
	a.rest = a.rest.plus(by)
	if a.running != nil {
		a.grown = a.grown.plus(tally{max(by.bytes, 0), max(by.files, 0)})
	}
}

// goes holds back counts until done.
func (a *account) goes() (done func()) {
	if a == nil {
		return func() {}
	}
	a.leaving.RLock()
	return a.leaving.RUnlock
}

// stays holds back whatever makes something go, until done.
func (a *account) stays() (done func()) {
	if a == nil {
		return func() {}
	}
	a.leaving.Lock()
	return a.leaving.Unlock
}

// moves notes that something is about to be renamed; done is to be called when it
// is. A count that goes on may be through with where it comes to, and not yet where
// it was: it would miss it. A file is added to it; what a directory holds is not
// known.
func (a *account) moves(what Info) (done func()) {
	if a == nil {
		return func() {}
	}
	by, dirs := tallyOf(what, true), 0
	if what.Dir {
		dirs = 1
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.renamed, a.shifts = a.renamed.plus(by), a.shifts+dirs
	a.grown, a.shifted = a.grown.plus(by), a.shifted || what.Dir
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.renamed, a.shifts = a.renamed.minus(by), a.shifts-dirs
	}
}

// outdate has the home counted anew before long: something has changed by an
// amount that is not known.
func (a *account) outdate() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = time.Time{}
}

// used is all that there is.
func (a *account) used() (bytes, files int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.rest.plus(a.moving)
	return max(all.bytes, 0), max(all.files, 0)
}

// counted waits until the home has been counted once, but not for long.
func (a *account) counted() bool {
	a.mu.Lock()
	known, running := a.known, a.count()
	a.mu.Unlock()
	if !known {
		await(running, a.store.counts.patience)
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.known
	}
	return true
}

func await(done <-chan struct{}, patience time.Duration) {
	if done == nil {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// judge asks a question about the account, with mu held, and once more after a
// new count if the answer is no: others may have made room.
func (a *account) judge(fits func() bool) error {
	if !a.counted() {
		return ErrCounting
	}
	err := a.try(fits)
	if errors.Is(err, ErrQuota) && a.recounted() {
		err = a.try(fits)
	}
	return err
}

// try is judge by what is known, for whoever may not wait.
func (a *account) try(fits func() bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !a.known:
		return ErrCounting
	case !fits():
		return ErrQuota
	}
	return nil
}

// recounted has the home counted for somebody who is about to be refused, and
// waits, but not for long. It is false where it is not time for a count.
func (a *account) recounted() bool {
	a.mu.Lock()
	running := a.recount()
	a.mu.Unlock()
	await(running, a.store.counts.patience)
	return running != nil
}

// count begins a count if it is time for one, and returns the one that goes on.
// It is called with mu held.
func (a *account) count() chan struct{} {
	pause := max(recountAfter, countShare*a.took)
	if !a.known {
		pause = countPause // the last one has failed
	}
	if a.running == nil && time.Since(a.ended) > pause {
		a.begin()
	}
	return a.running
}

// recount is count for somebody who is about to be refused.
func (a *account) recount() chan struct{} {
	if a.running == nil && time.Since(a.ended) > max(countPause, countShare*a.took) {
		a.begin()
	}
	return a.running
}

func (a *account) begin() {
	if !a.store.counts.add() {
		return
	}
	a.running, a.grown, a.shifted = make(chan struct{}), a.renamed, a.shifts > 0
	go func() {
		defer a.store.counts.done()
		a.finish(a.store.census(a))
	}()
}

// where is where the home was found last.
func (a *account) where() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rel
}

// found notes that a login has found the home there. Where it was before it may be no
// more, and its number may be that of one that was removed: it is counted anew then.
func (a *account) found(rel string) {
	if was := a.where(); was == rel {
		return
	} else if d, err := a.store.homeAt(was, a.home); err == nil {
		d.close() // there are two ways to it
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rel, a.known, a.ended = rel, false, time.Time{}
}

// finish puts a count in force. One that has failed is as if it had not been, but
// is not tried again at once. One that has left something out, or may have missed a
// directory, takes nothing from what was known.
func (a *account) finish(total tally, took time.Duration, err error) {
	a.leaving.Lock()
	defer a.leaving.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	total = total.plus(a.grown)
	deep := errors.Is(err, errTooDeep)
	switch {
	case err != nil && !deep, a.shifted && !a.known:
	case a.known && (a.shifted || deep):
		a.rest = tally{max(a.rest.bytes, total.bytes), max(a.rest.files, total.files)}
	default:
		a.rest, a.known = total, true
	}
	a.ended, a.took = time.Now(), took
	close(a.running)
	a.running = nil
}
