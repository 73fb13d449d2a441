// Package vfs is what a user sees of the storage: a jail, a role, and uploads
// that appear whole or not at all.
//
// A Store is the directory that holds all files, an FS is one user's view of
// it. Paths are virtual: absolute, slash-separated, and "/" is the user's home.
// The kernel holds the jail: every path is walked by os.Root, descriptor by
// descriptor, and what is then done is done to a single name in an open
// directory. No path of the disk is ever compared with another or told to a
// user.
//
// The package knows neither FTP nor its replies, reads no configuration but
// the user it is given, and limits no rate. It runs on Linux only.
package vfs

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"os"
	"regexp"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs/system"
)

// Options of a Store.
type Options struct {
	// Slot is the number of this replica. Replicas on one volume have
	// different ones.
	Slot int
	// BootID differs for each start of the process: 1 to 64 letters, digits
	// and hyphens. Together with Slot it tells whose a temporary is.
	BootID string
	// Durability of what is acknowledged, until Configure says otherwise.
	// Absent: Full.
	Durability config.Durability
	// Log receives what a sweep could not remove. Absent: nothing is logged.
	Log *slog.Logger
	// System is what the storage asks for all it does; for tests that let it
	// fail. Absent: the kernel.
	System system.Calls
}

// Store is the directory that holds every user's files. It is safe for
// concurrent use.
type Store struct {
	sys    system.Calls
	root   *os.Root
	closed *os.Root // what a closed view has for a home
	slot   int
	bootID string
	log    *slog.Logger
	seq    atomic.Uint64

	current    atomic.Pointer[settings]
	publishing nameLocks
	writing    writing
	accounts   accounts
	homes      homes
	counts     counts

	sweeping    atomic.Bool // the earlier starts of this slot have ended, as Sweep was called
	temporaries string      // begins the names of this start's temporaries
}

var bootIDs = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// OpenStore opens the directory root, which must exist and be writable. The
// error names it and is for whoever runs the server, not for its users.
func OpenStore(root string, o Options) (*Store, error) {
	if o.Slot < 0 || !bootIDs.MatchString(o.BootID) {
		return nil, fmt.Errorf("open storage: slot %d must be 0 or more, boot id %q 1 to 64 letters, digits and hyphens", o.Slot, o.BootID)
	}
	if err := checkRoot(root); err != nil {
		return nil, fmt.Errorf("storage root %s: %w", root, err)
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("open storage: %w", err)
	}
	closed, err := r.OpenRoot(".")
	if err == nil {
		err = closed.Close()
	}
	if err != nil {
		_ = r.Close()
		return nil, fmt.Errorf("open storage: %w", err)
	}
	sys := cmp.Or(o.System, system.Calls(system.Kernel{}))
	s := &Store{sys: sys, root: r, closed: closed, slot: o.Slot, bootID: o.BootID, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler))}
	s.homes.sys = sys
	s.temporaries = fmt.Sprintf("%s%d-%s-", temporaryPrefix, o.Slot, o.BootID)
	s.counts.open()
	s.publishing.seed = maphash.MakeSeed()
	return s, s.Configure(config.Storage{Durability: o.Durability})
}

// checkRoot does not write: a server whose disk is full must start, so that
// its users can delete.
func checkRoot(root string) error {
	st, err := os.Stat(root)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return errors.New("does not exist; create it or name another directory")
	case err != nil:
		return err
	case !st.IsDir():
		return errors.New("is not a directory; name the directory that holds the files")
	}
	if err := unix.Access(root, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("user %d may not read and write it (%w); change its owner, or mount it writable", os.Geteuid(), err)
	}
	return nil
}

// Close closes the store. Views and uploads that exist go on working.
func (s *Store) Close() error {
	s.counts.close()
	return s.root.Close()
}

// FreeBytes is the space that the server may still fill, in bytes; -1 if it is
// not known.
func (s *Store) FreeBytes() int64 {
	f, err := openDir(s.sys, s.root, ".")
	if err != nil {
		return -1
	}
	defer f.close()
	n, err := f.free()
	if err != nil {
		return -1
	}
	return n
}
