package ftp

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// entryBatch is how many entries of a directory are held at a time.
const entryBatch = 256

// errEnough ends a listing early.
var errEnough = errors.New("enough entries")

// format appends the line of an entry, ended by CRLF.
type format func(s *session, b []byte, i *vfs.Info) []byte

// listTarget is what a listing shows.
type listTarget struct {
	options   listOptions
	files     *vfs.FS
	asked     string   // the path, as the client has given it
	virtual   string   // of dir
	dir       *vfs.Dir // nil: the one entry
	entry     vfs.Info
	pattern   string // of the entries shown; "" for all
	pathsOnly bool   // NLST
	unseen    bool   // only names are shown, so that no file need be looked at
}

// listTarget finds out what LIST, NLST or STAT were asked for: a directory, a
// file, or files by a pattern in the last name. The code is STAT's.
func (s *session) listTarget(o listOptions, asked string) (*listTarget, int, error) {
	t := &listTarget{options: o, files: s.files, asked: asked, virtual: s.path(asked)}
	info, err := s.files.Stat(t.virtual)
	switch {
	case errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(path.Base(t.virtual), "*?["):
		t.virtual, t.pattern = path.Dir(t.virtual), path.Base(t.virtual)
		return t, 212, t.open()
	case err != nil:
		return nil, 0, err
	case !info.Dir || t.options.itself:
		t.entry = info
		t.entry.Name = cmp.Or(asked, ".")
		return t, 213, nil
	}
	return t, 212, t.open()
}

// open opens the directory. A pattern is no longer than a name can be, as the
// storage was asked for it as one: that bounds what it costs to match.
func (t *listTarget) open() (err error) {
	if _, err := path.Match(t.pattern, ""); err != nil {
		return vfs.ErrName
	}
	t.dir, err = t.files.OpenDir(t.virtual)
	return err
}

func (t *listTarget) close() {
	if t.dir != nil {
		_ = t.dir.Close()
	}
}

// each formats the entries one by one and closes the target. Unless they are to
// be sorted, they come in the order of the directory, and memory does not grow
// with it.
func (t *listTarget) each(ctx context.Context, s *session, f format, emit func(line []byte) error) error {
	defer t.close()
	if t.dir == nil {
		return emit(f(s, nil, &t.entry))
	}
	if t.options.recursive && t.pattern == "" {
		w := &treeWalk{target: t, session: s, format: f, emit: emit}
		return w.run(ctx)
	}
	var line []byte
	return t.ordered(ctx, t.dir, func(i *vfs.Info) error {
		line = f(s, line[:0], i)
		return emit(line)
	})
}

// unordered visits the entries that are shown, in the order of the directory.
func (t *listTarget) unordered(ctx context.Context, d *vfs.Dir, visit func(i *vfs.Info) error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		batch, err := t.next(d)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range batch {
			if !t.shows(batch[i].Name) {
				continue
			}
			if err := visit(&batch[i]); err != nil {
				return err
			}
		}
	}
}

func (t *listTarget) next(d *vfs.Dir) ([]vfs.Info, error) {
	if !t.unseen {
		return d.Next(entryBatch)
	}
	names, err := d.Names(entryBatch)
	batch := make([]vfs.Info, len(names))
	for i, name := range names {
		batch[i].Name = name
	}
	return batch, err
}

func (t *listTarget) shows(name string) bool {
	if t.pattern == "" {
		return true
	}
	ok, err := path.Match(t.pattern, name)
	return err == nil && ok
}

// list is LIST (RFC 959 §4.1.3), with some of the options of ls.
func (s *session) list(arg string) {
	o, asked := parseListOptions(arg)
	s.sendListing("LIST", o, asked, formatLong)
}

// nlst lists names only, as a client may use them in further commands.
func (s *session) nlst(arg string) {
	o, asked := parseListOptions(arg)
	prefix := ""
	if info, err := s.files.Stat(s.path(asked)); asked != "" && err == nil && info.Dir && !o.itself {
		prefix = strings.TrimSuffix(asked, "/") + "/"
	} else if i := strings.LastIndexByte(asked, '/'); i >= 0 && err != nil {
		prefix = asked[:i+1]
	}
	s.sendListing("NLST", o, asked, func(_ *session, b []byte, i *vfs.Info) []byte {
		return append(append(append(b, prefix...), oneLine(i.Name)...), '\r', '\n')
	})
}

// mlsd lists a directory with the facts that were chosen (RFC 3659 §7).
func (s *session) mlsd(arg string) {
	info, err := s.files.Stat(s.path(arg))
	switch {
	case err != nil: // also for a pattern: RFC 3659 has none
		s.refuse(err)
	case !info.Dir:
		s.dropData()
		s.reply(501, "MLSD lists directories: use MLST for a file")
	default:
		s.sendListing("MLSD", listOptions{}, arg, formatFacts)
	}
}

func (s *session) sendListing(verb string, o listOptions, asked string, f format) {
	if !s.ready() {
		return
	}
	target, _, err := s.listTarget(o, asked)
	if err != nil {
		s.refuse(err)
		return
	}
	target.pathsOnly = verb == "NLST"
	target.unseen = target.pathsOnly && !target.options.looks() && !target.options.recursive
	s.start(job{
		verb: verb, path: s.path(asked), direction: listing,
		run:     func(t *transfer, c dataConn) error { return s.runListing(t, c, target, f) },
		abandon: target.close,
	}, "Sending the listing")
}

// listingBuffer is how much of a listing is sent at a time, in bytes.
const listingBuffer = 32 << 10

func (s *session) runListing(t *transfer, c dataConn, target *listTarget, f format) error {
	stall := s.config().Limits.StallTimeout
	finish := func() error { return nil }
	var to io.Writer = &sender{t, c, stall}
	if s.deflate {
		d := s.newDeflater(t, c, stall)
		defer d.release()
		to, finish = d, d.finish
	}
	out := bufio.NewWriterSize(to, listingBuffer)
	err := target.each(t.ctx, s, f, func(line []byte) error {
		_, err := out.Write(line)
		return err
	})
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = finish()
	}
	if err != nil {
		return err
	}
	return t.endSent(c)
}

// sender is an io.Writer on a data connection.
type sender struct {
	t     *transfer
	c     dataConn
	stall time.Duration
}

func (w *sender) Write(p []byte) (int, error) {
	if err := w.t.send(w.c, p, w.stall); err != nil {
		return 0, err
	}
	return len(p), nil
}

func formatFacts(s *session, b []byte, i *vfs.Info) []byte {
	b = appendFacts(b, s.facts, i)
	return append(append(append(b, ' '), oneLine(i.Name)...), '\r', '\n')
}

// halfYear is when ls shows the year instead of the time.
const halfYear = 183 * 24 * time.Hour

// formatLong is a line as ls -l prints it, with times in UTC.
func formatLong(_ *session, b []byte, i *vfs.Info) []byte {
	b = appendMode(b, i)
	b = append(b, ' ')
	b = appendPadded(b, int64(i.Links), 3) //nolint:gosec // links are few
	b = append(b, " ftp      ftp      "...)
	b = appendPadded(b, i.Size, 12)
	b = append(b, ' ')
	when := i.ModTime.UTC()
	if age := time.Since(when); age > halfYear || age < -24*time.Hour {
		b = when.AppendFormat(b, "Jan _2  2006")
	} else {
		b = when.AppendFormat(b, "Jan _2 15:04")
	}
	b = append(b, ' ')
	return append(append(b, oneLine(i.Name)...), '\r', '\n')
}

func appendPadded(b []byte, n int64, width int) []byte {
	var digits [20]byte
	d := strconv.AppendInt(digits[:0], n, 10)
	for i := len(d); i < width; i++ {
		b = append(b, ' ')
	}
	return append(b, d...)
}

// appendMode writes type and permissions as ls does.
func appendMode(b []byte, i *vfs.Info) []byte {
	kind := byte('-')
	switch {
	case i.Dir:
		kind = 'd'
	case i.Mode&fs.ModeSymlink != 0:
		kind = 'l'
	case i.Mode&fs.ModeNamedPipe != 0:
		kind = 'p'
	case i.Mode&fs.ModeSocket != 0:
		kind = 's'
	case i.Mode&fs.ModeCharDevice != 0:
		kind = 'c'
	case i.Mode&fs.ModeDevice != 0:
		kind = 'b'
	}
	b = append(b, kind)
	const letters = "rwxrwxrwx"
	for n := range letters {
		if i.Mode&(1<<(8-n)) != 0 {
			b = append(b, letters[n])
		} else {
			b = append(b, '-')
		}
	}
	return b
}
