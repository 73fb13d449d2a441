package vfs

import (
	"errors"
	"io/fs"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// CreateMode says what an upload does with what is already there.
type CreateMode int

// The modes.
const (
	CreateTruncate CreateMode = iota // STOR: begin anew
	CreateAt                         // REST n and STOR: keep the first n bytes
	CreateAppend                     // APPE: add to the end
)

// source is what an upload begins with.
type source int

const (
	fromNothing source = iota
	fromPartial        // this user's interrupted upload, claimed
	fromTarget         // a copy of the file that it is to replace
)

// plan is what an upload does with what is already there.
type plan struct {
	mode   CreateMode
	offset int64 // bytes kept of the source, for CreateAt
	// exclusive: the name must be free, now and when it is published.
	exclusive bool
	// whole: the name never shows a part of it, whatever the settings.
	whole bool
	pace  Pace // of the copies that it makes; nil: at once
}

// Upload is a file on its way. It lies under a hidden name beside its target,
// where nobody sees it, until Commit publishes it whole; or, where settings say
// so, it is the visible file from Prepare on (Direct). After Prepare, data goes
// into File. Exactly one of Commit, Interrupt and Discard ends it, closes
// File, and leaves no descriptor open. It is for one goroutine at a time.
type Upload struct {
	fs      *FS
	at      place
	folder  *folder
	file    *os.File
	hidden  string // the temporary's name
	partial string // where an interrupted upload is kept
	plan
	source    source
	target    Info // what the name held, as far as the upload builds on it
	exists    bool // it held something
	prepared  bool
	flushed   bool  // or tried to: never twice
	unflushed error // why that has failed
	ended     atomic.Bool

	direct  bool     // into the visible file
	created bool     // by this upload, directly
	held    identity // of the visible file, while this upload writes it
	links   uint64   // names that the file had when it was closed
	size    int64    // that it had then
	unseen  bool     // neither is known: the disk did not tell

	charged tally // to the account, as long as the upload is on its way
	credit  tally // what it may replace
}

// Create begins an upload to p; the offset counts, in bytes, for CreateAt only.
// It is quick: it checks, takes what the upload goes on with, and changes
// nothing before Prepare. Nothing under the name p changes before Commit.
//
// CreateAt and CreateAppend go on with this user's partial upload to p, and
// while they do, no other session finds it; where there is none, with a copy of
// the file. ErrRestart tells that the offset is beyond what there is,
// ErrInterrupted that both are there and it is open which one is meant.
//
// A symbolic link is no target (ErrNotRegular): to follow it would mean to
// publish in a directory that the client did not name.
//
// A Direct upload knows no partial uploads: CreateAt and CreateAppend go on with
// the file itself.
func (f *FS) Create(p string, mode CreateMode, offset int64) (*Upload, error) {
	if mode == CreateAt && offset == 0 {
		mode = CreateTruncate
	}
	return f.create(p, plan{mode: mode, offset: offset})
}

func (f *FS) create(p string, as plan) (*Upload, error) {
	at, err := locateNew("store", p)
	if err != nil {
		return nil, err
	}
	if at.isHome() {
		return nil, fail("store", at.virtual, ErrIsDir)
	}
	v, err := f.view()
	if err != nil {
		return nil, fail("store", at.virtual, err)
	}
	defer v.close()
	d, err := v.dir(at.dir)
	if err != nil {
		return nil, fail("store", at.virtual, err)
	}
	u := &Upload{
		fs: f, at: at, folder: d, plan: as,
		partial: f.partialName(at.base), hidden: f.store.temporaryName(),
	}
	if err := u.begin(v); err != nil {
		u.undo()
		d.close()
		return nil, fail("store", at.virtual, err)
	}
	return u, nil
}

func (u *Upload) begin(v *view) (err error) {
	if u.target, u.exists, err = u.folder.present(u.at.base); err != nil {
		return err
	}
	if u.exclusive && u.exists {
		return fs.ErrExist
	}
	if u.exists {
		u.hidden += "-" + u.fs.targetHash(u.at.base) // see unfinished
	}
	if err := u.mayStore(); err != nil {
		return err
	}
	if err := v.now.mayBeNamed(u.at.base, false); err != nil {
		return err
	}
	if err := v.mayAppear(u.folder, u.at.base); err != nil {
		return err
	}
	if u.folder.held.has(opDirect) && !u.whole {
		return u.beginDirect()
	}
	from, part, err := u.choose()
	if err != nil {
		return err
	}
	if err := u.admit(part, from == fromPartial); err != nil {
		return err
	}
	if from == fromPartial {
		return u.claim(part)
	}
	u.source = from
	u.file, err = u.folder.create(u.hidden, u.at.virtual, v.now)
	if errors.Is(err, errStays) {
		u.warnOfTemporary(err)
	}
	return err
}

// mayStore holds the role and the settings against what is there now.
func (u *Upload) mayStore() error {
	if !u.exists {
		return u.fs.need(u.folder.held, OpCreate)
	}
	if u.mode == CreateAppend {
		if err := u.fs.need(u.folder.held, OpAppend); err != nil {
			return u.fs.taken(u.folder.held, err)
		}
		return regular(u.target.Mode)
	}
	if err := u.fs.need(u.folder.held, OpOverwrite); err != nil {
		return u.fs.taken(u.folder.held, err)
	}
	if err := regular(u.target.Mode); err != nil {
		return err
	}
	return u.fs.mayReplace(u.folder.held)
}

// mayReplace tells whether a file may take the place of another.
func (f *FS) mayReplace(held Operation) error {
	if err := f.need(held, OpOverwrite); err != nil {
		return f.taken(held, err)
	}
	if !held.has(opReplace) {
		return ErrTaken
	}
	return nil
}

// taken is what a refusal means where another name would do.
func (f *FS) taken(held Operation, err error) error {
	if f.need(held, OpCreate) == nil {
		return ErrTaken
	}
	return err
}

// choose tells what the upload begins with. It refuses where a guess could mix
// two files: docs/storage.md has the table.
func (u *Upload) choose() (from source, part Info, err error) {
	if u.mode == CreateTruncate {
		return fromNothing, Info{}, nil
	}
	part, waits, err := u.fs.waiting(u.folder, u.at.base, u.target, u.exists)
	switch {
	case err != nil:
		return 0, Info{}, err
	case waits && u.exists && (u.mode == CreateAppend || !u.fits(part.Size)):
		return 0, Info{}, ErrInterrupted // who asked for the size means the file, who was cut the partial
	case waits && u.fits(part.Size):
		return fromPartial, part, nil
	case !waits && u.exists && u.fits(u.target.Size):
		return u.copyOfTarget()
	case !waits && !u.exists && u.mode == CreateAppend:
		return fromNothing, Info{}, nil
	}
	return 0, Info{}, ErrRestart
}

// copyOfTarget has the upload begin with what the name holds, unless an upload of this
// user that is to replace it is on its way: its client may have lost it, and mean
// that one by the size that it was told.
func (u *Upload) copyOfTarget() (source, Info, error) {
	return fromTarget, Info{}, u.unfinished()
}

// fits tells whether an upload can go on with something of that size.
func (u *Upload) fits(size int64) bool {
	return u.mode == CreateAppend || u.offset >= 0 && u.offset <= size
}

// reopen opens the temporary that a partial upload has become.
func (u *Upload) reopen() (err error) {
	u.file, err = u.folder.open(u.hidden, unix.O_WRONLY|unix.O_NONBLOCK, u.at.virtual)
	return err
}

// File is the bare file, after Prepare positioned where the data goes, so that
// the kernel can receive into it by itself. It is closed when the upload ends.
func (u *Upload) File() *os.File { return u.file }

func (u *Upload) stat() (Info, error) {
	return statOf(u.fs.store.sys, int(u.file.Fd()), u.at.base)
}

// close closes the file; often it is closed already.
func (u *Upload) close() error { return u.fs.store.sys.Close(u.file) }

// Name is the virtual path that the upload is to have.
func (u *Upload) Name() string { return u.at.virtual }
