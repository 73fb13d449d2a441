package vfs

import (
	"os"
	"sync"
	"sync/atomic"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs/system"
)

// homes are the directories that views hold open: one descriptor for each,
// however many views there are of it.
type homes struct {
	sys  system.Calls
	mu   sync.Mutex
	held map[identity]*home
}

// home is an open directory. Its views are counted under homes.mu.
type home struct {
	root  *os.Root
	is    identity
	views int
}

// jail is what one view has of a home.
type jail struct {
	of   *home
	root atomic.Pointer[os.Root] // a closed one from Close on
}

// share returns the home that has an identity, for one more view; nil if nobody
// holds it. As long as a directory is open, no other one gets its inode number
// on a file system of this machine. A server of network file systems may give it
// to another one as soon as the directory was removed, so that what is held is
// looked at again.
func (h *homes) share(is identity) *home {
	h.mu.Lock()
	one := h.held[is]
	if one != nil {
		one.views++
	}
	h.mu.Unlock()
	if one == nil || h.present(one) {
		return one
	}
	h.mu.Lock()
	if h.held[is] == one {
		delete(h.held, is) // for those who come: whoever has it, keeps it
	}
	h.mu.Unlock()
	_ = h.leave(one) // only looked at: nothing can be lost
	return nil
}

// present tells whether the open directory still is what it was held for.
func (h *homes) present(one *home) bool {
	fi, err := h.sys.Stat(one.root, ".")
	return err == nil && infoOfFile(".", fi).identity() == one.is
}

// hold takes over an open directory for a view. Where another view has come
// first, it closes it.
func (h *homes) hold(root *os.Root) (*home, error) {
	fi, err := h.sys.Stat(root, ".")
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	is := infoOfFile(".", fi).identity()
	if one := h.share(is); one != nil {
		_ = root.Close()
		return one, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	one := &home{root: root, is: is, views: 1}
	if h.held == nil {
		h.held = map[identity]*home{}
	}
	h.held[is] = one // two that come at once have one each: the latter stays
	return one, nil
}

// leave ends one view, and closes what has no other.
func (h *homes) leave(one *home) error {
	h.mu.Lock()
	one.views--
	last := one.views == 0
	if last && h.held[one.is] == one {
		delete(h.held, one.is)
	}
	h.mu.Unlock()
	if !last {
		return nil
	}
	return one.root.Close()
}

func newJail(of *home) *jail {
	j := &jail{of: of}
	j.root.Store(of.root)
	return j
}

// dir is the directory to start from. Once the view is closed, everything done
// with it fails with fs.ErrClosed.
func (j *jail) dir() *os.Root { return j.root.Load() }
