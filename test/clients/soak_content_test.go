package clients

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"
)

// soakContent is what a file holds, told in a few words: pieces, each the
// beginning of a stream that its key names.
type soakContent []soakPiece

type soakPiece struct {
	key  uint64 // odd: text, which compresses
	size int
}

func (c soakContent) size() (n int) {
	for _, p := range c {
		n += p.size
	}
	return n
}

// bytes are all of it.
func (c soakContent) bytes() []byte {
	out := make([]byte, 0, c.size())
	for _, p := range c {
		var seed [32]byte
		binary.LittleEndian.PutUint64(seed[:], p.key)
		stream := rand.NewChaCha8(seed)
		if p.key%2 == 0 {
			part := make([]byte, p.size)
			_, _ = stream.Read(part) // has no errors
			out = append(out, part...)
			continue
		}
		random := make([]byte, (p.size+1)/2)
		_, _ = stream.Read(random)
		out = append(out, hex.AppendEncode(nil, random)[:p.size]...)
	}
	return out
}

// first is what its first n bytes hold.
func (c soakContent) first(n int) (out soakContent) {
	for _, p := range c {
		if n <= 0 {
			break
		}
		out = append(out, soakPiece{p.key, min(n, p.size)})
		n -= p.size
	}
	return out
}

func (c soakContent) then(more soakContent) soakContent { return append(slices.Clone(c), more...) }

// soakFile is what a worker knows of a file that nobody else writes.
type soakFile struct {
	// may are the contents that it can have: one, unless a client left before it
	// was told. Nil: there is no such file.
	may []soakContent
	// partial: what arrived of an upload may be kept beside it.
	partial bool
	// history are the last changes, for people.
	history []string
}

// is tells that the content is known, and is this.
func (f *soakFile) is(c soakContent) {
	f.may, f.partial = []soakContent{c}, false
	f.note("holds", c)
}

// maybe tells that the content may also be this.
func (f *soakFile) maybe(c soakContent) {
	f.may, f.partial = append(f.may, c), true
	f.note("may hold", c)
}

func (f *soakFile) note(what string, c soakContent) {
	line := fmt.Sprintf("%s %s %d bytes (absent: %t)", time.Now().UTC().Format(time.RFC3339Nano), what, c.size(), c == nil)
	if f.history = append(f.history, line); len(f.history) > 8 {
		f.history = f.history[1:]
	}
}

// known returns the content, if it is known and the file is there.
func (f *soakFile) known() (soakContent, bool) {
	if len(f.may) != 1 || f.may[0] == nil {
		return nil, false
	}
	return f.may[0], true
}

// gone tells that the file is known to be absent.
func (f *soakFile) gone() bool { return len(f.may) == 1 && f.may[0] == nil }

// forget tells that nothing is known of it.
func (f *soakFile) forget() { f.may, f.partial = nil, true }

// saw takes note of what was found, and fails where that can't be. Nil: nothing.
func (f *soakFile) saw(name string, found []byte) error {
	for _, c := range f.may {
		if (c == nil) == (found == nil) && c.size() == len(found) && bytes.Equal(c.bytes(), found) {
			f.may = []soakContent{c}
			return nil
		}
	}
	sizes := []int{}
	for _, c := range f.may {
		sizes = append(sizes, c.size())
	}
	return fmt.Errorf("%s holds %d bytes (absent: %t) that nobody has sent so; it may have %v. Before:\n%s",
		name, len(found), found == nil, sizes, strings.Join(f.history, "\n"))
}

// onDisk compares with what the file holds now.
func (f *soakFile) onDisk(path string) error {
	if len(f.may) == 0 {
		return nil
	}
	found, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		found = nil
	case err != nil:
		return err
	case found == nil:
		found = []byte{}
	}
	return f.saw(path, found)
}
