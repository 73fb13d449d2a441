package ftp

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// asciiCases are the lines of a file and what goes over the network. Where
// they can't be told back, stored is what a round trip makes of the file.
var asciiCases = []struct{ name, file, network, stored string }{
	{"empty", "", "", ""},
	{"no line end", "abc", "abc", "abc"},
	{"lines", "a\nb\n", "a\r\nb\r\n", "a\nb\n"},
	{"empty lines", "\n\n\n", "\r\n\r\n\r\n", "\n\n\n"},
	{"lines of DOS", "a\r\nb\r\n", "a\r\nb\r\n", "a\nb\n"},
	{"CR alone", "a\rb", "a\rb", "a\rb"},
	{"CR at the end", "a\r", "a\r", "a\r"},
	{"two CR and LF", "a\r\r\nb", "a\r\r\nb", "a\r\nb"},
	{"LF and CR", "a\n\rb", "a\r\n\rb", "a\n\rb"},
	{"other bytes", "\x00\xff\x80é\n", "\x00\xff\x80é\r\n", "\x00\xff\x80é\n"},
}

func TestASCIISent(t *testing.T) {
	for _, c := range asciiCases {
		for _, size := range []int{1, 2, 3, 1000} {
			got, err := io.ReadAll(limitedReads{newASCIIReader(strings.NewReader(c.file)), size})
			if err != nil || string(got) != c.network {
				t.Errorf("%s, %d bytes at a time: %q, %v, want %q", c.name, size, got, err, c.network)
			}
		}
		got, err := io.ReadAll(newASCIIReader(iotest.OneByteReader(strings.NewReader(c.file))))
		if err != nil || string(got) != c.network {
			t.Errorf("%s, from a slow file: %q, %v", c.name, got, err)
		}
	}
}

func TestASCIIStored(t *testing.T) {
	for _, c := range asciiCases {
		for _, size := range []int{1, 2, 3, 1000} {
			var file bytes.Buffer
			w := newASCIIWriter(&file)
			_, err := io.CopyBuffer(struct{ io.Writer }{w}, limitedReads{strings.NewReader(c.network), size}, make([]byte, size))
			if err := w.end(err); err != nil || file.String() != c.stored {
				t.Errorf("%s, %d bytes at a time: %q, %v, want %q", c.name, size, file.String(), err, c.stored)
			}
		}
	}
}

// limitedReads reads at most size bytes at a time.
type limitedReads struct {
	io.Reader
	size int
}

func (l limitedReads) Read(p []byte) (int, error) { return l.Reader.Read(p[:min(l.size, len(p))]) }
