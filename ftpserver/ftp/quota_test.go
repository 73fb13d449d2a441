package ftp

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func quota(q config.Quota) func(*config.Config) {
	return func(c *config.Config) { c.Users[0].Quota = q }
}

// flood uploads as much as the server takes, and returns the last reply.
func (c *client) flood(command string, size int) string {
	c.t.Helper()
	raw := c.open()
	c.send(command)
	if r := c.reply(); !strings.HasPrefix(r, "150") {
		_ = raw.Close()
		return r
	}
	conn := c.wrap(raw)
	block := make([]byte, 1<<20)
	for size > 0 {
		n, err := conn.Write(block[:min(size, len(block))])
		if err != nil {
			break
		}
		size -= n
	}
	_ = conn.Close()
	return c.reply()
}

// stored is what all files in the home hold, hidden ones too.
func (b *bench) stored() (bytes int64) {
	b.t.Helper()
	must(b.t, filepath.WalkDir(b.home, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		fi, err := e.Info()
		bytes += fi.Size()
		return err
	}))
	return bytes
}

// TestQuota: refused before the data where that is known, else cut with 552, and
// then nothing is left of it; room that was made counts at once.
func TestQuota(t *testing.T) {
	const most = 10 << 20
	for _, mode := range []string{"I", "A"} {
		inBoth(t, quota(config.Quota{Bytes: most}), func(t *testing.T, b *bench, c *client) {
			c.do("TYPE "+mode, "200")
			if got := c.upload("STOR old", "12345"); !strings.HasPrefix(got, "226") {
				t.Errorf("%s", got)
			}
			if got := c.flood("STOR large", 64<<20); !strings.HasPrefix(got, "552 Your quota is used up") {
				t.Errorf("too large: %s", got)
			}
			if got := b.stored(); got != 5 {
				t.Errorf("%d bytes are left", got)
			}
			if got := c.flood("STOR full", most-5); !strings.HasPrefix(got, "226") {
				t.Errorf("just what there is room for: %s", got)
			}
			for _, line := range []string{"STOR next", "APPE full", "STOR next"} {
				_ = c.open()
				c.do(line, "552 Your quota is used up")
			}
			if got := c.flood("STOR full", most-5); !strings.HasPrefix(got, "226") {
				t.Errorf("in the place of the old: %s", got)
			}
			if got := c.flood("STOR full", most-4); !strings.HasPrefix(got, "552") {
				t.Errorf("by one byte too large: %s", got)
			}
			c.do("DELE full", "250")
			if got := c.upload("STOR next", "x"); !strings.HasPrefix(got, "226") {
				t.Errorf("after a DELE: %s", got)
			}
			b.reload(quota(config.Quota{Bytes: 6}))
			_ = c.open()
			c.do("STOR another", "552")
			b.reload(quota(config.Quota{}))
			if got := c.flood("STOR large", most+1); !strings.HasPrefix(got, "226") {
				t.Errorf("without a quota: %s", got)
			}
		})
	}
}

// TestQuotaOfDirectUploads: what is there when the quota is reached stays, but
// for a byte by which it shows that there would be more.
func TestQuotaOfDirectUploads(t *testing.T) {
	const most = 5 << 20
	inBoth(t, func(c *config.Config) { direct(c); quota(config.Quota{Bytes: most})(c) }, func(t *testing.T, b *bench, c *client) {
		c.do("TYPE I", "200")
		if got := c.flood("STOR cam", 8<<20); !strings.HasPrefix(got, "552") {
			t.Errorf("too large: %s", got)
		}
		if got := b.stored(); got > most+1 {
			t.Errorf("%d bytes are stored", got)
		}
	})
}

// TestQuotaOfFiles: also directories, which cost the disk as much.
func TestQuotaOfFiles(t *testing.T) {
	b := newBench(t, quota(config.Quota{Files: 2}))
	c := b.login()
	c.do("MKD a", "257")
	if got := c.upload("STOR b", "x"); !strings.HasPrefix(got, "226") {
		t.Errorf("%s", got)
	}
	c.do("MKD c", "552")
	_ = c.open()
	c.do("STOR c", "552")
	if got := c.upload("STOR b", "another"); !strings.HasPrefix(got, "226") {
		t.Errorf("an overwrite: %s", got)
	}
	c.do("RMD a", "250")
	c.do("MKD c", "257")
}

// TestQuotaOfManySessions: together they never publish more than the quota, and
// on the disk there is no more at any time than one chunk for each of them beyond
// it.
func TestQuotaOfManySessions(t *testing.T) {
	const most, sessions = 20 << 20, 6
	inBoth(t, func(c *config.Config) {
		quota(config.Quota{Bytes: most})(c)
		c.Passive.Ports = freePorts(t, 2*sessions+2)
	}, func(t *testing.T, b *bench, first *client) {
		over := make(chan struct{})
		var watch, wg sync.WaitGroup
		watch.Go(func() {
			for {
				if got := b.onDisk(); got > most+sessions*kernelChunk {
					t.Errorf("%d bytes are on the disk", got)
				}
				select {
				case <-over:
					return
				default:
				}
			}
		})
		var mu sync.Mutex
		done, refused := 0, 0
		for i := range sessions {
			c := b.another(first)
			wg.Go(func() {
				for n := range 3 {
					got := c.flood(fmt.Sprintf("STOR f%d-%d", i, n), 5<<20)
					mu.Lock()
					switch {
					case strings.HasPrefix(got, "226"):
						done++
					case strings.HasPrefix(got, "552"):
						refused++
					default:
						t.Errorf("%s", got)
					}
					mu.Unlock()
					if got[0] != '2' {
						return
					}
				}
			})
		}
		wg.Wait()
		close(over)
		watch.Wait()
		if done == 0 || refused == 0 {
			t.Errorf("%d stored, %d refused: the race is none", done, refused)
		}
		if got := b.stored(); got > most || got != int64(done)*5<<20 {
			t.Errorf("%d bytes are stored by %d uploads", got, done)
		}
	})
}

// onDisk is stored, while files come and go.
func (b *bench) onDisk() (bytes int64) {
	names, _ := os.ReadDir(b.home)
	for _, e := range names {
		if fi, err := os.Stat(filepath.Join(b.home, e.Name())); err == nil {
			bytes += fi.Size()
		}
	}
	return bytes
}

// TestQuotaOfGuests: all guests share one home, and its quota.
func TestQuotaOfGuests(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		c.Anonymous = &config.Anonymous{Home: "/pub", Role: config.RoleWriteOnly, Quota: config.Quota{Bytes: 10}}
	})
	c := b.connect()
	c.do("USER anonymous", "331")
	c.do("PASS me@example.com", "230")
	c.do("TYPE I", "200")
	if got := c.upload("STOR a", "0123456789+"); !strings.HasPrefix(got, "552") {
		t.Errorf("too large: %s", got)
	}
	if got := c.upload("STOR a", "0123456789"); !strings.HasPrefix(got, "226") {
		t.Errorf("it fits: %s", got)
	}
}

// TestQuotaOfAnUploadThatIsCut leaves nothing behind in the account.
func TestQuotaOfAnUploadThatIsCut(t *testing.T) {
	inBoth(t, quota(config.Quota{Bytes: 10, Files: 1}), func(t *testing.T, b *bench, c *client) {
		c.do("TYPE I", "200")
		for range 3 {
			c.cut("STOR a", "01234")
		}
		if got := c.upload("APPE a", "56789"); !strings.HasPrefix(got, "226") {
			t.Errorf("APPE: %s", got)
		}
		c.do("DELE a", "250")
		for range 3 {
			conn := c.open()
			c.do("STOR a", "150")
			_ = conn.Close()
			_, _ = io.Copy(io.Discard, conn)
			c.reply() // an empty file, or one that never was: its end came first
		}
		if got := c.upload("STOR a", "0123456789"); !strings.HasPrefix(got, "226") {
			t.Errorf("STOR: %s", got)
		}
	})
}

// TestQuotaOfCompressedUploads: what counts is what is stored, not what is on the
// wire, from the first block on: a bomb fills neither the home nor, hidden, the
// disk.
func TestQuotaOfCompressedUploads(t *testing.T) {
	const most = 5 << 20
	for _, typ := range []string{"I", "A"} {
		for _, uploads := range []config.Uploads{config.UploadsAtomic, config.UploadsDirect} {
			t.Run(typ+string(uploads), func(t *testing.T) {
				b := newBench(t, func(c *config.Config) {
					allowModeZ(c)
					quota(config.Quota{Bytes: most})(c)
					c.Storage.Uploads = uploads
				})
				c := b.login()
				c.do("TYPE "+typ, "200")
				c.do("MODE Z", "200")
				bomb := pack(t, strings.Repeat("0", 64<<20))
				if got := c.attempt("STOR bomb", bomb); !strings.HasPrefix(got, "552 Your quota is used up") {
					t.Errorf("too large: %s", got)
				}
				if got := b.stored(); got > most || uploads == config.UploadsAtomic && got != 0 {
					t.Errorf("%d bytes are left", got)
				}
				if got := c.upload("STOR bomb", string(pack(t, strings.Repeat("0", most)))); !strings.HasPrefix(got, "226") {
					t.Errorf("just what there is room for: %s", got)
				}
				_ = c.open()
				c.do("APPE bomb", "552")
				if got := b.stored(); got != most {
					t.Errorf("%d bytes are stored", got)
				}
			})
		}
	}
}

// TestQuotaIsTold: SITE QUOTA, AVBL and ALLO go by what uploads go by.
func TestQuotaIsTold(t *testing.T) {
	b := newBench(t, quota(config.Quota{Bytes: 1000, Files: 3}))
	c, other := b.login(), b.login()
	c.do("TYPE I", "200")
	told := func(bytes, files int) {
		t.Helper()
		c := other // which need not wait for an upload
		c.do("SITE QUOTA", fmt.Sprintf("200-Quota:\n Bytes: %d of 1000\n Files: %d of 3\n200 End", bytes, files))
		c.do("AVBL", fmt.Sprintf("213 %d", 1000-bytes))
		c.do(fmt.Sprintf("ALLO %d", 1000-bytes), "202")
		c.do(fmt.Sprintf("ALLO %d", 1001-bytes), "552")
	}
	told(0, 0)
	if got := c.upload("STOR a", strings.Repeat("a", 400)); !strings.HasPrefix(got, "226") {
		t.Fatal(got)
	}
	c.do("MKD dir", "257")
	told(400, 2)
	data := c.begin("STOR b")
	_, err := io.WriteString(data, strings.Repeat("b", 100))
	must(t, err)
	told(400, 3) // its name counts at once, its data when it is there
	must(t, data.Close())
	c.expect("226")
	told(500, 3)
	c.do(`COMB a b`, "250")
	told(500, 2)
	b.reload(quota(config.Quota{Files: 3}))
	c.do("SITE QUOTA", "200-Quota:\n Bytes: 500, no limit\n Files: 2 of 3\n200 End")
	b.reload(quota(config.Quota{Bytes: 100}))
	c.do("AVBL", "213 0")
	c.do("ALLO 1", "552")
	b.reload(quota(config.Quota{}))
	c.do("SITE QUOTA", "200 No quota")
	c.do("ALLO 1000", "202")
}
