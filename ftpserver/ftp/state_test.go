package ftp

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// alone is the only session's status.
func (b *bench) alone() config.SessionStatus {
	b.t.Helper()
	all := b.server.Sessions(10)
	if len(all) != 1 {
		b.t.Fatalf("%d sessions, want one: %v", len(all), all)
	}
	return all[0]
}

// inState waits for the only session to be in a state, and for the gauges to say
// the same.
func (b *bench) inState(want string) config.SessionStatus {
	b.t.Helper()
	eventually(b.t, "the session is "+want, func() bool { return b.alone().State == want })
	for state, n := range b.server.Metrics.SessionCounts() {
		if (n == 1) != (state == want) {
			b.t.Errorf("while it is %s, %d are %s", want, n, state)
		}
	}
	return b.alone()
}

// TestStates: a session through all of its states, as operators see it.
func TestStates(t *testing.T) {
	inBoth := map[string]bool{"plain": false, "TLS": true}
	for name, secured := range inBoth {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.largeFile("large")
			c := b.connect()
			b.inState("connected")
			if secured {
				c.secure()
			}
			c.do("USER alice", "331")
			b.inState("authenticating")
			c.do("PASS wrong", "530")
			b.inState("connected")
			c.login()
			s := b.inState("idle")
			if s.User != "alice" || s.Client != c.raw.LocalAddr().String() || s.Transfer != nil ||
				strings.HasPrefix(s.TLS, "TLS 1.") != secured || s.Since.After(s.LastActivity) {
				t.Errorf("%+v", s)
			}
			data := c.begin("RETR large")
			paced(t, data, 1000)
			s = b.inState("transferring")
			if tr := s.Transfer; tr == nil || tr.Verb != "RETR" || tr.Direction != download || tr.Path != "/large" || tr.Since.Before(s.Since) {
				t.Errorf("%+v", s.Transfer)
			}
			c.do("ABOR", "426")
			c.expect("226")
			_ = data.Close()
			b.inState("idle")
			upload := c.begin("STOR up")
			_, err := upload.Write(make([]byte, 5<<20)) // plain uploads are counted as every 4 MiB are in
			must(t, err)
			eventually(t, "the bytes are told", func() bool { return b.alone().Transfer.Bytes > 0 })
			b.reload(func(c *config.Config) {
				c.Users[0].PasswordHash = c.Users[0].PasswordHash[:len(c.Users[0].PasswordHash)-4] + "AAAA"
			})
			must(t, upload.Close())
			c.expect("226")
			c.expect("421")
			c.ended()
			eventually(t, "it is gone", func() bool { return len(b.server.Sessions(10)) == 0 })
			for state, n := range b.server.Metrics.SessionCounts() {
				if n != 0 {
					t.Errorf("%d are %s", n, state)
				}
			}
			data2, err := json.Marshal(s)
			must(t, err)
			if strings.Contains(string(data2), password) || strings.Contains(string(data2), "argon2") {
				t.Errorf("a secret is told: %s", data2)
			}
		})
	}
}

// TestIdleSessionsDrain: that a session is to end shows at once.
func TestIdleSessionsDrain(t *testing.T) {
	b := newBench(t, nil)
	c := b.login()
	c.do("EPSV", "229") // is in progress, so that it is not told at once
	for _, s := range b.server.all() {
		s.end(endDrain)
	}
	b.inState("draining")
	c.do("QUIT", "221")
}

func TestListOfSessions(t *testing.T) {
	b := newBench(t, nil)
	for range 3 {
		b.connect()
	}
	if got := b.server.Sessions(2); len(got) != 2 || got[0].Number != 1 || got[1].Number != 2 {
		t.Errorf("%+v, want the first two", got)
	}
	if got := b.server.Sessions(10); len(got) != 3 {
		t.Errorf("%d, want 3", len(got))
	}
}

// TestLimitsUnderChurn: however clients come and go, no limit is passed at any
// moment, and nothing is left when all have gone.
func TestLimitsUnderChurn(t *testing.T) {
	const sessions, perAddress, perUser = 9, 4, 3
	b := newBench(t, func(c *config.Config) {
		c.Limits = config.Limits{Sessions: sessions, SessionsPerAddress: perAddress}
		c.Limits.FailedLogins.Mode = config.GuessingOff
		c.Users[0].MaxSessions = perUser
	})
	stop := make(chan struct{})
	var clients, watch sync.WaitGroup
	watch.Go(func() { watchLimits(t, b.server, stop, sessions, perAddress, perUser) })
	for i := range uint64(12) {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(i, 7))
			for range 60 {
				churn(b.address, fmt.Sprintf("127.0.0.%d", 1+r.IntN(4)), r)
			}
		})
	}
	clients.Wait()
	close(stop)
	watch.Wait()
	eventually(t, "all sessions have ended", func() bool { return len(b.server.all()) == 0 })
	s := b.server
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seats.mu.Lock()
	defer s.seats.mu.Unlock()
	if len(s.addresses) > 0 || len(s.seats.taken) > 0 {
		t.Errorf("left over: %v, %v", s.addresses, s.seats.taken)
	}
	for state, n := range s.Metrics.SessionCounts() {
		if n != 0 {
			t.Errorf("%d sessions are %s", n, state)
		}
	}
}

func watchLimits(t *testing.T, s *Server, stop <-chan struct{}, sessions, perAddress, perUser int) {
	most := 0
	for {
		s.mu.Lock()
		most = max(most, len(s.sessions))
		if len(s.sessions) > sessions {
			t.Errorf("%d sessions", len(s.sessions))
		}
		for address, n := range s.addresses {
			if n > perAddress {
				t.Errorf("%d sessions of %v", n, address)
			}
		}
		s.mu.Unlock()
		s.seats.mu.Lock()
		if n := s.seats.taken["alice"]; n > perUser {
			t.Errorf("%d sessions of alice", n)
		}
		s.seats.mu.Unlock()
		select {
		case <-stop:
			if most < 2 {
				t.Errorf("%d at once: nothing was tried", most)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// churn is one client that does some of what clients do, and leaves in some way.
func churn(address, from string, r *rand.Rand) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.Dial("tcp", address)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	text := textproto.NewConn(conn)
	if _, _, err := text.ReadResponse(220); err != nil {
		return
	}
	for _, line := range []string{"USER alice", "PASS " + password, "NOOP", "TYPE I", "USER alice", "PASS " + password, "PWD", "QUIT"} {
		if r.IntN(8) == 0 {
			if r.IntN(2) == 0 {
				_ = conn.(*net.TCPConn).SetLinger(0) // torn off
			}
			return
		}
		if text.PrintfLine("%s", line) != nil {
			return
		}
		if _, _, err := text.ReadResponse(0); err != nil && strings.HasPrefix(err.Error(), "421") {
			return
		}
	}
}
