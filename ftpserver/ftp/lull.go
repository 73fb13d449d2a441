package ftp

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lull is a moment in which whoever keeps the only processor busy stands still until
// the runtime has looked at the network. By itself the runtime does so when it has
// nothing else to run, or every 10 ms: commands would wait for that long beside
// transfers that always have something to do. Where several threads run Go code, one
// is left to look (see encryptionGate), and there is no lull.
type lull struct {
	begun  time.Time
	latest atomic.Int64 // when it was, since begun

	on atomic.Bool
	mu sync.Mutex // held while it is on

	descriptor func() *os.File // opened where it is needed
}

// lullEvery is how much time lies between two: what a command waits for, at most, and
// 200 times what a lull takes.
const lullEvery = 400 * time.Microsecond

// theLull is one for all servers of the process, as the processor is.
var theLull = newLull()

func newLull() *lull { return &lull{begun: time.Now(), descriptor: sync.OnceValue(eventDescriptor)} }

// eventDescriptor returns nil where the system gives none; then there is no lull.
func eventDescriptor() *os.File {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), "eventfd")
}

// join returns at once, most often. When others stand still, so does the caller.
// Copies in the kernel ask for no lull themselves: eight downloads that take turns more
// often, among what the processor's cache no longer holds, lose a tenth.
func (l *lull) join() {
	if l.on.Load() {
		l.mu.Lock()
		defer l.mu.Unlock()
	}
}

// offer is join, and begins a lull when it is time.
func (l *lull) offer() {
	l.join()
	now := int64(time.Since(l.begun))
	before := l.latest.Load()
	if now-before < int64(lullEvery) || !l.latest.CompareAndSwap(before, now) || runtime.GOMAXPROCS(0) > 1 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on.Store(true)
	defer l.on.Store(false)
	l.untilPolled()
}

// untilPolled has the runtime wait for a descriptor that is ready: it is told of that
// when it looks at all of them.
func (l *lull) untilPolled() {
	f := l.descriptor()
	if f == nil {
		return
	}
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	ready := false
	_ = c.Read(func(fd uintptr) (polled bool) {
		count := []byte{1, 0, 0, 0, 0, 0, 0, 0} // what it is must not be 0 (eventfd(2))
		if ready {
			_, _ = syscall.Read(int(fd), count)
			return true
		}
		_, err := syscall.Write(int(fd), count)
		ready = true
		return err != nil
	})
}
