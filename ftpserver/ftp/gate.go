package ftp

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// encryptionGate lets at most all but one of the processors encrypt downloads and
// send them at a time. Without it, under a load of TLS transfers every processor is
// busy for long stretches and control connections are served late.
type encryptionGate struct {
	slots   chan struct{}
	begun   time.Time
	yielded atomic.Int64 // when a processor was last offered, since begun
}

// yieldEvery is how often a processor that is kept busy is offered to other threads.
const yieldEvery = time.Millisecond

func newEncryptionGate() *encryptionGate {
	return &encryptionGate{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)), begun: time.Now()}
}

func (g *encryptionGate) enter() { g.slots <- struct{}{} }

// leave also offers the processor to other threads from time to time. Where there
// are no more processors than slots, the thread that control connections wait for
// would get it only when the system takes it away.
func (g *encryptionGate) leave() {
	<-g.slots
	now := int64(time.Since(g.begun))
	if before := g.yielded.Load(); now-before >= int64(yieldEvery) && g.yielded.CompareAndSwap(before, now) {
		_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // cannot fail
	}
}
