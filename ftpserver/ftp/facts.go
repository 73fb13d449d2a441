package ftp

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// factSet says which facts MLST and MLSD tell (RFC 3659 §7.5), by their place
// in factNames.
type factSet [len(factNames)]bool

// factNames are the facts known here, in the order they are told.
var factNames = [...]string{"type", "size", "modify", "perm", "unique", "UNIX.mode"}

var defaultFacts = factSet{true, true, true, true, true, true}

// parseFacts reads the argument of OPTS MLST; unknown facts are ignored
// (RFC 3659 §7.9).
func parseFacts(arg string) factSet {
	var set factSet
	for name := range strings.SplitSeq(arg, ";") {
		for i, known := range factNames {
			if strings.EqualFold(strings.TrimSpace(name), known) {
				set[i] = true
			}
		}
	}
	return set
}

// describe is FEAT's list: all facts, those in use marked with a star.
func (f factSet) describe() string {
	var b strings.Builder
	for i, name := range factNames {
		b.WriteString(name)
		if f[i] {
			b.WriteByte('*')
		}
		b.WriteByte(';')
	}
	return b.String()
}

// list is the answer of OPTS MLST: the facts in use.
func (f factSet) list() string {
	var b strings.Builder
	for i, name := range factNames {
		if f[i] {
			b.WriteString(name + ";")
		}
	}
	return b.String()
}

// appendFacts appends the facts of a file, each ended by a semicolon.
func appendFacts(b []byte, set factSet, i *vfs.Info) []byte {
	for n, name := range factNames {
		value := ""
		if set[n] {
			value = fact(name, i)
		}
		if value != "" {
			b = append(append(append(append(b, name...), '='), value...), ';')
		}
	}
	return b
}

func fact(name string, i *vfs.Info) string {
	switch name {
	case "type":
		return factType(i)
	case "size":
		if i.Dir {
			return ""
		}
		return strconv.FormatInt(i.Size, 10)
	case "modify":
		return i.ModTime.UTC().Format(timeFormat)
	case "perm":
		return permissions(i)
	case "unique":
		return fmt.Sprintf("%xg%x", i.Device, i.Inode)
	case "UNIX.mode":
		return fmt.Sprintf("0%o", i.Mode.Perm())
	}
	return ""
}

func factType(i *vfs.Info) string {
	switch {
	case i.Dir:
		return "dir"
	case i.Mode.IsRegular():
		return "file"
	}
	return "OS.unix=special"
}

// permission is what a letter of the fact perm allows (RFC 3659 §7.5.5).
type permission struct {
	letter byte
	needs  vfs.Operation
	entry  bool // with the name itself, not with what is behind it
}

var (
	filePermissions = []permission{
		{letter: 'a', needs: vfs.OpAppend}, {letter: 'd', needs: vfs.OpDelete, entry: true},
		{letter: 'f', needs: vfs.OpRename, entry: true}, {letter: 'r', needs: vfs.OpRead}, {letter: 'w', needs: vfs.OpOverwrite},
	}
	dirPermissions = []permission{
		{letter: 'c', needs: vfs.OpCreate}, {letter: 'd', needs: vfs.OpDelete, entry: true}, {letter: 'e', needs: vfs.OpEnter},
		{letter: 'f', needs: vfs.OpRename, entry: true}, {letter: 'l', needs: vfs.OpList},
		{letter: 'm', needs: vfs.OpMakeDir}, {letter: 'p', needs: vfs.OpDelete},
	}
)

func permissions(i *vfs.Info) string {
	table := filePermissions
	if i.Dir {
		table = dirPermissions
	}
	var b []byte
	for _, p := range table {
		held := i.Content
		if p.entry {
			held = i.Entry
		}
		if held&p.needs == p.needs {
			b = append(b, p.letter)
		}
	}
	return string(b)
}
