package ftp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// specials makes one of each kind of file that is neither file nor directory, in
// alice's home, and tells their names. A device takes rights that not every
// machine gives.
func (b *bench) specials() []string {
	b.t.Helper()
	b.fifo("fifo")
	names := []string{"fifo", "socket"}
	b.t.Chdir(b.home) // the address of a socket must be short
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: "socket", Net: "unix"})
	must(b.t, err)
	l.SetUnlinkOnClose(false)
	must(b.t, l.Close())
	for name, mode := range map[string]uint32{"character": unix.S_IFCHR, "block": unix.S_IFBLK} {
		err := unix.Mknod(filepath.Join(b.home, name), mode|0o666, int(unix.Mkdev(1, 3)))
		if errors.Is(err, unix.EPERM) {
			b.t.Logf("no %s device: %v", name, err)
			continue
		}
		must(b.t, err)
		names = append(names, name)
	}
	return names
}

// openings has the kernel note whatever opens a file; the answer tells how often
// that was so far.
func openings(t *testing.T, paths ...string) func() int {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	must(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	for _, p := range paths {
		_, err := unix.InotifyAddWatch(fd, p, unix.IN_OPEN)
		must(t, err)
	}
	seen := 0
	return func() int {
		buf := make([]byte, 64*unix.SizeofInotifyEvent)
		for {
			n, err := unix.Read(fd, buf)
			if err != nil || n <= 0 {
				return seen
			}
			for at := 0; at < n; at += unix.SizeofInotifyEvent { // of a file there is no name
				if mask := binary.NativeEndian.Uint32(buf[at+4:]); mask&unix.IN_OPEN != 0 { // others tell that it was removed
					seen++
				}
			}
		}
	}
}

// TestAttackSpecialFiles: a FIFO, a socket or a device that somebody has put into
// a home is shown, moved and removed, and never opened: a FIFO would block, and a
// device may do something. A link to one is no other way.
func TestAttackSpecialFiles(t *testing.T) {
	for name, edit := range map[string]func(*config.Config){
		"plain": allowModeZ,
		"ruled": func(c *config.Config) {
			allowModeZ(c)
			c.Users[0].Paths = []config.PathRule{{Path: "/rule", Role: config.RoleReadOnly}}
		},
		"direct": func(c *config.Config) { allowModeZ(c); direct(c) },
		"quota":  func(c *config.Config) { allowModeZ(c); quota(config.Quota{Bytes: 1 << 20})(c) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *config.Config) { edit(c); c.DirectoryMessage = ".message"; c.Passive.Ports = freePorts(t, 16) })
			names := b.specials()
			b.file("file", "content")
			b.file("dir/file", "content")
			b.fifo("dir/.message")
			watched := []string{filepath.Join(b.home, "dir", ".message")}
			for _, name := range names {
				must(t, os.Symlink(name, filepath.Join(b.home, "to-"+name)))
				watched = append(watched, filepath.Join(b.home, name))
			}
			opened := openings(t, watched...)
			c := b.login()
			c.do("CWD dir", "250")
			c.do("CWD /", "250")
			for _, name := range names {
				c.workOn(t, name)
				c.workOn(t, "to-"+name)
				if n := opened(); n > 0 {
					t.Fatalf("%s was opened %d times", name, n)
				}
			}
			listing := strings.Join(c.listed("LIST"), "\n")
			for _, name := range names {
				if !strings.Contains(listing, name) {
					t.Errorf("%s is not shown:\n%s", name, listing)
				}
				c.do("RNFR "+name, "350")
				c.do("RNTO moved", "250")
				c.do("DELE moved", "250")
				c.do("DELE to-"+name, "250")
			}
			if n := opened(); n > 0 {
				t.Errorf("they were opened %d times", n)
			}
			b.servesOn("alice")
		})
	}
}

// workOn has every command that reads, writes or sets something refuse a file
// that is no regular one.
func (c *client) workOn(t *testing.T, name string) {
	t.Helper()
	for _, line := range []string{
		"RETR %s", "STOR %s", "APPE %s", "SIZE %s", "HASH %s", "XCRC %s", "XMD5 %s", "XSHA1 %s", "XSHA256 %s", "XSHA512 %s", `COMB "made" "%s"`, `COMB "%s" "file"`,
		"MFMT " + ownTime + " %s", "MDTM " + ownTime + " %s", "MFF UNIX.mode=0600; %s", "SITE CHMOD 600 %s", "SITE UTIME " + ownTime + " %s",
	} {
		line = fmt.Sprintf(line, name)
		if reply, _ := c.ask(commands[line[:4]] != nil && commands[line[:4]].data, line); reply != "550 Not a regular file" {
			t.Errorf("%s: %s", line, reply)
		}
	}
	for _, prepare := range []string{"TYPE A", "REST 1", "RANG 0 5", "MODE Z"} {
		c.send(prepare)
		c.reply()
		for _, line := range []string{"SIZE " + name, "RETR " + name} {
			if reply, _ := c.ask(line[:4] == "RETR", line); reply != "550 Not a regular file" {
				t.Errorf("%s, %s: %s", prepare, line, reply)
			}
		}
		c.do("TYPE I", "200")
		c.do("MODE S", "200")
	}
	c.do("CWD "+name, "550 Not a directory")
	c.do("MLST "+name, "250-")
	c.do("MDTM "+name, "213 ")
}

// sparse is larger than any disk here, and takes no room on one.
const sparse = int64(1) << 40

// TestAttackSparseFiles: a file of holes has its size, as a quota counts it; what
// would go through all of it can be broken off, and leaves nothing.
func TestAttackSparseFiles(t *testing.T) {
	const most = 1 << 30
	for name, q := range map[string]config.Quota{"no quota": {}, "quota": {Bytes: most}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *config.Config) { allowModeZ(c); quota(q)(c) })
			must(t, os.Truncate(b.file("sparse", ""), sparse))
			b.file("other", "other")
			c := b.login()
			c.do("SIZE sparse", fmt.Sprintf("213 %d", sparse))
			c.do("TYPE A", "200")
			c.do("SIZE sparse", "550 In TYPE A")
			c.do("TYPE I", "200")
			limited := q.Bytes > 0
			if limited {
				eventually(t, "the home is counted", func() bool { c.send("SITE QUOTA"); return strings.HasPrefix(c.reply(), "200-") })
				c.do("SITE QUOTA", fmt.Sprintf("200-Quota:\n Bytes: %d of %d", sparse+5, most))
			}
			for _, line := range []string{"HASH sparse", "XCRC sparse", `COMB "made" "sparse"`, `COMB "sparse" "other"`, "RETR sparse", "APPE sparse"} {
				c.breaksOff(t, line, limited && (line[:4] == "COMB" || line[:4] == "APPE"))
			}
			c.do("MODE Z", "200")
			c.breaksOff(t, "RETR sparse", false)
			c.do("MODE S", "200")
			if b.content("other") != "other" {
				t.Error("a source of what was broken off has changed")
			}
			c.do("SIZE sparse", fmt.Sprintf("213 %d", sparse))
			c.do("SIZE made", "550")
			if !b.log.logged("msg=Transfer", "path=/sparse", "outcome=aborted") {
				t.Error("the log tells of no transfer that was broken off")
			}
			c.do("DELE sparse", "250")
			b.servesOn("alice")
		})
	}
}

// breaksOff begins something that would take hours, and ends it, or is refused
// it by the quota.
func (c *client) breaksOff(t *testing.T, line string, refused bool) {
	t.Helper()
	word, _, _ := strings.Cut(line, " ")
	data := commands[word] != nil && commands[word].data
	var conn *net.TCPConn
	if data {
		conn = c.open()
		defer func() { _ = conn.Close() }()
	}
	c.send(line)
	if refused {
		c.expect("552 ")
		return
	}
	if data {
		c.expect("150")
		if word == "RETR" {
			_, err := io.ReadFull(conn, make([]byte, 1<<10))
			must(t, err)
		}
	}
	c.do("NOOP", "200 ")
	c.do("ABOR", "426 ")
	c.expect("226 ")
}
