package vfs

import (
	"errors"
	"hash/maphash"
	"io/fs"
	"sync"
)

// publish gives the file its name. Where nothing may be overwritten, and where an
// upload is to have a name of its own, that is done by a link, which fails if the
// name has been taken since Create.
//
// What was built on the file under the name replaces that file only: it may
// have been changed since, and that change was acknowledged. Within this process
// nothing comes between the look and the rename. A replica on the same volume,
// or a program beside the server, still can: of two appends that end within the
// same microseconds in two replicas, one may be lost.
//
// Where the quota leaves no room, it tries once more after a new count. It waits
// for that without the lock of the name, which serves the names of others too.
func (u *Upload) publish() error {
	err := u.publishNow()
	if errors.Is(err, ErrQuota) && u.fs.account.recounted() {
		err = u.publishNow()
	}
	return err
}

func (u *Upload) publishNow() error {
	lock := u.fs.store.publishing.of(u.at.base)
	lock.Lock()
	defer lock.Unlock()
	defer u.fs.account.goes()()
	adds := u.mode == CreateAppend && u.exists // which is not to replace
	if u.exclusive || !adds && !u.folder.held.overwrites() {
		return u.publishNew()
	}
	if err := u.unchanged(); err != nil {
		return err
	}
	replaced, err := u.fs.weigh(u.folder, u.at.base)
	if err != nil {
		return err
	}
	done, err := u.rest(replaced)
	if err != nil {
		return err
	}
	err = u.folder.rename(u.hidden, u.folder, u.at.base)
	done(err)
	return err
}

func (u *Upload) publishNew() error {
	done, err := u.rest(tally{})
	if err != nil {
		return err
	}
	err = u.folder.link(u.hidden, u.at.base)
	done(err)
	if errors.Is(err, fs.ErrExist) {
		return ErrTaken
	}
	if err != nil {
		return err
	}
	// The file is there under its name: a second, hidden name that stays
	// behind is the sweep's business.
	if err := u.folder.unlink(u.hidden); err != nil {
		u.warnOfTemporary(err)
	}
	return nil
}

// unchanged is ErrChanged where the name no longer holds what the upload was
// built on. A STOR, also one that was resumed, is built on nothing: of two, the
// last one wins.
func (u *Upload) unchanged() error {
	if u.mode != CreateAppend && u.source != fromTarget {
		return nil
	}
	now, exists, err := u.folder.present(u.at.base)
	switch {
	case err != nil:
		return err
	case exists != u.exists, exists && !now.same(u.target):
		return ErrChanged
	}
	return nil
}

// nameLocks serialise what gives files their names. A lock serves many names,
// and a name has one lock in all directories: they are held for a rename only.
type nameLocks struct {
	seed  maphash.Seed
	locks [64]sync.Mutex
}

func (l *nameLocks) of(base string) *sync.Mutex { return &l.locks[l.index(base)] }

func (l *nameLocks) index(base string) uint64 {
	return maphash.String(l.seed, base) % uint64(len(l.locks))
}

// both locks two names, in an order that is the same for everybody.
func (l *nameLocks) both(a, b string) (unlock func()) {
	i, j := l.index(a), l.index(b)
	if i > j {
		i, j = j, i
	}
	l.locks[i].Lock()
	if i == j {
		return l.locks[i].Unlock
	}
	l.locks[j].Lock()
	return func() {
		l.locks[j].Unlock()
		l.locks[i].Unlock()
	}
}

// alone is for what weighs a name and then takes it away: nothing else may have it
// in between, and no count. Without an account nothing is weighed.
func (f *FS) alone(base string) (unlock func()) {
	if f.account == nil {
		return func() {}
	}
	return f.hold(base)
}

// hold keeps everybody else from publishing under a name, and from counting where
// there is an account.
func (f *FS) hold(base string) (release func()) {
	lock := f.store.publishing.of(base)
	lock.Lock()
	if f.account == nil {
		return lock.Unlock
	}
	done := f.account.goes()
	return func() {
		done()
		lock.Unlock()
	}
}
