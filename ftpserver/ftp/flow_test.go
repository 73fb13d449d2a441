package ftp

import (
	"context"
	"errors"
	"io"
	"math/rand"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/live"
)

// ledger is what has been moved, and when.
type ledger struct {
	at    []time.Time
	bytes []int64
}

// most is the most by which any stretch of time has had more than the rate gives
// for it, in bytes.
func (l *ledger) most(bytesPerSecond int64) float64 {
	least, most, sum := 0.0, 0.0, 0.0
	for i, at := range l.at {
		given := float64(bytesPerSecond) * at.Sub(l.at[0]).Seconds()
		least = min(least, sum-given)
		sum += float64(l.bytes[i])
		most = max(most, sum-given-least)
	}
	return most
}

func (l *ledger) total() (sum int64) {
	for _, n := range l.bytes {
		sum += n
	}
	return sum
}

// run moves what f lets through from now until then. Each wait ends late by as much
// as late says.
func (l *ledger) run(t *testing.T, f *flow, now, until time.Time, size int64, late func() time.Duration) {
	t.Helper()
	for now.Before(until) {
		n, wait := f.ready(now, size)
		switch {
		case wait > portionTime+time.Microsecond:
			t.Fatalf("a wait of %v", wait)
		case wait > 0:
			now = now.Add(wait + late())
		case n < 1 || n > size:
			t.Fatalf("%d bytes of %d", n, size)
		default:
			f.moved(now, n)
			l.at, l.bytes = append(l.at, now), append(l.bytes, n)
		}
	}
}

// TestFlow holds rates, from the lowest on, against a clock that stands still: each is
// reached within 5 %, though every wait ends late, and never passed by more than a
// burst.
func TestFlow(t *testing.T) {
	const seconds = 10
	random := rand.New(rand.NewSource(1))
	for _, rate := range []int64{config.MinRate, 10_000, 1 << 20, 50 << 20, 1 << 30} {
		for name, late := range map[string]func() time.Duration{
			"in time": func() time.Duration { return 0 },
			"late":    func() time.Duration { return time.Duration(random.Int63n(int64(burstTime - portionTime))) },
		} {
			for _, size := range []int64{kernelChunk, 1000, 7} {
				if size*1_000_000 < rate*seconds { // a million pieces are enough
					continue
				}
				var f flow
				var l ledger
				now := time.Now()
				f.set(now, rate)
				l.run(t, &f, now, now.Add(seconds*time.Second), size, late)
				if got := float64(l.total()) / float64(rate*seconds); got < 0.95 || got > 1.05 {
					t.Errorf("%d bytes per second, %s, by %d: %.3f of the rate", rate, name, size, got)
				}
				if most, limit := l.most(rate), float64(worth(rate, burstTime))+1; most > limit {
					t.Errorf("%d bytes per second, %s, by %d: a burst of %.1f bytes, more than %.1f", rate, name, size, most, limit)
				}
			}
		}
	}
}

// TestFlowAfterAPause: who has moved nothing for hours has saved up one burst.
func TestFlowAfterAPause(t *testing.T) {
	const rate = 1 << 20
	var f flow
	var l ledger
	now, none := time.Now(), func() time.Duration { return 0 }
	f.set(now, rate)
	for range 3 {
		l.run(t, &f, now, now.Add(time.Second), 1000, none)
		now = now.Add(time.Hour)
	}
	if most, limit := l.most(rate), float64(worth(rate, burstTime))+1; most > limit {
		t.Errorf("a burst of %.1f bytes, more than %.1f", most, limit)
	}
}

// TestFlowChanges: what was saved up at a high rate is no burst at a low one, and
// without a rate nothing waits.
func TestFlowChanges(t *testing.T) {
	var f flow
	var l ledger
	now, none := time.Now(), func() time.Duration { return 0 }
	f.set(now, 1<<30)
	f.set(now, config.MinRate)
	l.run(t, &f, now, now.Add(time.Second), kernelChunk, none)
	if got := l.total(); got > config.MinRate+worth(config.MinRate, burstTime) {
		t.Errorf("%d bytes in the first second at the new rate", got)
	}
	f.set(now, 0)
	if n, wait := f.ready(now, kernelChunk); n != kernelChunk || wait != 0 {
		t.Errorf("without a rate: %d bytes, a wait of %v", n, wait)
	}
}

// TestFlowCountsWhatWasMoved, and not what could have been: many small files come as
// fast as one large one.
func TestFlowCountsWhatWasMoved(t *testing.T) {
	const rate, small = 1 << 20, 100
	var f flow
	now := time.Now()
	end, moved := now.Add(10*time.Second), 0
	f.set(now, rate)
	for now.Before(end) {
		n, wait := f.ready(now, kernelChunk)
		if n > 0 {
			f.moved(now, small)
			moved += small
		}
		now = now.Add(wait)
	}
	if got := float64(moved) / (10 * rate); got < 0.95 || got > 1.05 {
		t.Errorf("%.3f of the rate", got)
	}
}

// TestAllowanceOfACutTransfer: a wait ends with the transfer, and nothing is moved
// any more.
func TestAllowanceOfACutTransfer(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Limits.DownloadRatePerSession = config.MinRate })
	ctx, cancel := context.WithCancelCause(context.Background())
	var f flow
	cut := &transfer{ctx: ctx, throttle: &throttle{
		flow: &f, source: b.source, shape: func(int64) {},
		rate: func(now *live.Snapshot) int64 { return now.Config.Limits.DownloadRatePerSession },
	}}
	cancel(errAborted)
	for range 10 { // what was saved up may go first
		n, err := cut.allowance(kernelChunk)
		if errors.Is(err, errAborted) {
			return
		}
		must(t, err)
		f.moved(time.Now(), n)
	}
	t.Error("it goes on")
}

// receiveBuffer is how large the kernel has made it, in bytes.
func receiveBuffer(t *testing.T, c *net.TCPConn) (size int) {
	t.Helper()
	must(t, withFD(c, func(fd int) { size, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF) }))
	return size
}

// TestReceiveBufferStays as small as a rate needs, while data comes as fast as it can,
// and is the kernel's to choose again without a rate.
func TestReceiveBufferStays(t *testing.T) {
	near, far := socketPair(t)
	defer func() { _, _ = near.Close(), far.Close() }()
	c := far.(*net.TCPConn)
	pump := func() {
		t.Helper()
		const size = 32 << 20
		go func() { _, _ = near.Write(make([]byte, size)) }()
		_, err := io.CopyN(io.Discard, c, size)
		must(t, err)
	}
	before := receiveBuffer(t, c)
	shapeReceiving(c, 1<<20)
	pump()
	if now := receiveBuffer(t, c); now != before {
		t.Errorf("at a low rate the buffer has become %d bytes, and was %d", now, before)
	}
	shapeReceiving(c, 0)
	pump()
	if now := receiveBuffer(t, c); now <= before {
		t.Errorf("without a rate the buffer still has %d bytes", now)
	}
}

// TestReceiveBufferForARate is what the rate needs, as far as it can be.
func TestReceiveBufferForARate(t *testing.T) {
	near, far := socketPair(t)
	defer func() { _, _ = near.Close(), far.Close() }()
	c := far.(*net.TCPConn)
	fast := largestBuffer() * int64(time.Second/aheadTime) / 2
	shapeReceiving(c, fast)
	eventually(t, "the client may send as much", func() bool {
		_, err := near.Write(make([]byte, 64<<10))
		must(t, err)
		_, err = io.CopyN(io.Discard, c, 64<<10)
		must(t, err)
		return int64(tcpInfo(near.(*net.TCPConn)).Snd_wnd) > worth(fast, aheadTime)/2
	})
	set := int64(receiveBuffer(t, c))
	if least := 2 * worth(fast, aheadTime); set < least {
		t.Errorf("at a high rate the buffer has %d bytes, and needs %d", set, least)
	}
	shapeReceiving(c, 1<<40) // more than it can be set to: the kernel's choice again
	if now := int64(receiveBuffer(t, c)); now < set || bufferLocked(t, c) {
		t.Errorf("at a rate beyond, the buffer has %d bytes, and had %d; it is locked: %v", now, set, bufferLocked(t, c))
	}
}

// bufferLocked tells that the kernel may not make the receive buffer larger.
func bufferLocked(t *testing.T, c *net.TCPConn) bool {
	t.Helper()
	lock := 0
	must(t, withFD(c, func(fd int) { lock, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK) }))
	return lock&receiveBufferLock != 0
}

// TestReceiveBufferIsTheKernels: where no rate has set it, the end of a rate leaves
// it alone; a client may have been told of more room than could be set.
func TestReceiveBufferIsTheKernels(t *testing.T) {
	near, far := socketPair(t)
	defer func() { _, _ = near.Close(), far.Close() }()
	c := far.(*net.TCPConn)
	before := receiveBuffer(t, c)
	shapeReceiving(c, 1<<40)
	shapeReceiving(c, 0)
	if now := receiveBuffer(t, c); now != before || bufferLocked(t, c) {
		t.Errorf("the buffer has %d bytes, and had %d", now, before)
	}
}

// TestPortionsDoNotFillSegments: what a rate lets go does not wait in the kernel until
// a segment is full.
func TestPortionsDoNotFillSegments(t *testing.T) {
	near, far := socketPair(t)
	defer func() { _, _ = near.Close(), far.Close() }()
	c := far.(*net.TCPConn)
	for _, step := range []struct {
		rate   int64
		corked bool
	}{{0, true}, {config.MinRate, false}} {
		gather(c)
		shapeSending(c, step.rate)
		cork := 0
		must(t, withFD(c, func(fd int) { cork, _ = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_CORK) }))
		if corked := cork != 0; corked != step.corked {
			t.Errorf("at %d bytes per second segments are filled: %v", step.rate, corked)
		}
	}
}
