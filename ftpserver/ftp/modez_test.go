package ftp

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func allowModeZ(c *config.Config) { c.ModeZ = config.ModeZAllow }

func pack(t *testing.T, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err := io.WriteString(w, content)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

func unpack(t *testing.T, packed string) string {
	t.Helper()
	r, err := zlib.NewReader(strings.NewReader(packed))
	must(t, err)
	content, err := io.ReadAll(r)
	must(t, err)
	return string(content)
}

// downloadZ returns what came, unpacked, and how much was on the wire.
func (c *client) downloadZ(command string) (content string, wire int) {
	c.t.Helper()
	packed, reply := c.download(command)
	if !strings.HasPrefix(reply, "226") {
		c.t.Fatalf("%s: %s", command, reply)
	}
	return unpack(c.t, packed), len(packed)
}

// attempt is upload, of what the server may refuse before all of it has come.
func (c *client) attempt(command string, content []byte) string {
	c.t.Helper()
	conn := c.begin(command)
	_, _ = conn.Write(content)
	_ = conn.Close()
	return c.reply()
}

// samples are contents of every kind: none, little, much that compresses, much
// that doesn't.
func samples() map[string]string {
	random := make([]byte, 1<<20)
	_, _ = rand.New(rand.NewSource(1)).Read(random)
	return map[string]string{
		"empty": "", "little": "Hello, world\n", "text": strings.Repeat("Never the same line twice, says the author.\n", 70_000), "random": string(random),
	}
}

// TestModeZ: what goes up comes down, in stream mode and in this one.
func TestModeZ(t *testing.T) {
	inBoth(t, allowModeZ, func(t *testing.T, b *bench, c *client) {
		for name, content := range samples() {
			c.do("MODE Z", "200")
			if got := c.upload("STOR "+name, string(pack(t, content))); !strings.HasPrefix(got, "226") {
				t.Fatalf("%s: %s", name, got)
			}
			if b.content(name) != content {
				t.Errorf("%s: the file is not what was sent", name)
			}
			if got, wire := c.downloadZ("RETR " + name); got != content {
				t.Errorf("%s: what comes is not the file", name)
			} else if name == "text" && wire > len(content)/20 {
				t.Errorf("%d bytes of text came as %d", len(content), wire)
			}
			if got := c.upload("APPE "+name, string(pack(t, "more"))); !strings.HasPrefix(got, "226") || b.content(name) != content+"more" {
				t.Errorf("%s: appended: %s", name, got)
			}
			c.do("MODE S", "200")
			if got, reply := c.download("RETR " + name); got != content+"more" || !strings.HasPrefix(reply, "226") {
				t.Errorf("%s: in stream mode, what comes is not the file: %s", name, reply)
			}
		}
		c.do("MODE Z", "200")
		for _, command := range []string{"LIST", "NLST", "MLSD"} {
			if got, _ := c.downloadZ(command); strings.Count(got, "\r\n") != len(samples()) || !strings.Contains(got, "random\r\n") {
				t.Errorf("%s: %q", command, got)
			}
		}
		if !b.log.logged("msg=Transfer", "path=/text", "verb=RETR", "mode=Z", fmt.Sprintf("plainBytes=%d", len(samples()["text"]))) {
			t.Error("no line of the log tells how much there was")
		}
	})
}

// TestModeZASCII: lines are those of the network before they are compressed.
func TestModeZASCII(t *testing.T) {
	b := newBench(t, allowModeZ)
	c := b.login()
	c.do("MODE Z", "200")
	c.do("TYPE A", "200")
	if got := c.upload("STOR lines", string(pack(t, "one\r\ntwo\r\n\r"))); !strings.HasPrefix(got, "226") || b.content("lines") != "one\ntwo\n\r" {
		t.Errorf("%s, the file holds %q", got, b.content("lines"))
	}
	if got, _ := c.downloadZ("RETR lines"); got != "one\r\ntwo\r\n\r" {
		t.Errorf("%q comes", got)
	}
}

// TestModeZRestart: offsets are those of the file, in either direction, also
// after an upload that was cut within its stream.
func TestModeZRestart(t *testing.T) {
	inBoth(t, allowModeZ, func(t *testing.T, b *bench, c *client) {
		content := samples()["random"]
		b.file("up", "old")
		c.do("MODE Z", "200")
		packed := pack(t, content)
		if got := c.attempt("STOR up", packed[:len(packed)/2]); got != "426 "+errTruncated.text {
			t.Fatalf("half a stream: %s", got)
		}
		if b.content("up") != "old" {
			t.Error("half a file was published")
		}
		must(t, os.Remove(filepath.Join(b.home, "up")))
		size := 0
		_, err := fmt.Sscanf(c.do("SIZE up", "213 "), "213 %d", &size)
		must(t, err)
		if size == 0 || size >= len(content) {
			t.Fatalf("%d bytes are kept", size)
		}
		c.do(fmt.Sprintf("REST %d", size), "350")
		if got := c.upload("STOR up", string(pack(t, content[size:]))); !strings.HasPrefix(got, "226") || b.content("up") != content {
			t.Errorf("resumed: %s", got)
		}
		c.do("REST 1000", "350")
		if got, _ := c.downloadZ("RETR up"); got != content[1000:] {
			t.Error("after REST, what comes is not the rest")
		}
	})
}

// TestModeZRange: RANG chooses octets of the file, whatever is on the wire.
func TestModeZRange(t *testing.T) {
	b := newBench(t, allowModeZ)
	content := samples()["random"]
	b.file("file", content)
	c := b.login()
	c.do("TYPE I", "200")
	c.do("MODE Z", "200")
	c.do("RANG 1000 500999", "350")
	if got, _ := c.downloadZ("RETR file"); got != content[1000:501000] {
		t.Errorf("%d bytes came", len(got))
	}
	c.do("RANG 1000000 9999999", "350")
	if got, _ := c.downloadZ("RETR file"); got != content[1000000:] {
		t.Errorf("%d bytes came", len(got))
	}
}

// TestModeZDamaged: what is no whole stream, or not one alone, changes nothing,
// and nothing of it is built on.
func TestModeZDamaged(t *testing.T) {
	inBoth(t, allowModeZ, func(t *testing.T, b *bench, c *client) {
		content := samples()["random"]
		whole := pack(t, content)
		edit := func(at int) []byte {
			out := bytes.Clone(whole)
			out[(at+len(out))%len(out)] ^= 0x55
			return out
		}
		b.file("kept", "old")
		c.do("MODE Z", "200")
		for name, test := range map[string]struct {
			sent   []byte
			begins string
		}{
			"nothing":         {nil, "426"},
			"half a header":   {whole[:1], "426"},
			"no header":       {[]byte("plain text"), "451"},
			"no checksum":     {whole[:len(whole)-4], "426"},
			"wrong checksum":  {edit(-1), "451"},
			"a wrong byte":    {edit(len(whole) / 2), "451"},
			"something more":  {append(bytes.Clone(whole), 'x'), "451"},
			"a second stream": {append(bytes.Clone(whole), whole...), "451"},
		} {
			if got := c.attempt("STOR kept", test.sent); !strings.HasPrefix(got, test.begins) {
				t.Errorf("%s: %s", name, got)
			}
			if got := b.content("kept"); got != "old" {
				t.Errorf("%s: the file holds %d bytes", name, len(got))
			}
		}
		if got := c.attempt("STOR new", edit(-1)); !strings.HasPrefix(got, "451") {
			t.Errorf("a new file: %s", got)
		}
		c.send("SIZE new")
		if got := c.reply(); got != "213 0" && !strings.HasPrefix(got, "550") {
			t.Errorf("of what was damaged, so much is kept: %s", got)
		}
	})
}

// TestModeZProvesTheEnd: a whole stream needs no other sign, and half of one is
// never taken for a file, whatever else ends well.
func TestModeZProvesTheEnd(t *testing.T) {
	b := newBench(t, allowModeZ)
	b.file("kept", "old")
	c := b.loginTLS()
	c.do("MODE Z", "200")
	c.upload("STOR first", string(pack(t, "x"))) // with close_notify
	for _, whole := range []bool{false, true} {
		packed := pack(t, samples()["text"])
		if !whole {
			packed = packed[:len(packed)-1]
		}
		conn := c.begin("STOR kept")
		_, err := conn.Write(packed)
		must(t, err)
		if whole {
			must(t, tcpOf(conn).CloseWrite()) // the end of TCP, without that of TLS
		} else {
			must(t, conn.Close())
		}
		reply := c.reply()
		_ = conn.Close()
		if got := b.content("kept"); (got != "old") != whole || strings.HasPrefix(reply, "226") != whole {
			t.Errorf("whole %t: %s, and the file holds %d bytes", whole, reply, len(got))
		}
	}
}

// TestModeZAborts: ABOR works in the middle, and the next transfer after it.
func TestModeZAborts(t *testing.T) {
	inBoth(t, allowModeZ, func(t *testing.T, b *bench, c *client) {
		random := make([]byte, 32<<20)
		_, _ = rand.New(rand.NewSource(2)).Read(random)
		b.file("large", string(random))
		b.file("kept", "old")
		c.do("MODE Z", "200")
		data := c.begin("RETR large")
		_, err := io.ReadFull(data, make([]byte, 1<<20))
		must(t, err)
		c.do("ABOR", "426 Transfer aborted")
		c.expect("226")
		_ = data.Close()
		data = c.begin("STOR kept")
		_, err = data.Write(pack(t, "all of the new")) // and no end of the connection
		must(t, err)
		c.do("ABOR", "426 Transfer aborted")
		c.expect("226")
		if got := b.content("kept"); got != "old" {
			t.Errorf("after an abort the file holds %q", got)
		}
		if got := c.upload("STOR kept", string(pack(t, "new"))); !strings.HasPrefix(got, "226") || b.content("kept") != "new" {
			t.Errorf("the next upload: %s", got)
		}
	})
}

// TestModeZLevels: a higher level makes less of the same.
func TestModeZLevels(t *testing.T) {
	b := newBench(t, allowModeZ)
	var words strings.Builder
	r := rand.New(rand.NewSource(3))
	for range 200_000 {
		fmt.Fprintf(&words, "%x ", r.Intn(5000))
	}
	b.file("words", words.String())
	c := b.login()
	c.do("MODE Z", "200")
	c.do("OPTS MODE Z LEVEL 1", "200")
	_, low := c.downloadZ("RETR words")
	c.do("OPTS MODE Z LEVEL 9", "200")
	if _, high := c.downloadZ("RETR words"); high >= low {
		t.Errorf("level 1: %d bytes, level 9: %d", low, high)
	}
}

// TestModeZShrinks: of a file that becomes shorter, the stream never ends.
func TestModeZShrinks(t *testing.T) {
	b := newBench(t, allowModeZ)
	random := make([]byte, 32<<20)
	_, _ = rand.New(rand.NewSource(4)).Read(random)
	path := b.file("large", string(random))
	c := b.login()
	c.do("MODE Z", "200")
	data := c.begin("RETR large")
	must(t, os.Truncate(path, 16<<20))
	packed, _ := io.ReadAll(data)
	c.expect("451 The file became shorter")
	z, err := zlib.NewReader(bytes.NewReader(packed))
	must(t, err)
	if _, err := io.Copy(io.Discard, z); err == nil {
		t.Error("the client was told that this is all")
	}
}

// TestModeZDenied: it is off unless it is switched on.
func TestModeZDenied(t *testing.T) {
	c := newBench(t, nil).login()
	c.do("MODE Z", "504")
	c.do("OPTS MODE Z LEVEL 5", "504")
	c.do("MODE X", "501 MODE needs S")
	if got := c.do("FEAT", "211-"); strings.Contains(got, "MODE Z") {
		t.Errorf("FEAT tells of it: %s", got)
	}
}

// TestAttackDeflateBombInAQuota: what counts is what comes out of the compressed data, as it
// comes: some hundred bytes may be as many megabytes.
func TestAttackDeflateBombInAQuota(t *testing.T) {
	const most = 4 << 20
	bomb := pack(t, strings.Repeat("\x00", 64<<20))
	for name, edit := range map[string]func(*config.Config){"atomic": func(*config.Config) {}, "direct": direct} {
		for _, mode := range []string{"I", "A"} {
			t.Run(name+" "+mode, func(t *testing.T) {
				b := newBench(t, func(c *config.Config) { allowModeZ(c); edit(c); quota(config.Quota{Bytes: most})(c) })
				c := b.login()
				c.do("TYPE "+mode, "200")
				c.do("MODE Z", "200")
				if got := c.attempt("STOR bomb", bomb); !strings.HasPrefix(got, "552") {
					t.Errorf("too large: %s", got)
				}
				if got := b.stored(); got > most {
					t.Errorf("%d bytes are stored", got)
				}
				if b.log.logged("msg=Transfer", fmt.Sprintf("plainBytes=%d", 64<<20)) {
					t.Error("all of it was unpacked before it was refused")
				}
				if name == "direct" {
					c.do("DELE bomb", "250")
				}
				damaged := pack(t, strings.Repeat("y", most-1))
				damaged[len(damaged)-1]++
				if got := c.attempt("STOR fits", damaged); !strings.HasPrefix(got, "451") {
					t.Errorf("damaged: %s", got)
				}
				if got := c.attempt("STOR fits", pack(t, strings.Repeat("x", most))); !strings.HasPrefix(got, "226") {
					t.Errorf("just what there is room for: %s", got)
				}
				c.do("DELE fits", "250")
				b.servesOn("alice")
			})
		}
	}
}
