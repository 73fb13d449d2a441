package vfs

import (
	"errors"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// An upload is charged to its user's account as it grows. What it is to replace
// counts for it: a file may be replaced by one that takes its room. After its
// end, what is left of it is at rest.

// admit refuses an upload that is known to find no room, and otherwise counts
// it from now on. What it claims of a partial upload is no longer at rest.
func (u *Upload) admit(claims Info, claimed bool) error {
	a := u.fs.account
	if a == nil {
		return nil
	}
	u.credit = tallyOf(u.target, u.exists)
	part := tallyOf(claims, claimed)
	outdated, err := u.outdated()
	if err != nil {
		return err
	}
	comes := tally{u.begins(claims), 1}.minus(u.credit).minus(part).minus(outdated)
	if !claimed {
		comes.bytes++ // at least one byte more must fit; of a partial upload, the last may be there
	}
	return u.fs.judge(func(q config.Quota) bool {
		if !a.rest.plus(a.moving).plus(comes).within(q) {
			return false
		}
		u.charged = tally{part.bytes, 1}
		a.put(tally{}.minus(part))
		a.moving = a.moving.plus(u.charged)
		return true
	})
}

// begins is how many bytes the upload begins with.
func (u *Upload) begins(claims Info) int64 {
	switch {
	case u.mode == CreateAt:
		return u.offset
	case u.mode == CreateAppend && u.exists:
		return u.target.Size
	case u.mode == CreateAppend:
		return claims.Size
	}
	return 0
}

// outdated is what waits of an interrupted upload that this one begins anew.
func (u *Upload) outdated() (tally, error) {
	if u.mode != CreateTruncate || u.direct || u.exclusive {
		return tally{}, nil
	}
	return u.fs.weigh(u.folder, u.partial)
}

// makeRoom drops that when the data connection is there. It would be replaced
// anyway, by what arrives; until then its room would be missing. What is to have
// a name of its own does not begin it anew.
func (u *Upload) makeRoom() {
	if u.fs.account != nil && u.mode == CreateTruncate && !u.exclusive {
		u.fs.forget(u.folder, u.at.base)
	}
}

// charge makes what is counted for the upload so much.
func (u *Upload) charge(now tally) {
	a := u.fs.account
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	u.recharge(now)
}

// recharge is charge, with the account's mu held.
func (u *Upload) recharge(now tally) {
	a := u.fs.account
	a.moving = a.moving.plus(now).minus(u.charged)
	u.charged = now
}

// chargeDirect takes the visible file out of what is at rest, as it will change.
func (u *Upload) chargeDirect(was, now tally) {
	a := u.fs.account
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.put(tally{}.minus(was))
	u.recharge(now)
	u.credit = tally{}
}

// chargeSize counts what is in the file, as Prepare has left it.
func (u *Upload) chargeSize() error {
	if u.fs.account == nil {
		return nil
	}
	i, err := u.stat()
	if err == nil {
		u.charge(tally{i.Size, 1})
	}
	return err
}

// Room is how many of the next n bytes may be read at once for File; Add is to
// be told what came. It is one more than what fits, so that it shows whether
// there is more. Several uploads at once may each fill the same room: those on
// their way can pass the quota by n for each further upload. What is published
// then does not, but for Direct uploads, whose data is in place.
func (u *Upload) Room(n int64) int64 {
	a := u.fs.account
	if a == nil || u.fs.quota.Bytes == 0 {
		return n
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	free := u.fs.quota.Bytes - a.rest.plus(a.moving).minus(u.credit).bytes
	return min(n, max(free, 0)+1)
}

// Add counts n bytes that have come to File or are about to. ErrQuota tells that
// they are too many.
func (u *Upload) Add(n int64) error {
	a := u.fs.account
	if a == nil {
		return nil
	}
	u.charge(u.charged.plus(tally{bytes: n}))
	return u.fs.judge(func(q config.Quota) bool { // its name was counted before
		return a.rest.plus(a.moving).minus(u.credit).within(config.Quota{Bytes: q.Bytes})
	})
}

// rest has what has arrived come to rest in the home, where it takes the place of
// what was replaced; ErrQuota tells that it may not. It goes by what is known: its
// caller holds the lock of names. done is to be told how giving the name ended; a
// count that begins before that may miss it.
func (u *Upload) rest(replaced tally) (done func(error), err error) {
	a := u.fs.account
	if a == nil {
		return func(error) {}, nil
	}
	comes, was := tally{u.size, 1}.minus(replaced), u.charged
	grows := tally{max(comes.bytes, 0), max(comes.files, 0)}
	err = u.fs.try(func(q config.Quota) bool {
		if !a.rest.plus(comes).within(q) {
			return false
		}
		a.put(comes)
		a.moving, u.charged = a.moving.minus(was), tally{}
		a.renamed = a.renamed.plus(grows)
		return true
	})
	return func(err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.renamed = a.renamed.minus(grows)
		if err != nil {
			a.put(tally{}.minus(comes))
		}
	}, err
}

// fitsBeside tells whether what has arrived may be kept beside what is there.
func (u *Upload) fitsBeside() bool {
	a := u.fs.account
	if a == nil {
		return true
	}
	replaced, err := u.fs.weigh(u.folder, u.partial)
	if err != nil {
		return false
	}
	comes := tally{u.size, 1}.minus(replaced)
	return u.fs.judge(func(q config.Quota) bool { return a.rest.plus(comes).within(q) }) == nil
}

// settle ends the charge: so much is at rest, more than before.
func (u *Upload) settle(rests tally) {
	a := u.fs.account
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.moving, u.charged = a.moving.minus(u.charged), tally{}
	a.put(rests)
}

// judge is the account's, for this user's quota. Who has none is always right.
func (f *FS) judge(fits func(config.Quota) bool) error {
	if f.quota != (config.Quota{}) {
		return f.account.judge(func() bool { return fits(f.quota) })
	}
	return f.try(fits)
}

// try is judge by what is known.
func (f *FS) try(fits func(config.Quota) bool) error {
	if f.quota != (config.Quota{}) {
		return f.account.try(func() bool { return fits(f.quota) })
	}
	f.account.mu.Lock()
	defer f.account.mu.Unlock()
	fits(f.quota)
	return nil
}

// weigh is what a name counts for at the moment: what is on its way does not.
// Who has no account is spared the look.
func (f *FS) weigh(d *folder, name string) (tally, error) {
	if f.account == nil {
		return tally{}, nil
	}
	i, exists, err := d.present(name)
	if exists && f.store.writing.has(i.identity()) {
		exists = false
	}
	return tallyOf(i, exists), err
}

// named counts a directory that is about to be made.
func (f *FS) named() (undo func(), err error) {
	a, one := f.account, tally{files: 1}
	if a == nil {
		return func() {}, nil
	}
	err = f.judge(func(q config.Quota) bool {
		fits := a.rest.plus(a.moving).plus(one).within(config.Quota{Files: q.Files})
		if fits {
			a.put(one)
		}
		return fits
	})
	return func() { a.change(tally{files: -1}) }, err
}

// recountIfStays: what a failed command has left behind counts too.
func (f *FS) recountIfStays(err error) {
	if errors.Is(err, errStays) {
		f.account.outdate()
	}
}
