package vfs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Hidden files lie beside the files they are to become, so that a rename
// publishes them. Their names never hold the target's, which may already be as
// long as a name can be.
const (
	hiddenPrefix    = config.ReservedPrefix
	temporaryPrefix = hiddenPrefix + "tmp-"  // + slot-bootid-seq, of an upload to a file that is there: -hash
	partialPrefix   = hiddenPrefix + "part-" // + hash of user and target
)

// maxName is NAME_MAX of every file system that Linux has.
const maxName = 255

// maxDepth is how many names a path may have. It bounds the directories that a walk
// through a home holds open at once, so that nobody can store below where counts and
// sweeps come to.
const maxDepth = 256

// hidden tells whether a name is one that users must not see.
func hidden(name string) bool { return config.ReservedName(name) }

func (s *Store) temporaryName() string {
	return s.temporaries + strconv.FormatUint(s.seq.Add(1), 10)
}

// stale tells whether a hidden file is a temporary of an earlier start of this
// slot. Those of other slots may be in use: only their owner can tell.
func (s *Store) stale(name string) bool {
	rest, ours := strings.CutPrefix(name, fmt.Sprintf("%s%d-", temporaryPrefix, s.slot))
	return ours && !strings.HasPrefix(rest, s.bootID+"-")
}

// leftover tells whether a name is that of an upload that nobody carries on at
// this moment. Before the first sweep, an earlier start of this slot may still drain.
func (s *Store) leftover(name string) bool {
	return isPartial(name) || s.sweeping.Load() && s.stale(name)
}

func isPartial(name string) bool { return strings.HasPrefix(name, partialPrefix) }

// partialName is where an interrupted upload waits for this user to go on with
// it. It is the same in every replica and after every start.
func (f *FS) partialName(base string) string { return partialPrefix + f.targetHash(base) }

func (f *FS) targetHash(base string) string {
	sum := sha256.Sum256([]byte(f.identity + base))
	return hex.EncodeToString(sum[:16])
}

// place is a virtual path, taken apart for the walk from the home.
type place struct {
	virtual string // cleaned: "/a/b"
	rel     string // the same from the home: "a/b", "." for the home
	dir     string // its directory from the home: "a", "." for the home
	base    string // its last name: "b", "." for the home
}

func (p place) isHome() bool { return p.rel == "." }

func parse(virtual string) place {
	v := path.Clean("/" + virtual)
	if v == "/" {
		return place{virtual: v, rel: ".", dir: ".", base: "."}
	}
	return place{virtual: v, rel: v[1:], dir: path.Dir(v[1:]), base: path.Base(v)}
}

// locate takes apart the path of something that exists; hidden names do not.
func locate(op, virtual string) (place, error) {
	p := parse(virtual)
	if strings.Count(p.rel, "/") >= maxDepth {
		return p, fail(op, p.virtual, errTooDeep)
	}
	for name := range strings.SplitSeq(p.rel, "/") {
		if err := checkName(name); err != nil {
			return p, fail(op, p.virtual, err)
		}
	}
	return p, nil
}

// locateNew takes apart the path of something that may be about to exist, so
// that a hidden name wants telling.
func locateNew(op, virtual string) (place, error) {
	p := parse(virtual)
	if !hidden(p.base) {
		return locate(op, virtual)
	}
	if _, err := locate(op, path.Dir(p.virtual)); err != nil {
		return p, fail(op, p.virtual, err)
	}
	return p, fail(op, p.virtual, errReserved)
}

func checkName(name string) error {
	switch {
	case strings.IndexByte(name, 0) >= 0:
		return errNUL
	case len(name) > maxName:
		return errTooLong
	case hidden(name):
		return fs.ErrNotExist
	}
	return nil
}
