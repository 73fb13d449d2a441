package vfs

import (
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs/system"
)

// maxLinks is how many symbolic links a path may lead through, as for the kernel.
const maxLinks = 40

// walker goes from the home to what a path leads to, for an FS with path rules:
// os.Root goes the same way, but does not tell which. It opens one name after
// the other in the directory that it has come to, and never through a link:
// links it reads, and goes where they point, if that is inside the home.
type walker struct {
	sys  system.Calls
	top  int                    // the home
	role Operation              // what the role holds there
	held map[identity]Operation // what other roles hold in some directories
	met  func(Info)             // is told of everything on the way, links too

	open   bool
	fd     int       // the directory that it has come to
	names  []string  // the way there, without links
	inside Operation // what the role holds in it
	above  Operation // and in the directory above
	base   string    // the last name, where that is no directory
	name   string    // what it has looked for last
	links  int
}

func (w *walker) walk(rel string) error {
	if err := w.start(); err != nil {
		return err
	}
	todo := strings.Split(rel, "/")
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		if w.base != "" {
			return ErrNotDir
		}
		link, err := w.step(name)
		if err != nil {
			return err
		}
		if link != "" {
			todo = append(strings.Split(link, "/"), todo...)
		}
	}
	return nil
}

// step goes on by one name. Of a link it returns the target.
func (w *walker) step(name string) (link string, err error) {
	switch name {
	case "", ".":
		return "", nil
	case "..":
		return "", w.up()
	}
	w.name = name
	i, err := lstatAt(w.sys, w.fd, name)
	if err != nil {
		return "", err
	}
	if w.met != nil {
		w.met(i)
	}
	switch {
	case i.Mode&fs.ModeSymlink != 0:
		return w.target(name)
	case i.Dir:
		return "", w.down(name)
	}
	w.base = name
	return "", nil
}

func (w *walker) target(name string) (string, error) {
	if w.links++; w.links > maxLinks {
		return "", ErrLinks
	}
	var target string
	err := retry(func() (err error) {
		target, err = w.sys.Readlinkat(w.fd, name)
		return err
	})
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(target, "/") {
		return "", errEscapes
	}
	return target, nil
}

func (w *walker) start() error {
	w.names = w.names[:0]
	return w.enter(w.top, ".")
}

func (w *walker) down(name string) error {
	w.names = append(w.names, name)
	return w.enter(w.fd, name)
}

// up begins anew: ".." of a directory that was moved meanwhile is elsewhere.
func (w *walker) up() error {
	if len(w.names) == 0 {
		return errEscapes
	}
	way := slices.Clone(w.names[:len(w.names)-1])
	if err := w.start(); err != nil {
		return err
	}
	for _, name := range way {
		if err := w.down(name); err != nil {
			return err
		}
	}
	return nil
}

// enter opens a directory, and finds out what the role holds in it.
func (w *walker) enter(in int, name string) error {
	var fd int
	err := retry(func() (err error) {
		fd, err = w.sys.Openat(in, name, unix.O_PATH|unix.O_DIRECTORY, 0)
		return err
	})
	if err != nil {
		return err
	}
	w.close()
	w.fd, w.open = fd, true
	i, err := statOf(w.sys, fd, name)
	if err != nil {
		return err
	}
	if w.above = w.inside; len(w.names) == 0 {
		w.above, w.inside = 0, w.role
	}
	if held, ok := w.held[i.identity()]; ok {
		w.inside = held
	}
	return nil
}

func (w *walker) close() {
	if w.open {
		_ = unix.Close(w.fd) // only walked through: nothing can be lost
		w.open = false
	}
}

// keep hands the directory that it has come to over to the caller.
func (w *walker) keep() int {
	w.open = false
	return w.fd
}

// here describes what it has come to.
func (w *walker) here() (Info, error) {
	if w.base != "" {
		return lstatAt(w.sys, w.fd, w.base)
	}
	name := "."
	if n := len(w.names); n > 0 {
		name = w.names[n-1]
	}
	return statOf(w.sys, w.fd, name)
}

// folder opens the directory that it has come to.
func (w *walker) folder() (*folder, error) {
	f, err := openAt(w.sys, w.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0, ".")
	if err != nil {
		return nil, err
	}
	return &folder{sys: w.sys, file: f, held: w.inside}, nil
}
