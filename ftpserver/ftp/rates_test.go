package ftp

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// heldTo holds all sessions to a rate, both ways, in bytes per second.
func heldTo(bytesPerSecond int64) func(*config.Config) {
	return func(c *config.Config) {
		c.ModeZ = config.ModeZAllow
		c.Limits.Rates = config.Rates{DownloadRatePerSession: bytesPerSecond, UploadRatePerSession: bytesPerSecond}
	}
}

// TestRates: whatever is transferred, however, takes the time that it must at the
// rate; what a session has not used before is a burst at most.
func TestRates(t *testing.T) {
	const rate, size = 512 << 10, 384 << 10
	random := samples()["random"][:size]
	long := strings.Repeat("x", 198) + "%04d"
	packed := string(pack(t, random))
	for name, move := range map[string]func(c *client){
		"download":  func(c *client) { c.fetch("RETR f", size) },
		"upload":    func(c *client) { c.store("STOR up", random) },
		"text":      func(c *client) { c.do("TYPE A", "200"); c.fetch("RETR f", size) },
		"text up":   func(c *client) { c.do("TYPE A", "200"); c.store("STOR up", random) },
		"packed":    func(c *client) { c.do("MODE Z", "200"); c.fetch("RETR f", size) },
		"packed up": func(c *client) { c.do("MODE Z", "200"); c.store("STOR up", packed) },
		"listing":   func(c *client) { c.fetch("NLST dir", size) },
		"many": func(c *client) {
			for range 16 {
				c.fetch("RETR small", size/16)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBoth(t, heldTo(rate), func(t *testing.T, b *bench, c *client) {
				b.file("f", random)
				b.file("small", random[:size/16])
				for i := 0; name == "listing" && i <= size/200; i++ {
					b.file("dir/"+fmt.Sprintf(long, i), "")
				}
				begun := time.Now()
				move(c)
				took, least := time.Since(begun), time.Duration(size*int64(time.Second)/rate)-burstTime
				if took < least {
					t.Errorf("it took %v, and must take %v", took, least)
				}
			})
		})
	}
}

// fetch downloads at least so many bytes.
func (c *client) fetch(command string, size int) {
	c.t.Helper()
	if got, reply := c.download(command); len(got) < size || !strings.HasPrefix(reply, "226") {
		c.t.Errorf("%s: %d bytes, %s", command, len(got), reply)
	}
}

func (c *client) store(command, content string) {
	c.t.Helper()
	if reply := c.upload(command, content); !strings.HasPrefix(reply, "226") {
		c.t.Errorf("%s: %s", command, reply)
	}
}

// TestRateOfCompressedData counts what is on the wire: what compresses well is there
// long before its size at the rate.
func TestRateOfCompressedData(t *testing.T) {
	inBoth(t, heldTo(256<<10), func(_ *testing.T, b *bench, c *client) {
		b.largeFile("zeros") // would take minutes
		c.do("MODE Z", "200")
		if content, wire := c.downloadZ("RETR zeros"); len(content) != large || wire > large/100 {
			c.t.Errorf("%d bytes came as %d", len(content), wire)
		}
	})
}

// TestWhoseRate: a user's own goes before that of all, lower or higher, each way for
// itself.
func TestWhoseRate(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		heldTo(50_000)(c)
		c.Anonymous = &config.Anonymous{Home: "/alice", Rates: config.Rates{DownloadRatePerSession: 40_000}}
		with(c, "slow", func(u *config.User) { u.Home, u.DownloadRatePerSession = "/alice", 2000 })
		with(c, "fast", func(u *config.User) { u.Home, u.UploadRatePerSession = "/alice", 1<<20 })
	})
	b.file("f", strings.Repeat("x", 1<<20))
	for name, want := range map[string]struct{ down, up string }{
		"alice": {"50000", "50000"}, "slow": {"2000", "50000"}, "fast": {"50000", "1048576"}, "anonymous": {"40000", ""},
	} {
		c := b.loginAs(name)
		c.wantLimit(name, "RETR f", want.down)
		if want.up != "" {
			c.wantLimit(name, "STOR up", want.up)
		}
	}
	b.reload(func(c *config.Config) { c.Limits.Rates = config.Rates{} })
	b.loginAs("alice").wantLimit("alice", "STOR up", "")
}

// wantLimit finds in STAT what a transfer is held to, and cuts it.
func (c *client) wantLimit(name, command, want string) {
	c.t.Helper()
	data := c.begin(command)
	_, got, told := strings.Cut(c.do("STAT", "211"), "Limit: ")
	got, _, _ = strings.Cut(got, " ")
	if got != want || told != (want != "") {
		c.t.Errorf("%s, %s: the limit told is %q, want %q", name, command, got, want)
	}
	c.do("ABOR", "426")
	c.expect("226")
	_ = data.Close()
}

// moved is what STAT tells of the running transfer, in bytes.
func (c *client) moved() int64 {
	c.t.Helper()
	before, _, ok := strings.Cut(c.do("STAT", "211"), " bytes so far")
	n, err := strconv.ParseInt(before[strings.LastIndexByte(before, ' ')+1:], 10, 64)
	if !ok || err != nil {
		c.t.Fatalf("no transfer runs: %q", before)
	}
	return n
}

// move keeps the client's side of a transfer busy until it is cut.
func (c *client) move(command string) net.Conn {
	c.t.Helper()
	data := c.begin(command)
	go func() {
		if strings.HasPrefix(command, "RETR") {
			_, _ = io.Copy(io.Discard, data)
			return
		}
		for _, err := data.Write(make([]byte, 16<<10)); err == nil; {
			_, err = data.Write(make([]byte, 16<<10))
		}
	}()
	return data
}

// inBothWays runs f while a download runs, and while an upload does.
func inBothWays(t *testing.T, edit func(*config.Config), f func(t *testing.T, b *bench, c *client, command string)) {
	t.Helper()
	for _, command := range []string{"RETR large", "STOR up"} {
		t.Run(command[:4], func(t *testing.T) {
			inBoth(t, edit, func(t *testing.T, b *bench, c *client) {
				b.largeFile("large")
				f(t, b, c, command)
			})
		})
	}
}

// slowed fails if the running transfer is faster than the lowest rate, after a change
// from another one: a portion of that may still be on its way.
func (c *client) slowed(before int64) {
	c.t.Helper()
	begun := time.Now()
	from := c.moved()
	for time.Since(begun) < time.Second {
		<-time.After(pace)
	}
	got := c.moved() - from
	if most := worth(config.MinRate, time.Since(begun)+burstTime) + worth(before, portionTime); got > most {
		c.t.Errorf("%d bytes, at most %d may", got, most)
	}
}

// TestRateFollows: a running transfer goes on at a rate that is new, and without one
// as fast as it can.
func TestRateFollows(t *testing.T) {
	const before = 1 << 20
	inBothWays(t, heldTo(before), func(t *testing.T, b *bench, c *client, command string) {
		data := c.move(command)
		eventually(t, "it moves", func() bool { return c.moved() > 0 })
		b.reload(heldTo(config.MinRate))
		c.slowed(before)
		b.reload(heldTo(0))
		eventually(t, "it moves on", func() bool { return c.moved() > 8<<20 }) // hours at that rate
		c.do("ABOR", "426")
		c.expect("226")
		_ = data.Close()
	})
}

// TestRateOfARemovedUser: until the running transfer ends, the rate is what it was.
func TestRateOfARemovedUser(t *testing.T) {
	slow := func(c *config.Config) {
		c.Users[0].DownloadRatePerSession, c.Users[0].UploadRatePerSession = config.MinRate, config.MinRate
	}
	inBothWays(t, slow, func(t *testing.T, b *bench, c *client, command string) {
		data := c.move(command)
		b.reload(func(c *config.Config) { c.Users[0].Name = "another" })
		c.slowed(config.MinRate)
		c.do("ABOR", "426")
		c.expect("226")
		_ = data.Close()
		c.expect("421")
	})
}

// TestEndsAtTheLowestRate: whatever ends a transfer ends one that has hours to go.
func TestEndsAtTheLowestRate(t *testing.T) {
	for name, end := range map[string]func(b *bench, c *client){
		"ABOR": func(_ *bench, c *client) { c.do("ABOR", "426"); c.expect("226"); c.do("NOOP", "200") },
		"gone": func(_ *bench, c *client) { _ = c.raw.Close() },
		"suspended": func(b *bench, c *client) {
			b.reload(func(c *config.Config) { c.Users[0].Login = config.LoginSuspended })
			c.expect("426")
			c.expect("421")
		},
		"drained": func(b *bench, c *client) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			b.server.Drain(ctx)
			c.expect("426")
			c.expect("421")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBothWays(t, heldTo(config.MinRate), func(t *testing.T, b *bench, c *client, command string) {
				data := c.move(command)
				eventually(t, "it moves", func() bool { return c.moved() > 0 })
				end(b, c)
				eventually(t, "the transfer ends", func() bool {
					all := b.server.all()
					return len(all) == 0 || all[0].running() == nil
				})
				_ = data.Close()
			})
		})
	}
}

// TestLowestRate: the lowest rate is no stall, and the session is not idle.
func TestLowestRate(t *testing.T) {
	const size = 4*config.MinRate + config.MinRate/2
	short := func(c *config.Config) {
		heldTo(config.MinRate)(c)
		c.Limits.StallTimeout, c.Limits.IdleTimeout = 2*time.Second, 2*time.Second
	}
	inBoth(t, short, func(t *testing.T, b *bench, c *client) {
		content := strings.Repeat("x", size)
		c.store("STOR f", content)
		c.fetch("RETR f", size)
		if b.content("f") != content {
			t.Error("the file is not what was sent")
		}
	})
}

// TestUnsentStaysSmall: of a client that takes nothing, the kernel takes little more
// than a portion: all that would come at once when the client goes on.
func TestUnsentStaysSmall(t *testing.T) {
	const rate = 8 << 20
	inBoth(t, heldTo(rate), func(t *testing.T, b *bench, c *client) {
		b.largeFile("large")
		conn := c.openNarrow()
		c.do("RETR large", "150")
		data := c.wrap(conn)
		for begun := time.Now(); time.Since(begun) < 2*time.Second; {
			<-time.After(pace)
		}
		if got, most := c.moved(), worth(rate, unsentTime+portionTime)+256<<10; got == 0 || got > most {
			t.Errorf("%d bytes are on their way to a client that takes none, at most %d may", got, most)
		}
		c.do("ABOR", "426")
		c.expect("226")
		_ = data.Close()
	})
}
