package ftp

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs/system/fault"
)

// Files whose reading and writing fail in the kernel as on a bad disk, and whose
// writing fails as on a full one.
const (
	badFile  = "/proc/self/mem"
	fullFile = "/dev/full"
)

// inEachWay runs a test with sessions in clear, over TLS, and compressed, on a
// disk that may fail.
func inEachWay(t *testing.T, test func(t *testing.T, b *bench, disk *fault.System, c *client)) {
	for name, prepare := range map[string]func(b *bench) *client{
		"plain": func(b *bench) *client { return b.login() },
		"TLS":   func(b *bench) *client { return b.loginTLS() },
		"text":  func(b *bench) *client { c := b.login(); c.do("TYPE A", "200"); return c },
		"MODE Z": func(b *bench) *client {
			c := b.login()
			c.do("MODE Z", "200")
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			disk := &fault.System{}
			b := newBenchWith(t, parts{system: disk}, allowModeZ)
			test(t, b, disk, prepare(b))
		})
	}
}

// TestFaultInTheData: where the disk fails in the middle of a transfer, the client
// is told that it was the storage, the old file stays, and the session goes on.
func TestFaultInTheData(t *testing.T) {
	inEachWay(t, func(t *testing.T, b *bench, disk *fault.System, c *client) {
		must(t, os.Chmod(b.file("old", "0123456789"), 0o600)) // that of badFile, so that none is to be set
		data := "data"
		if strings.HasSuffix(t.Name(), "Z") {
			data = string(pack(t, data))
		}
		for _, test := range []struct{ file, line, data, want string }{
			{badFile, "RETR old", "", "451"},
			{badFile, "STOR old", data, "451"},
			{badFile, "APPE new", data, "451"},
			{fullFile, "STOR new", data, "452"},
			{fullFile, "STOU", data, "452"},
		} {
			if strings.HasSuffix(t.Name(), "plain") && test.data != "" {
				continue // the kernel splices into no such file: see TestFaultFullDisk, and TestFaultInTheKernel in test/clients
			}
			mark := b.log.mark()
			disk.Replace(test.file)
			got := c.transfer(test.line, test.data)
			disk.Heal()
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("%s on %s: %s, want %s", test.line, test.file, got, test.want)
			}
			text := map[string]string{badFile: "input/output error", fullFile: "no space left"}[test.file]
			if log := b.log.since(mark); !strings.Contains(log, text) || !strings.Contains(log, "path=/") {
				t.Errorf("%s on %s: the log says %q", test.line, test.file, log)
			}
			b.wantHome("old")
			if got := b.content("old"); got != "0123456789" {
				t.Errorf("%s on %s: the file holds %q", test.line, test.file, got)
			}
		}
		if got := c.transfer("STOR new", data); !strings.HasPrefix(got, "226") || b.content("new") != "data" {
			t.Errorf("the next upload: %s", got)
		}
	})
}

// wantHome holds all names in alice's home, hidden ones too, against the wanted.
func (b *bench) wantHome(want ...string) {
	b.t.Helper()
	entries, err := os.ReadDir(b.home)
	must(b.t, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		b.t.Errorf("the home holds %q, want %q", got, want)
	}
}

// TestFaultShrinking: of a file that is cut while it is sent, the client is told
// that it did not get what was promised.
func TestFaultShrinking(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		path := b.largeFile("large")
		data := c.begin("RETR large")
		must(t, os.Truncate(path, large/2))
		n, _ := io.Copy(io.Discard, data)
		_ = data.Close()
		c.expect("451 The file became shorter")
		if n > large/2 {
			t.Errorf("%d bytes came", n)
		}
		if !b.log.logged("Transfer", "path=/large", "the file became shorter") {
			t.Error("the log does not say so")
		}
		c.do("NOOP", "200")
	})
}

// TestFaultFullDisk: 452, and nothing of the file is visible; of a Direct upload,
// what came is, as always. The client can delete, and then upload.
func TestFaultFullDisk(t *testing.T) {
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small file system needs the right to mount: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(small, unix.MNT_DETACH)) })
	for _, uploads := range []config.Uploads{config.UploadsAtomic, config.UploadsDirect} {
		t.Run(string(uploads), func(t *testing.T) {
			inBoth(t, func(c *config.Config) { c.Storage.Uploads = uploads }, func(t *testing.T, b *bench, c *client) {
				must(t, os.MkdirAll(filepath.Join(b.home, "small"), 0o755))
				must(t, unix.Mount(small, filepath.Join(b.home, "small"), "", unix.MS_BIND, ""))
				t.Cleanup(func() { must(t, unix.Unmount(filepath.Join(b.home, "small"), unix.MNT_DETACH)) })
				data := c.begin("STOR small/file")
				_, _ = io.CopyN(data, zeros{}, 4<<20)
				c.expect("452")
				_ = data.Close()
				_, err := os.Stat(filepath.Join(small, "file"))
				if direct := uploads == config.UploadsDirect; (err == nil) != direct {
					t.Errorf("the file: %v", err)
				} else if direct {
					c.do("DELE small/file", "250")
				}
				if !b.log.logged("Transfer", "path=/small/file", "no space left") {
					t.Error("the log does not say so")
				}
				if got := c.upload("STOR small/next", "next"); !strings.HasPrefix(got, "226") {
					t.Errorf("the next upload: %s", got)
				}
				c.do("DELE small/next", "250")
				if entries, err := os.ReadDir(small); err != nil || len(entries) > 0 {
					t.Errorf("left behind: %v, %v", entries, err)
				}
			})
		})
	}
}

// TestFaultDirectoryGone: whoever is in a directory that somebody removes, is told
// so and can go elsewhere; what arrives for it is not acknowledged.
func TestFaultDirectoryGone(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		dir := filepath.Join(b.home, "dir")
		b.file("dir/file", "content")
		c.do("CWD dir", "250")
		up := c.begin("STOR new")
		_, err := io.WriteString(up, "data")
		must(t, err)
		must(t, os.RemoveAll(dir))
		must(t, up.Close())
		c.expect("550")
		c.do("PWD", `257 "/dir"`)
		for _, line := range []string{"LIST", "MLSD", "NLST", "RETR file", "STOR file", "APPE file", "STOU"} {
			if got := c.transfer(line, "x"); !strings.HasPrefix(got, "550") {
				t.Errorf("%s: %s", line, got)
			}
		}
		for _, line := range []string{"SIZE file", "MDTM file", "MLST", "DELE file", "MKD sub", "RMD sub", "RNFR file", "CWD sub", "HASH file", "AVBL"} {
			c.do(line, "550")
		}
		c.do("CDUP", `250 Directory is now "/"`)
		c.do("MKD dir", "257")
		c.do("CWD dir", "250")
		if got := c.upload("STOR file", "again"); !strings.HasPrefix(got, "226") || b.content("dir/file") != "again" {
			t.Errorf("in the new directory: %s", got)
		}
	})
}

// TestFaultHomeGone: a session whose home was removed finds nothing there, and
// stores nothing; who logs in gets a new one.
func TestFaultHomeGone(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		b.file("file", "content")
		must(t, os.RemoveAll(b.home))
		c.do("PWD", `257 "/"`)
		for _, line := range []string{"RETR file", "STOR file", "APPE file", "STOU"} {
			if got := c.transfer(line, "x"); !strings.HasPrefix(got, "550") {
				t.Errorf("%s: %s", line, got)
			}
		}
		c.do("MKD sub", "550")
		must(t, os.Mkdir(b.home, 0o755))
		if got := c.transfer("STOR file", "x"); !strings.HasPrefix(got, "550") {
			t.Errorf("the old session in a new home: %s", got)
		}
		must(t, os.Remove(b.home))
		if got := b.login().upload("STOR file", "again"); !strings.HasPrefix(got, "226") || b.content("file") != "again" {
			t.Errorf("a new session: %s", got)
		}
	})
}

// TestFaultRightsLost: of a directory that the server may not enter any more, the
// client is told 550 and the log who is denied what; when it may again, all works.
func TestFaultRightsLost(t *testing.T) {
	disk := &fault.System{}
	b := newBenchWith(t, parts{system: disk}, nil)
	b.file("locked/file", "content")
	c := b.login()
	for _, errno := range []syscall.Errno{syscall.EACCES, syscall.EPERM} {
		disk.Judge(func(_ int, call fault.Call) error {
			if strings.HasPrefix(call.Name, "locked") {
				return errno
			}
			return nil
		})
		mark := b.log.mark()
		for _, line := range []string{"LIST locked", "MLSD locked", "RETR locked/file", "STOR locked/file", "APPE locked/file", "STOU locked/file"} {
			if got := c.transfer(line, "x"); !strings.HasPrefix(got, "550 Permission denied") {
				t.Errorf("%s: %s", line, got)
			}
		}
		for _, line := range []string{"CWD locked", "DELE locked/file", "MKD locked/sub", "SIZE locked/file", "RNFR locked/file"} {
			c.do(line, "550 Permission denied")
		}
		if log := b.log.since(mark); strings.Count(log, "level=WARN msg=\"Storage denies access to the server\" ") != 11 || !strings.Contains(log, "/locked/file: permission denied") {
			t.Errorf("the log says %q", log)
		}
		disk.Heal()
		if got := c.upload("STOR locked/file", errno.Error()); !strings.HasPrefix(got, "226") {
			t.Errorf("when it may again: %s", got)
		}
	}
}

// TestFaultDirectoryGoneWhileListed: of a directory that is removed while it is read
// the kernel knows no entries any more; those of the others are listed.
func TestFaultDirectoryGoneWhileListed(t *testing.T) {
	disk := &fault.System{}
	b := newBenchWith(t, parts{system: disk}, nil)
	b.file("gone/file", "content")
	b.file("stays/file", "content")
	c := b.login()
	opened, failed := "", false
	disk.Judge(func(_ int, call fault.Call) error {
		if strings.HasPrefix(call.Kind, "Open") {
			opened = call.Name
		}
		if call.Kind == "Readdirnames" && strings.HasSuffix(opened, "gone") {
			failed = true
			return syscall.ENOENT
		}
		return nil
	})
	if got := c.transfer("LIST -R", ""); !strings.HasPrefix(got, "226") || !failed {
		t.Errorf("the listing ended with %s (a directory was gone: %t)", got, failed)
	}
}
