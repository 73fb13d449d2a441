package ftp

import (
	"crypto/md5"  //nolint:gosec // the client asks for it: to find damage, not forgery
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// hashAlgorithm has the name of the registry that draft-bryan-ftpext-hash §3
// refers to.
type hashAlgorithm struct {
	name string
	make func() hash.Hash
}

// hashAlgorithms are all that HASH knows; a session begins with the first.
var hashAlgorithms = [...]hashAlgorithm{
	{"SHA-256", sha256.New}, {"SHA-512", sha512.New}, {"SHA-1", sha1.New}, {"MD5", md5.New},
	{"CRC32", func() hash.Hash { return crc32.NewIEEE() }},
}

// checksumVerbs are the older commands, one for each algorithm.
var checksumVerbs = map[string]string{
	"XCRC": "CRC32", "XMD5": "MD5", "XSHA": "SHA-1", "XSHA1": "SHA-1", "XSHA256": "SHA-256", "XSHA512": "SHA-512",
}

func findHash(name string) *hashAlgorithm {
	for i := range hashAlgorithms {
		if strings.EqualFold(hashAlgorithms[i].name, name) {
			return &hashAlgorithms[i]
		}
	}
	return nil
}

// describe is FEAT's list: all algorithms, the one in use marked with a star.
func (a *hashAlgorithm) describe() string {
	var names []string
	for _, one := range hashAlgorithms {
		if one.name == a.name {
			one.name += "*"
		}
		names = append(names, one.name)
	}
	return strings.Join(names, ";")
}

// optsHash tells or chooses the algorithm of HASH (draft-bryan-ftpext-hash §4).
func (s *session) optsHash(name string) {
	if name != "" {
		a := findHash(name)
		if a == nil {
			s.reply(501, "Unknown algorithm: HASH knows "+s.hash.describe())
			return
		}
		s.hash = a
	}
	s.reply(200, s.hash.name)
}

// octets are a part of a file, from one to before another. The zero value is
// the whole file.
type octets struct {
	from, to int64
	set      bool
}

const rangeInText = "RANG works in TYPE I only"

// setRange chooses the octets of the next RETR or HASH, the first and the last
// (draft-bryan-ftp-range §3). A first after the last takes a choice back.
func (s *session) setRange(arg string) {
	first, last, ok := twoNumbers(arg)
	switch {
	case !ok:
		s.reply(501, "RANG needs two numbers: the first and the last octet")
	case first > last:
		s.rangeNext = octets{}
		s.reply(350, "Range is reset: the whole file")
	case !s.binary:
		s.reply(504, rangeInText)
	default:
		s.rangeNext, s.restart = octets{first, last + 1, true}, 0
		s.reply(350, fmt.Sprintf("Range is %d to %d: send RETR or HASH", first, last))
	}
}

func twoNumbers(arg string) (a, b int64, ok bool) {
	f := strings.Fields(arg)
	if len(f) != 2 || !digits(f[0]) || !digits(f[1]) {
		return 0, 0, false
	}
	a, err1 := strconv.ParseInt(f[0], 10, 63)
	b, err2 := strconv.ParseInt(f[1], 10, 63) // so that one more is a number too
	return a, b, err1 == nil && err2 == nil
}

// of is the part within a file of that size: one that ends beyond it ends with
// it. ok is false for one that begins beyond it.
func (p octets) of(size int64) (octets, bool) {
	if !p.set {
		return octets{0, size, true}, true
	}
	return octets{p.from, min(p.to, size), true}, p.from < size
}

// hashFile tells the hash of a file, or of the octets that RANG has chosen
// (draft-bryan-ftpext-hash §3). What is hashed is the file as it is stored, in
// every TYPE.
func (s *session) hashFile(arg string) {
	f, info, err := s.files.Open(s.path(arg))
	if err != nil {
		s.done(err, 0, "")
		return
	}
	part, ok := s.rangeNow.of(info.Size)
	if !ok {
		_ = f.Close()
		s.reply(554, fmt.Sprintf("The file has %d octets only", info.Size))
		return
	}
	algorithm := s.hash
	s.work(s.path(arg), func(w *work) (result, error) {
		sum, err := w.sum(algorithm, f, part)
		last := max(part.to-1, part.from) // of an empty file too: there is no other way to say it
		return result{213, fmt.Sprintf("%s %d-%d %s %s", algorithm.name, part.from, last, sum, arg)}, err
	})
}

// checksum is the handler of an older command: a file, and perhaps where to
// start and before which octet to end, or the latter alone.
func checksum(name string) func(s *session, arg string) {
	return func(s *session, arg string) {
		file, part, ok := s.checksumArgument(arg)
		if !ok {
			s.reply(501, `A path is needed, in double quotes if numbers follow: "file" start end`)
			return
		}
		f, info, err := s.files.Open(s.path(file))
		if err != nil {
			s.done(err, 0, "")
			return
		}
		if !part.set {
			part.to = info.Size
		}
		if part.from > part.to || part.to > info.Size {
			_ = f.Close()
			s.reply(554, fmt.Sprintf("The file has %d octets only", info.Size))
			return
		}
		s.work(s.path(file), func(w *work) (result, error) {
			sum, err := w.sum(findHash(name), f, part)
			return result{250, strings.ToUpper(sum)}, err
		})
	}
}

// checksumArgument takes the argument apart. One without quotes is a name as a
// whole, if there is such a file; else the numbers at its end are a range.
func (s *session) checksumArgument(arg string) (name string, part octets, ok bool) {
	if strings.HasPrefix(arg, `"`) {
		return splitRange(arg)
	}
	if _, err := s.files.Stat(s.path(arg)); err == nil {
		return arg, part, true
	}
	words := strings.Split(arg, " ")
	n := len(words)
	for n > 1 && len(words)-n < 2 && digits(words[n-1]) {
		n--
	}
	name = strings.Join(words[:n], " ")
	part, ok = rangeOf(words[n:])
	return name, part, ok
}

// splitRange reads a name in quotes, and a range behind it.
func splitRange(arg string) (name string, part octets, ok bool) {
	name, rest, ok := cutWord(arg)
	if !ok {
		return "", part, false
	}
	part, ok = rangeOf(strings.Fields(rest))
	return name, part, ok
}

// rangeOf reads nothing, an end, or a start and an end.
func rangeOf(f []string) (part octets, ok bool) {
	if len(f) == 0 {
		return part, true
	}
	if len(f) == 1 {
		f = append([]string{"0"}, f...)
	}
	from, to, ok := twoNumbers(strings.Join(f, " "))
	return octets{from, to, true}, ok && from <= to
}

// sum hashes a part of a file, which it closes.
func (w *work) sum(a *hashAlgorithm, f *os.File, part octets) (string, error) {
	defer func() { _ = f.Close() }()
	h := a.make()
	for at := part.from; at < part.to; {
		err := w.turn(func() (int64, error) {
			n, err := w.block(f, at, part.to, func(b []byte) { _, _ = h.Write(b) }) // which never fails
			at += n
			return n, err
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// block reads a block of a file, up to an offset, and has it looked at where
// encryption is done: both together leave a processor to control connections.
func (w *work) block(f io.ReaderAt, from, to int64, look func(b []byte)) (int64, error) {
	buf := blockPool.Get().(*[]byte)
	defer blockPool.Put(buf)
	b := (*buf)[:min(int64(len(*buf)), to-from)]
	n, err := f.ReadAt(b, from)
	if n < len(b) {
		if errors.Is(err, io.EOF) {
			return 0, errShrunk
		}
		return 0, vfs.Classify(err)
	}
	w.session.server.gate.enter()
	defer w.session.server.gate.leave()
	look(b)
	return int64(n), nil
}
