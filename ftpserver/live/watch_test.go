package live

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// fake is a watch with a watcher that the test speaks for.
func fake() (*watch, chan fsnotify.Event) {
	events := make(chan fsnotify.Event)
	return &watch{
		watcher: &fsnotify.Watcher{Events: events, Errors: make(chan error)},
		dirs:    map[string]bool{"/etc/ftp": true},
		names:   map[string]bool{"config.v2.yaml": true},
	}, events
}

// waited is how long wait takes while a function says what happens.
func waited(t *testing.T, w *watch, happen func(cancel func(), poke chan struct{})) (time.Duration, bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	poke := make(chan struct{}, 1)
	go happen(cancel, poke)
	start := time.Now()
	read := w.wait(ctx, poke)
	return time.Since(start), read
}

func TestWait(t *testing.T) {
	const file = "/etc/ftp/config.v2.yaml"
	type script func(events chan fsnotify.Event, cancel func(), poke chan struct{})
	say := func(names ...string) script {
		return func(events chan fsnotify.Event, _ func(), _ chan struct{}) {
			for _, n := range names {
				op := fsnotify.Write
				if strings.HasSuffix(n, "..data") {
					op = fsnotify.Create
				}
				events <- fsnotify.Event{Name: n, Op: op}
				time.Sleep(quiet / 2) // of the bubble's clock: it takes no time
			}
		}
	}
	many := make([]string, 16)
	for i := range many {
		many[i] = file
	}
	tests := map[string]struct {
		script script
		after  time.Duration
		read   bool
	}{
		"nothing":          {say(), netInterval, true},
		"the file":         {say(file), quiet, true},
		"the file twice":   {say(file, file), quiet + quiet/2, true},
		"without rest":     {say(many...), settle, true},
		"the symlink":      {say("/etc/ftp/..data"), 0, true},
		"a swap":           {say("/etc/ftp/..2026_1", "/etc/ftp/..data_tmp", "/etc/ftp/..data"), quiet, true}, // its steps, quiet/2 each
		"swap amid writes": {say(file, file, "/etc/ftp/..data", file), quiet, true},
		"the directory":    {say("/etc/ftp"), quiet, true},
		"another file":     {say("/etc/ftp/upload.bin"), netInterval, true},
		"another and mine": {say("/etc/ftp/upload.bin", file), quiet + quiet/2, true},
		"poked":            {func(_ chan fsnotify.Event, _ func(), poke chan struct{}) { poke <- struct{}{} }, 0, true},
		"the end":          {func(_ chan fsnotify.Event, cancel func(), _ chan struct{}) { cancel() }, 0, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, events := fake()
				after, read := waited(t, w, func(cancel func(), poke chan struct{}) { tt.script(events, cancel, poke) })
				stop := make(chan struct{})
				go func() { // let a script that is not heard out end
					for {
						select {
						case <-events:
						case <-stop:
							return
						}
					}
				}()
				synctest.Wait()
				time.Sleep(time.Second) // of the bubble's clock: it takes no time
				close(stop)
				if after != tt.after || read != tt.read {
					t.Errorf("wait = %v after %v, want %v after %v", read, after, tt.read, tt.after)
				}
			})
		})
	}
}

func TestFilesThatCannotBeWatchedArePolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(watch)
		if w.follow([]string{"/etc/ftp/config.v2.yaml"}) {
			t.Error("something is watched without a watcher")
		}
		after, read := waited(t, w, func(func(), chan struct{}) {})
		if after != pollInterval || !read {
			t.Errorf("wait = %v after %v, want to read after %v", read, after, pollInterval)
		}
	})
}

func TestADirectoryThatCannotBeWatchedIsToldOnce(t *testing.T) {
	d := newDir(t)
	d.write("a/x", "")
	w := newWatch(d.logger())
	defer w.close()
	files := []string{d.path("a/x"), d.path("missing/x")}
	if !w.follow(files) {
		t.Error("the directory that is there is not watched")
	}
	if w.follow(files) {
		t.Error("what was watched before is new")
	}
	if n := d.logged("Directory cannot be watched and is polled", "missing"); n != 1 {
		t.Errorf("told %d times:\n%s", n, d.log.String())
	}
	if w.interval() != pollInterval {
		t.Error("it is not polled")
	}
	d.write("missing/x", "")
	if !w.follow(files) || w.interval() != netInterval {
		t.Error("the directory is there now, and not watched")
	}
	if w.follow(nil) || len(w.watcher.WatchList()) != 0 {
		t.Errorf("still watched: %v", w.watcher.WatchList())
	}
}
