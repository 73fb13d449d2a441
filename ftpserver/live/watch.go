package live

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// How soon a change is noticed.
const (
	// quiet is how long the files must rest before they are read, so that a
	// file written in place is read whole; settle is the longest such wait. The
	// files of a Kubernetes volume change all at once, and need no rest.
	quiet  = 60 * time.Millisecond
	settle = 500 * time.Millisecond
	// netInterval is how often files are read without being told of a change:
	// watches miss what happens on network file systems and behind symlinks.
	netInterval = 30 * time.Second
	// pollInterval takes its place where a directory can't be watched.
	pollInterval = 2 * time.Second
)

// watch tells when the files may have changed. It watches directories, as the
// files in a Kubernetes volume never change themselves: the symlink ..data that
// they lie behind is replaced.
type watch struct {
	log     *slog.Logger
	watcher *fsnotify.Watcher // nil: none can be had, and files are polled
	dirs    map[string]bool
	names   map[string]bool // what events must be about, without directory
	blind   map[string]bool // directories that can't be watched
}

func newWatch(log *slog.Logger) *watch {
	w := &watch{log: log}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("Files cannot be watched and are polled", "interval", pollInterval.String(), "error", err)
		return w
	}
	w.watcher = watcher
	return w
}

func (w *watch) close() {
	if w.watcher != nil {
		_ = w.watcher.Close() // there is nothing left to lose
	}
}

// follow watches the directories of these files and no others. It tells whether
// any was not watched before: what happened there meanwhile went unseen.
func (w *watch) follow(files []string) (added bool) {
	if w.watcher == nil {
		return false
	}
	old, blind := w.dirs, w.blind
	w.dirs, w.names, w.blind = map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, f := range files {
		w.include(f)
	}
	for dir := range w.dirs {
		// Also where it is watched: the path may lead to another directory now.
		if err := w.watcher.Add(dir); err != nil {
			w.blind[dir] = true
			delete(w.dirs, dir)
			if !blind[dir] {
				w.log.Warn("Directory cannot be watched and is polled", "directory", dir, "interval", pollInterval.String(), "error", err)
			}
			continue
		}
		added = added || !old[dir]
	}
	for dir := range old {
		if !w.dirs[dir] {
			_ = w.watcher.Remove(dir) // it may be gone by itself
		}
	}
	return added
}

// include notes the directory of a file, and those of the symlinks on the way
// to it, as replacing one of them replaces the file.
func (w *watch) include(file string) {
	w.names[filepath.Base(file)] = true
	dir := filepath.Dir(file)
	w.dirs[dir] = true
	for up := filepath.Dir(dir); up != dir; dir, up = up, filepath.Dir(up) {
		info, err := os.Lstat(dir)
		if err != nil || info.Mode()&os.ModeSymlink != 0 {
			w.names[filepath.Base(dir)] = true
			w.dirs[up] = true
		}
	}
}

// wait returns true when it is time to read the files, and false when ctx has
// ended.
func (w *watch) wait(ctx context.Context, poke <-chan struct{}) bool {
	timer := time.NewTimer(w.interval())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-poke:
			return true
		case <-timer.C:
			return true
		case e := <-w.events():
			switch {
			case swapped(e):
				return true
			case w.concerns(e):
				return w.rest(ctx)
			}
		case err := <-w.errors():
			w.log.Warn("Watching files failed", "error", err)
			return true
		}
	}
}

// rest waits until the files have rested.
func (w *watch) rest(ctx context.Context) bool {
	deadline := time.NewTimer(settle)
	defer deadline.Stop()
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-deadline.C:
			return true
		case <-timer.C:
			return true
		case e := <-w.events():
			switch {
			case swapped(e):
				return true
			case w.concerns(e):
				timer.Reset(quiet)
			}
		}
	}
}

func (w *watch) concerns(e fsnotify.Event) bool {
	return w.names[filepath.Base(e.Name)] || w.dirs[e.Name]
}

// swapped tells that all files of a Kubernetes volume have been replaced: the
// new ones were complete before the link to them was renamed.
func swapped(e fsnotify.Event) bool {
	return filepath.Base(e.Name) == dataLink && e.Has(fsnotify.Create)
}

func (w *watch) interval() time.Duration {
	if w.watcher == nil || len(w.blind) > 0 {
		return pollInterval
	}
	return netInterval
}

// events and errors are nil, and block for good, where nothing is watched.
func (w *watch) events() <-chan fsnotify.Event {
	if w.watcher == nil {
		return nil
	}
	return w.watcher.Events
}

func (w *watch) errors() <-chan error {
	if w.watcher == nil {
		return nil
	}
	return w.watcher.Errors
}
