package ftp

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// usedSessions leaves sessions behind that have each downloaded and listed once,
// and nothing of their clients but a descriptor each.
func (b *bench) usedSessions(t *testing.T, number int, login func(*bench) *client) {
	t.Helper()
	kept := make([]int, 0, number)
	t.Cleanup(func() {
		for _, fd := range kept {
			_ = unix.Close(fd)
		}
	})
	t.Run("use", func(t *testing.T) { // what the clients hold ends with it
		before := b.t
		b.t = t
		defer func() { b.t = before }()
		for range number {
			c := login(b)
			for _, command := range []string{"RETR file", "LIST"} {
				if content, reply := c.download(command); content == "" || reply[:3] != "226" {
					t.Fatalf("%s: %q, %s", command, content, reply)
				}
			}
			must(t, withFD(c.raw, func(fd int) {
				if again, err := unix.Dup(fd); err != nil {
					t.Error(err)
				} else {
					kept = append(kept, again)
				}
			}))
		}
	})
}

func (l *logBuffer) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

// sleeping tells whether all sessions sleep.
func (b *bench) sleeping() bool {
	for _, s := range b.server.all() {
		s.mu.Lock()
		asleep := s.asleep
		s.mu.Unlock()
		if !asleep {
			return false
		}
	}
	return true
}

// memory is what is in use once garbage is collected, in bytes.
func memory() (heap, stacks float64) {
	for range 4 { // pools keep what they have for one collection, stacks shrink step by step
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc), float64(m.StackInuse)
}

// raceDetector is that there is one, which makes stacks larger.
var raceDetector bool

// TestIdleSessionsAreSmall: what a session that waits for a command holds in
// memory, besides the buffers of the kernel.
func TestIdleSessionsAreSmall(t *testing.T) {
	const number = 300
	for _, c := range []struct {
		name         string
		login        func(b *bench) *client
		heap, stacks float64 // KiB, at most
	}{
		{"plain", (*bench).login, 3.5, 3},
		{"TLS", (*bench).loginTLS, 14, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, nil)
			b.file("file", "content")
			b.usedSessions(t, 30, c.login)
			eventually(t, "all sessions sleep", b.sleeping)
			heap, stacks := memory()
			b.usedSessions(t, number, c.login)
			b.log.forget()
			eventually(t, "all sessions sleep", b.sleeping)
			heapAfter, stacksAfter := memory()
			heap, stacks = (heapAfter-heap)/number/1024, (stacksAfter-stacks)/number/1024
			t.Logf("an idle session holds %.2f KiB of heap and %.2f KiB of stacks", heap, stacks)
			if heap > c.heap || stacks > c.stacks && !raceDetector {
				t.Errorf("want at most %.1f and %.1f KiB", c.heap, c.stacks)
			}
		})
	}
}
