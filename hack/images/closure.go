// Command closure copies a program and the shared libraries that it needs out of
// unpacked packages, at the paths where its loader looks for them. It runs nothing
// of it, so the program may be of another architecture.
//
//	go run closure.go PROGRAM FROM TO
//
// PROGRAM is a path under FROM, such as usr/sbin/haproxy. The owners of the
// copied files are not kept.
package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: closure PROGRAM FROM TO")
		os.Exit(2)
	}
	c := closure{from: os.Args[2], to: os.Args[3], done: map[string]bool{}}
	if err := c.add(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "closure:", err)
		os.Exit(1)
	}
}

type closure struct {
	from, to string
	done     map[string]bool
}

// add copies one file, and what it needs.
func (c closure) add(path string) error {
	if c.done[path] {
		return nil
	}
	c.done[path] = true
	if err := c.copy(path); err != nil {
		return err
	}
	needed, err := needs(filepath.Join(c.from, path))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range needed {
		found, err := c.find(name)
		if err == nil {
			err = c.add(found)
		}
		if err != nil {
			return fmt.Errorf("%s needs %s: %w", path, name, err)
		}
	}
	return nil
}

// needs are the libraries that a file names, and the loader, by its path.
func needs(file string) ([]string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	out, err := f.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		loader, err := io.ReadAll(p.Open())
		if err != nil {
			return nil, err
		}
		out = append(out, strings.TrimRight(string(loader), "\x00"))
	}
	return out, nil
}

// find looks where Debian's loader does: in the directories of the architecture.
// https://wiki.debian.org/Multiarch/LibraryPathOverview
func (c closure) find(name string) (string, error) {
	patterns := []string{"lib/*-linux-gnu/" + name, "usr/lib/*-linux-gnu/" + name}
	if filepath.IsAbs(name) {
		patterns = []string{name}
	}
	for _, p := range patterns {
		found, err := filepath.Glob(filepath.Join(c.from, p))
		if err != nil {
			return "", err
		}
		if len(found) > 0 {
			return filepath.Rel(c.from, found[0])
		}
	}
	return "", errors.New("no package has it: add the one that does")
}

// copy follows links: the target has a name that is not asked for.
func (c closure) copy(path string) error {
	source, err := os.Open(filepath.Join(c.from, path))
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // nothing was written
	to := filepath.Join(c.to, path)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
