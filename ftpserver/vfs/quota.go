package vfs

import (
	"sync"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Usage is what a home holds, and what it may hold. A limit of 0 is none.
type Usage struct {
	// Bytes is the sum of the sizes of files, published or not; -1 while they are
	// not counted yet. Files are names, of files, links and directories.
	Bytes, Files       int64
	MaxBytes, MaxFiles int64
}

// Quota tells how much of the user's quota is used. It is false for a user who
// has none. It waits a few seconds for the first count of a home.
func (f *FS) Quota() (Usage, bool) {
	if f.quota == (config.Quota{}) {
		return Usage{}, false
	}
	u := Usage{Bytes: -1, Files: -1, MaxBytes: f.quota.Bytes, MaxFiles: f.quota.Files}
	if f.account.counted() {
		u.Bytes, u.Files = f.account.used()
	}
	return u, true
}

// outdate has all homes counted anew before long.
func (a *accounts) outdate() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.byHome {
		one.outdate()
	}
}

// setQuota finds the account of the home; that of an Admin is the root, whatever
// it begins with. A user without a quota has one too where somebody with a quota
// shares the home, so that what it does counts.
func (f *FS) setQuota(at place, q config.Quota) error {
	f.quota = q
	if q == (config.Quota{}) && f.store.accounts.none() {
		return nil
	}
	d, err := openDir(f.store.sys, f.home.dir(), ".")
	if err != nil {
		return err
	}
	defer d.close()
	i, err := statOf(d.sys, d.fd(), ".")
	if err != nil {
		return err
	}
	f.account = f.store.accounts.of(f.store, i.identity(), at.rel, q != config.Quota{})
	return nil
}

// accounts are those of the homes that have had a user with a quota since the
// process started.
type accounts struct {
	mu     sync.Mutex
	byHome map[identity]*account
}

func (a *accounts) none() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.byHome) == 0
}

// of finds the account of a home, or makes it if it is wanted.
func (a *accounts) of(s *Store, home identity, rel string, wanted bool) *account {
	a.mu.Lock()
	defer a.mu.Unlock()
	got := a.byHome[home]
	if got != nil {
		got.found(rel)
	}
	if got != nil || !wanted {
		return got
	}
	if a.byHome == nil {
		a.byHome = map[identity]*account{}
	}
	got = &account{store: s, home: home, rel: rel}
	a.byHome[home] = got
	return got
}

// tally is an amount of storage.
type tally struct{ bytes, files int64 }

func (t tally) plus(o tally) tally  { return tally{t.bytes + o.bytes, t.files + o.files} }
func (t tally) minus(o tally) tally { return tally{t.bytes - o.bytes, t.files - o.files} }

// within tells whether an amount is within a quota.
func (t tally) within(q config.Quota) bool {
	return (q.Bytes == 0 || t.bytes <= q.Bytes) && (q.Files == 0 || t.files <= q.Files)
}

// tallyOf is what a name counts for.
func tallyOf(i Info, exists bool) tally {
	switch {
	case !exists:
		return tally{}
	case i.Mode.IsRegular():
		return tally{i.Size, 1}
	}
	return tally{0, 1}
}
