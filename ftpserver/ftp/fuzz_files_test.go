package ftp

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

// FuzzParseTime: what is taken for a time is one, and told back as it was.
func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"20200102030405", "20200102030405.123", "20161231235960", "x", "2020010203040é", "20200102030460"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		when, ok := parseTime(text)
		if !ok {
			return
		}
		back := when
		if strings.HasSuffix(text[:14], "60") {
			back = when.Add(-time.Second)
			text = text[:12] + "59"
		}
		if got := back.Format(timeFormat); got != text[:14] {
			t.Errorf("%q is %s", text, got)
		}
	})
}

// FuzzParseMode: nothing but permissions comes out.
func FuzzParseMode(f *testing.F) {
	for _, s := range []string{"644", "0755", "4755", "1777", "888", "-44", "0o44", "6_4", "٦٤٤"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		mode, special, ok := parseMode(text)
		if ok && (special || mode != mode.Perm() || len(text) > 4 || strings.Trim(text, "01234567") != "") {
			t.Errorf("%q is %v, %v", text, mode, special)
		}
	})
}

// FuzzWords: what is quoted comes back as it was; all else is words without
// spaces, or refused.
func FuzzWords(f *testing.F) {
	for _, s := range []string{`"a" "b"`, `a b`, `"a""b" c`, `"`, `""`, `"a"b`, "  a  ", `a"b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		names, ok := words(arg)
		if ok {
			again := ""
			for _, n := range names {
				if n == "" {
					t.Fatalf("%q holds an empty name", arg)
				}
				again += " " + quoted(n)
			}
			back, ok := words(again)
			if !ok || strings.Join(back, "\x00") != strings.Join(names, "\x00") {
				t.Errorf("%q is %q, and %q back", arg, names, back)
			}
		}
		if arg != "" {
			if one, ok := words(quoted(arg)); !ok || len(one) != 1 || one[0] != arg {
				t.Errorf("%q quoted is %q, %v", arg, one, ok)
			}
		}
	})
}

// FuzzRanges: of every argument, what comes out is a range.
func FuzzRanges(f *testing.F) {
	for _, s := range []string{"0 4", "4", "9223372036854775807 0", "0 9223372036854775807", "4611686018427387903 4611686018427387903", "1 0", "-1 2", "٣ ٤"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		if a, b, ok := twoNumbers(arg); ok && (a < 0 || b < 0 || b+1 < b) {
			t.Errorf("%q is %d, %d", arg, a, b)
		}
		if name, p, ok := splitRange(`"x" ` + arg); ok && (name != "x" || p.set && (p.from < 0 || p.from > p.to)) {
			t.Errorf("%q is %q, %v", arg, name, p)
		}
		if size, ok := parseAllo(arg); ok && size < 0 {
			t.Errorf("%q is %d bytes", arg, size)
		}
	})
}

// FuzzUtime: what is taken has a path and a time.
func FuzzUtime(f *testing.F) {
	for _, s := range []string{
		"20010203040506 file", "200102030405 file", "file 20010203040506 20010203040506 20010203040506 UTC",
		" 20010203040506 20010203040506 20010203040506 UTC", "UTC", "    UTC",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		if name, a, ok := parseUtime(arg); ok && (name == "" || a.Modified == nil || a.Mode != nil) {
			t.Errorf("%q is %q, %v", arg, name, a)
		}
	})
}

// asText is what a file is in TYPE A, put simply.
func asText(file []byte) []byte {
	var out []byte
	for i, b := range file {
		if b == '\n' && (i == 0 || file[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, b)
	}
	return out
}

// fromText is what is stored of what came in TYPE A, put simply.
func fromText(network []byte) []byte { return bytes.ReplaceAll(network, []byte("\r\n"), []byte("\n")) }

// FuzzText holds what is sent, counted, skipped and stored in TYPE A, in blocks
// of any size, against the simple way to do it.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a\nb\n", "\r\n", "\r", "\n", "\r\r\n\n\r", "a\r\nb\rc\n\n"} {
		f.Add([]byte(s), uint8(1), uint16(2))
		f.Add([]byte(s), uint8(3), uint16(1))
	}
	f.Fuzz(func(t *testing.T, file []byte, block uint8, skip uint16) {
		size, want := int(block)+1, asText(file)
		got, err := io.ReadAll(limitedReads{newASCIIReader(limitedReads{bytes.NewReader(file), size}), size})
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%q is sent as %q, %v", file, got, err)
		}
		var c textCounter
		for rest := file; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			c.count(rest[:min(size, len(rest))])
		}
		if c.size != int64(len(want)) {
			t.Errorf("%q is counted as %d octets, not %d", file, c.size, len(want))
		}
		rest, err := skipText(bytes.NewReader(file), int64(skip))
		if int(skip) > len(want) {
			if err == nil {
				t.Errorf("%q can be skipped beyond its end", file)
			}
		} else if got, _ := io.ReadAll(rest); err != nil || !bytes.Equal(got, want[skip:]) {
			t.Errorf("%q after %d octets is %q, %v", file, skip, got, err)
		}
		var stored bytes.Buffer
		w := newASCIIWriter(&stored)
		_, err = io.CopyBuffer(struct{ io.Writer }{w}, limitedReads{bytes.NewReader(file), size}, make([]byte, size))
		if err := w.end(err); err != nil || !bytes.Equal(stored.Bytes(), fromText(file)) {
			t.Errorf("%q is stored as %q, %v", file, stored.Bytes(), err)
		}
	})
}
