package ftp

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// What LIST -R goes through at most. It holds no more than the directories that
// it has yet to visit.
const (
	maxTreeDepth   = 64
	maxTreeWaiting = 10_000 // directories
	maxTreeEntries = 1_000_000
)

// errTree ends a recursive listing that has come to one of these bounds. What
// was sent is not all, and the client must not take it for that.
var errTree = errors.New("too much for one recursive listing")

// treeWalk is a recursive listing under way (-R): of each directory its entries,
// then those of the directories in it, as ls does. It follows no links, and
// passes over what the user may not list.
type treeWalk struct {
	target  *listTarget
	session *session
	format  format
	emit    func(line []byte) error
	// waiting are the directories to come, the next one last.
	waiting []*treeDir
	entries int
	line    []byte
}

// treeDir is a directory of a treeWalk. It holds its own name only: the paths of
// all that wait could be thousands of times as long as the listing so far.
type treeDir struct {
	in    *treeDir // nil: it is where the listing began
	name  string
	depth int
}

// below is the way there from where the listing began: "", "a", "a/b".
func (d *treeDir) below() string {
	if d.in == nil {
		return ""
	}
	names := make([]string, d.depth)
	for ; d.in != nil; d = d.in {
		names[d.depth-1] = d.name
	}
	return strings.Join(names, "/")
}

func (w *treeWalk) run(ctx context.Context) error {
	if err := w.list(ctx, w.target.dir, &treeDir{}); err != nil {
		return err
	}
	for len(w.waiting) > 0 {
		next := w.waiting[len(w.waiting)-1]
		w.waiting = w.waiting[:len(w.waiting)-1]
		if err := w.visit(ctx, next); err != nil {
			return err
		}
	}
	return nil
}

func (w *treeWalk) visit(ctx context.Context, at *treeDir) error {
	below := at.below()
	d, err := w.target.files.OpenDir(path.Join(w.target.virtual, below))
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist), errors.Is(err, vfs.ErrNotDir):
		return nil // not for this user, or gone meanwhile
	case err != nil:
		return err
	}
	defer func() { _ = d.Close() }()
	if !w.target.pathsOnly {
		for _, line := range []string{"\r\n", oneLine(w.target.below(below)) + ":\r\n"} {
			if err := w.emit([]byte(line)); err != nil {
				return err
			}
		}
	}
	if err := w.list(ctx, d, at); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil // gone while it was read
}

// list sends the entries of one directory, and notes the directories in it.
func (w *treeWalk) list(ctx context.Context, d *vfs.Dir, at *treeDir) error {
	first, below := len(w.waiting), at.below()
	err := w.target.ordered(ctx, d, func(i *vfs.Info) error {
		if w.entries++; w.entries > maxTreeEntries {
			return errTree
		}
		if i.Dir {
			if at.depth == maxTreeDepth || len(w.waiting) == maxTreeWaiting {
				return errTree
			}
			w.waiting = append(w.waiting, &treeDir{at, i.Name, at.depth + 1})
		}
		if w.target.pathsOnly {
			i.Name = path.Join(below, i.Name)
		}
		w.line = w.format(w.session, w.line[:0], i)
		return w.emit(w.line)
	})
	slices.Reverse(w.waiting[first:])
	return err
}

// below is a directory as the headers of a recursive listing name it, from what
// the client has asked for.
func (t *listTarget) below(way string) string {
	if t.asked == "" {
		return "./" + way
	}
	return strings.TrimSuffix(t.asked, "/") + "/" + way
}

// maxSorted is the largest listing that is sorted, in entries. A larger one comes
// in the order of the directory: to sort it, all of it would have to be held.
const maxSorted = 10_000

// ordered visits the entries that are shown, sorted if that was asked for.
func (t *listTarget) ordered(ctx context.Context, d *vfs.Dir, visit func(i *vfs.Info) error) error {
	if !t.options.sorts() {
		return t.unordered(ctx, d, visit)
	}
	var held []vfs.Info
	flushed := false
	flush := func() error {
		for i := range held {
			if err := visit(&held[i]); err != nil {
				return err
			}
		}
		held, flushed = nil, true
		return nil
	}
	err := t.unordered(ctx, d, func(i *vfs.Info) error {
		if flushed {
			return visit(i)
		}
		if held = append(held, *i); len(held) > maxSorted {
			return flush()
		}
		return nil
	})
	if err != nil || flushed {
		return err
	}
	slices.SortFunc(held, func(a, b vfs.Info) int { return t.options.compare(&a, &b) })
	return flush()
}
