package ftp

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/passive"
)

// TestInProgress: what a drain waits for, and when it looks again.
func TestInProgress(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	ago := now.Add
	announced := func(s *session) { s.data = passivePort{} }
	for name, test := range map[string]struct {
		set  func(*session)
		busy bool
		look time.Duration // from now
	}{
		"nothing":                    {func(*session) {}, false, drainIdle - 3*time.Second},
		"a command since":            {func(s *session) { s.lastActivity = ago(-time.Second) }, false, drainIdle - time.Second},
		"a transfer":                 {func(s *session) { s.transfer = &transfer{} }, true, 0}, // its end has it looked at
		"a port just announced":      {func(s *session) { announced(s); s.announcedAt = ago(-time.Second) }, true, drainPoll},
		"a port, near its end":       {func(s *session) { announced(s); s.announcedAt = ago(1 - passive.Lease) }, true, drainPoll},
		"a port that nobody came to": {func(s *session) { announced(s); s.announcedAt = ago(-passive.Lease) }, false, drainIdle - 3*time.Second},
		"a port that was used":       {func(s *session) { s.announcedAt = ago(-time.Second) }, false, drainIdle - 3*time.Second},
		"a rename begun":             {func(s *session) { s.renameFrom, s.announcedAt = "/a", ago(-time.Second) }, true, drainPoll},
		"a rename forgotten":         {func(s *session) { s.renameFrom, s.announcedAt = "/a", ago(-passive.Lease) }, false, drainIdle - 3*time.Second},
		"an upload just complete":    {func(s *session) { s.uploadedAt = ago(1 - afterUpload) }, true, drainPoll},
		"an upload of before":        {func(s *session) { s.uploadedAt = ago(-afterUpload) }, false, drainIdle - 3*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := &session{ending: endDrain, drainSince: ago(-3 * time.Second), lastActivity: ago(-time.Minute)}
			test.set(s)
			if got := s.inProgress(now); got != test.busy {
				t.Errorf("in progress: %t", got)
			}
			want := now.Add(test.look)
			if test.look == 0 {
				want = time.Time{}
			}
			if got := s.deadline(now); !got.Equal(want) {
				t.Errorf("looked at again in %s, want %s", got.Sub(now), test.look)
			}
		})
	}
}

// draining begins a drain, and returns once it has; ended is closed when it is over.
func (b *bench) draining() (ended chan struct{}) {
	b.t.Helper()
	ended = make(chan struct{})
	go func() {
		b.server.Drain(context.Background())
		close(ended)
	}()
	eventually(b.t, "the drain begins", b.server.Draining)
	return ended
}

// TestDrainServesWhatIsExpected: a data connection that was announced is served, be it
// that the command is still to come, that the connection is, or both, in clear and over TLS.
func TestDrainServesWhatIsExpected(t *testing.T) {
	for name, login := range map[string]func(*bench) *client{"in clear": (*bench).login, "TLS": (*bench).loginTLS} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *config.Config) { c.Passive.Ports = freePorts(t, 8) })
			b.file("file", "content")
			both, command, connection := login(b), login(b), login(b)
			port := func(c *client) int { n, _ := portOf(c.do("EPSV", "229")); return n }
			portOfBoth, portOfConnection := port(both), port(connection)
			connected := command.dial(port(command))
			connection.do("RETR file", "150")

			ended := b.draining()
			both.do("REST 0", "350")
			both.do("SIZE file", "213")
			both.do("RETR file", "150")
			for c, conn := range map[*client]net.Conn{both: both.dial(portOfBoth), connection: connection.dial(portOfConnection)} {
				serves(t, c, c.wrap(conn.(*net.TCPConn)))
			}
			command.do("RETR file", "150")
			serves(t, command, command.wrap(connected))
			for _, c := range []*client{both, command, connection} {
				c.do("EPSV", "421 This server is about to restart")
				c.ended()
			}
			<-ended
		})
	}
}

func serves(t *testing.T, c *client, data net.Conn) {
	t.Helper()
	got, err := io.ReadAll(data)
	must(t, err)
	_ = data.Close()
	c.expect("226")
	if string(got) != "content" {
		t.Errorf("%q came", got)
	}
}

// TestDrainAfterUpload: what clients do right after an upload is done, whatever it is:
// rename it, set its time, its mode, look at its size.
func TestDrainAfterUpload(t *testing.T) {
	b := newBench(t, nil)
	c := b.login()
	data := c.begin("STOR part")
	ended := b.draining()
	_, err := io.WriteString(data, "content")
	must(t, err)
	must(t, data.Close())
	c.expect("226")
	b.uploaded(time.Now().Add(time.Hour)) // however slow the machine is
	c.do("SIZE part", "213 7")
	c.do("MFMT 20200102030405 part", "213")
	c.do("SITE CHMOD 600 part", "200")
	c.do("RNFR part", "350")
	c.do("RNTO whole", "250")
	c.do("EPSV", "421 This server is about to restart") // nothing new begins
	<-ended
	info, err := os.Stat(filepath.Join(b.home, "whole"))
	must(t, err)
	if info.ModTime().UTC().Format("20060102150405") != "20200102030405" || info.Mode().Perm() != 0o600 {
		t.Errorf("it is of %s, and of mode %s", info.ModTime().UTC(), info.Mode())
	}
}

// uploaded has the last upload of all sessions be complete at that time. A reply comes
// before its session notes the time, and before the transfer is over.
func (b *bench) uploaded(at time.Time) {
	b.t.Helper()
	for _, s := range b.server.all() {
		eventually(b.t, "the transfer is over", func() bool { return s.running() == nil })
		s.mu.Lock()
		s.uploadedAt = at
		s.mu.Unlock()
	}
}

// TestDrainAndLogins: a login that is being checked is answered; one that was only begun
// is not, nor is anybody who comes: all are told to connect again.
func TestDrainAndLogins(t *testing.T) {
	b := newBench(t, nil)
	asked, checked := b.connect(), b.connect()
	asked.do("USER alice", "331")
	checked.do("USER alice", "331")
	turn := turn{from: origin(checked.raw.LocalAddr().(*net.TCPAddr).AddrPort().Addr())}
	done, err := b.server.turns.wait(t.Context(), turn)
	must(t, err)
	checked.send("PASS " + password)
	eventually(t, "the login waits for its turn", func() bool {
		b.server.turns.mu.Lock()
		defer b.server.turns.mu.Unlock()
		return b.server.turns.lines[turn].length == 2
	})
	ended := b.draining()
	asked.do("PASS "+password, "421 This server is about to restart: connect again")
	asked.ended()
	for range 3 {
		c := b.over(b.dialFrom("127.0.0.1", b.address))
		c.expect("421 This server is about to restart: connect again")
		c.ended()
	}
	done()
	checked.expect("230")
	checked.do("PWD", "421 This server is about to restart: connect again")
	<-ended
}

// TestDrainIsOver: what still runs when the time is over is cut, the client told, and
// the log tells how much that was.
func TestDrainIsOver(t *testing.T) {
	b := newBench(t, nil)
	c, other := b.login(), b.login()
	data := c.begin("STOR never-ends")
	_, err := io.WriteString(data, "some")
	must(t, err)
	other.do("EPSV", "229") // in progress as well
	ctx, over := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { b.server.Drain(ctx); close(ended) }()
	eventually(t, "the drain begins", b.server.Draining)
	over()
	c.expect("426")
	c.expect("421")
	other.expect("421")
	<-ended
	if !b.log.logged("level=WARN", "Time to drain is over", "sessions=2", "transfers=1", "terminationGracePeriod") {
		t.Errorf("the log does not tell of it:\n%s", b.log.String())
	}
	if !b.log.logged("msg=Transfer", "never-ends", "outcome=failed", "ended by the server") {
		t.Error("nor of the transfer")
	}
	if strings.Contains(b.content("never-ends"), "some") {
		t.Error("an unfinished upload is visible")
	}
}
