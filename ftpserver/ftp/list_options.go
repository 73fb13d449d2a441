package ftp

import (
	"cmp"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// listOptions are the options of ls that LIST, NLST and STAT heed. All others
// change nothing: hidden files are shown or not whatever is asked for (-a, -A),
// LIST is always long (-l) and NLST never is.
type listOptions struct {
	recursive bool  // -R: directories below, too
	itself    bool  // -d: a directory, and not what is in it
	reverse   bool  // -r
	order     order // -t, -S; the last counts
}

// order is what a listing is sorted by.
type order byte

const (
	unsorted order = 0   // as the directory has it
	byTime   order = 't' // the newest first
	bySize   order = 'S' // the largest first
)

// parseListOptions takes options off the front of an argument. What is left is
// the path: a word that begins with a dash is one if it is "-", or stands behind
// "--". With options, spaces between them and the path don't count.
func parseListOptions(arg string) (o listOptions, path string) {
	for len(arg) > 1 && arg[0] == '-' {
		word, rest, _ := strings.Cut(arg, " ")
		if word == "-" {
			break
		}
		arg = strings.TrimLeft(rest, " ")
		if word == "--" {
			break
		}
		if !strings.HasPrefix(word, "--") {
			o.take(word[1:])
		}
	}
	return o, arg
}

func (o *listOptions) take(letters string) {
	for _, letter := range letters {
		switch letter {
		case 'R':
			o.recursive = true
		case 'd':
			o.itself = true
		case 'r':
			o.reverse = true
		case 't', 'S':
			o.order = order(letter)
		}
	}
}

func (o listOptions) sorts() bool { return o.reverse || o.order != unsorted }

// looks tells whether the order of names needs a look at each file.
func (o listOptions) looks() bool { return o.order != unsorted }

// compare orders entries; those that are equal by what was asked for, by name.
func (o listOptions) compare(a, b *vfs.Info) int {
	var c int
	switch o.order {
	case byTime:
		c = b.ModTime.Compare(a.ModTime)
	case bySize:
		c = cmp.Compare(b.Size, a.Size)
	}
	if c == 0 {
		c = strings.Compare(a.Name, b.Name)
	}
	if o.reverse {
		return -c
	}
	return c
}
