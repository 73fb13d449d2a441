package xferlog

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

// Stdout is the name that stands for standard output.
const Stdout = "stdout"

const (
	// queued is how many lines wait to be written. More are dropped.
	queued = 1024
	// complainEvery bounds what is logged while lines can't be written.
	complainEvery = time.Minute
	// closeTimeout is how long Close waits for what is queued.
	closeTimeout = 2 * time.Second
)

// Log writes entries to a file, one system call for each. A nil Log drops them.
type Log struct {
	log     *slog.Logger
	dropped func() // is called for each entry that is lost
	stdout  io.Writer

	lines chan []byte
	paths chan string
	ended chan struct{}

	mu     sync.Mutex
	closed bool
	on     bool
}

// New returns a Log that writes nowhere until SetPath. Each entry that is lost
// is told by dropped.
func New(log *slog.Logger, dropped func()) *Log {
	l := &Log{
		log: log, dropped: dropped, stdout: os.Stdout,
		lines: make(chan []byte, queued), paths: make(chan string, 1), ended: make(chan struct{}),
	}
	go l.run()
	return l
}

// SetPath has entries written to that file from now on, to standard output where
// it is Stdout, and nowhere where it is empty. It waits for nothing; what is
// wrong with the file is logged. The same path again opens the file anew.
func (l *Log) SetPath(path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on = path != ""
	if l.closed {
		return
	}
	select {
	case <-l.paths: // the one before was not looked at yet
	default:
	}
	l.paths <- path
}

// Add has an entry written soon.
func (l *Log) Add(e *Entry) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.on || l.closed {
		return
	}
	select {
	case l.lines <- e.Line():
	default:
		l.dropped()
	}
}

// Close writes what is queued, as far as that takes no longer than two seconds.
func (l *Log) Close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.lines)
	}
	l.mu.Unlock()
	select {
	case <-l.ended:
	case <-time.After(closeTimeout):
	}
}

func (l *Log) run() {
	defer close(l.ended)
	out := output{stdout: l.stdout}
	defer out.close()
	var complained time.Time
	for {
		var err error
		select {
		case path := <-l.paths:
			out.close()
			out.path = path
			err = out.open()
		case line, more := <-l.lines:
			if !more {
				return
			}
			select { // in order: what was set before the line counts for it
			case path := <-l.paths:
				out.close()
				out.path = path
			default:
			}
			if err = out.write(line); err != nil {
				l.dropped()
			}
		}
		if err != nil && time.Since(complained) >= complainEvery {
			complained = time.Now()
			l.log.Error("Transfers can't be written to the transfer log", "file", out.path, "error", err)
		}
	}
}

// output is where lines go. Only the goroutine of run uses it.
type output struct {
	path   string
	stdout io.Writer
	file   *os.File
	torn   bool // the last line is there in part
}

var errNotRegular = errors.New("is no regular file")

func (o *output) open() error {
	if o.path == "" || o.path == Stdout {
		return nil
	}
	// O_NONBLOCK: to open a pipe that nobody reads would wait for ever.
	f, err := os.OpenFile(o.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return errors.Join(err, fmt.Errorf("%s: %w", o.path, errNotRegular))
	}
	o.file = f
	return nil
}

func (o *output) close() {
	if o.file != nil {
		_ = o.file.Close()
	}
	o.file, o.torn = nil, false
}

// write writes a line to the file that has the path now: a log that was renamed
// is done with.
func (o *output) write(line []byte) error {
	switch o.path {
	case "":
		return nil
	case Stdout:
		return o.put(o.stdout, line)
	}
	if o.file != nil && !o.current() {
		o.close()
	}
	if o.file == nil {
		if err := o.open(); err != nil {
			return err
		}
	}
	return o.put(o.file, line)
}

// put writes the line at once, so that those of several processes do not mix.
// What is left of a line that did not fit is ended first.
func (o *output) put(w io.Writer, line []byte) error {
	if o.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := w.Write(line)
	if n > 0 {
		o.torn = n < len(line) && line[n-1] != '\n'
	}
	return err
}

// current tells whether the open file is still the one at the path.
func (o *output) current() bool {
	is, err1 := os.Stat(o.path)
	have, err2 := o.file.Stat()
	return err1 == nil && err2 == nil && os.SameFile(is, have)
}
