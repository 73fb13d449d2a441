package ftp

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// onOneThread runs the rest of a test as on a machine of one processor.
func onOneThread(t *testing.T) {
	t.Helper()
	before := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// pausing is a lull for which it is time.
func pausing(t *testing.T) *lull {
	t.Helper()
	l := newLull()
	l.begun = time.Now().Add(-time.Hour)
	t.Cleanup(func() {
		if f := l.descriptor(); f != nil {
			_ = f.Close()
		}
	})
	return l
}

// TestLull: who keeps the only processor busy, and offers a lull, lets those run
// whom something has come for, however many times.
func TestLull(t *testing.T) {
	onOneThread(t)
	l := pausing(t)
	r, w, err := os.Pipe()
	must(t, err)
	var came atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p := make([]byte, 1)
		for {
			if _, err := r.Read(p); err != nil {
				return
			}
			came.Add(1)
		}
	}()
	runtime.Gosched() // until it waits
	for i := range int64(200) {
		_, err := w.Write([]byte{1})
		must(t, err)
		l.latest.Store(0)
		l.offer()
		for turns := 0; came.Load() != i+1 && turns < 10; turns++ {
			runtime.Gosched() // it is polled, and in one of the queues
		}
		if came.Load() != i+1 {
			t.Fatalf("%d bytes were sent, and %d read", i+1, came.Load())
		}
	}
	must(t, w.Close())
	<-ended
	_ = r.Close()
}

// TestLullIsJoined: while others stand still, so does whoever comes by.
func TestLullIsJoined(t *testing.T) {
	onOneThread(t)
	l := pausing(t)
	l.latest.Store(int64(2 * time.Hour)) // none begins by itself
	l.mu.Lock()
	l.on.Store(true)
	went := make(chan struct{}, 2)
	for _, come := range []func(){l.join, l.offer} {
		go func() {
			come()
			went <- struct{}{}
		}()
	}
	for range 10 {
		runtime.Gosched()
	}
	if len(went) > 0 {
		t.Errorf("%d went on", len(went))
	}
	l.on.Store(false)
	l.mu.Unlock()
	<-went
	<-went
}

// TestLullOfMany: eight who are busy have one after the other, and all of them end.
func TestLullOfMany(t *testing.T) {
	onOneThread(t)
	l := pausing(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				l.latest.Store(0)
				l.offer()
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	if l.on.Load() {
		t.Error("a lull is left on")
	}
}

func BenchmarkLull(b *testing.B) {
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	for b.Loop() {
		theLull.latest.Store(-int64(lullEvery))
		theLull.offer()
	}
}

// TestNoLull: where a thread is left to look at the network, or it is not time yet,
// nobody stands still, and no descriptor is opened.
func TestNoLull(t *testing.T) {
	before := runtime.GOMAXPROCS(2)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	l := newLull()
	l.descriptor = func() *os.File {
		t.Error("there was a lull")
		return nil
	}
	l.begun = time.Now().Add(-time.Hour)
	l.offer()
	onOneThread(t)
	l.latest.Store(int64(time.Since(l.begun)) + int64(time.Hour))
	l.offer()
}

// TestLullWithoutDescriptor: a system that gives none costs nobody the transfer.
func TestLullWithoutDescriptor(t *testing.T) {
	onOneThread(t)
	l := newLull()
	l.begun = time.Now().Add(-time.Hour)
	l.descriptor = func() *os.File { return nil }
	l.offer()
	f := eventDescriptor()
	must(t, f.Close())
	l.descriptor = func() *os.File { return f }
	l.latest.Store(0)
	l.offer()
	if l.on.Load() {
		t.Error("a lull is left on")
	}
}
