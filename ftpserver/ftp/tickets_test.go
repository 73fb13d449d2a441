package ftp

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"
)

// keeper is a client's session cache that keeps what it has until there is
// something newer, as libraries do that use a ticket more than once.
type keeper struct {
	mu     sync.Mutex
	state  *tls.ClientSessionState
	frozen bool
}

func (k *keeper) Get(string) (*tls.ClientSessionState, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state, k.state != nil
}

func (k *keeper) Put(_ string, s *tls.ClientSessionState) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s != nil && !k.frozen {
		k.state = s
	}
}

// thief returns a cache with the ticket of k, which crosses the network in clear,
// and the secret of another session.
func (k *keeper) thief(t *testing.T, own *keeper) *keeper {
	t.Helper()
	ticket, _, err := k.state.ResumptionState()
	must(t, err)
	_, state, err := own.state.ResumptionState()
	must(t, err)
	bytes, err := state.Bytes()
	must(t, err)
	copied, err := tls.ParseSessionState(bytes)
	must(t, err)
	stolen, err := tls.NewResumptionState(ticket, copied)
	must(t, err)
	return &keeper{state: stolen, frozen: true}
}

// socketPair is a connection in this process. A pipe has no buffers, in which both
// ends of a handshake may have something at once.
func socketPair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	near, err = net.Dial("tcp", l.Addr().String())
	must(t, err)
	far, err = l.Accept()
	must(t, err)
	return near, far
}

// ticketBench shakes hands.
type ticketBench struct {
	t       *testing.T
	tickets *tickets
	base    *tls.Config
	roots   *x509.CertPool
	version uint16
	suites  []uint16 // that clients offer, of TLS 1.2; nil: the usual ones
}

func inBothVersions(t *testing.T, f func(t *testing.T, b *ticketBench)) {
	t.Helper()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) { f(t, newTicketBench(t, version)) })
	}
}

func newTicketBench(t *testing.T, version uint16) *ticketBench {
	t.Helper()
	certFile, keyFile, roots := certificate(t)
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	must(t, err)
	served := &tls.Config{Certificates: []tls.Certificate{cert}}
	base := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return served, nil }}
	return &ticketBench{t: t, tickets: &tickets{}, base: base, roots: roots, version: version}
}

// shake makes a connection of a control session, or of none (0), and returns which
// session it has resumed.
func (b *ticketBench) shake(session uint64, known func(uint64) bool, cache *keeper) (resumed uint64, err error) {
	b.t.Helper()
	near, far := socketPair(b.t)
	bound := &binding{tickets: b.tickets, session: session, known: known}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn := tls.Server(far, bound.config(b.base))
		if err = conn.Handshake(); err == nil {
			resumed = bound.resumed(conn.ConnectionState())
			_, _ = conn.Write([]byte("x"))
		}
		_ = far.Close()
	}()
	client := tls.Client(near, &tls.Config{RootCAs: b.roots, ServerName: "127.0.0.1", ClientSessionCache: cache,
		MinVersion: b.version, MaxVersion: b.version, CipherSuites: b.suites})
	_, _ = client.Read(make([]byte, 1)) // takes the ticket too
	_, _ = io.Copy(io.Discard, near)
	_ = near.Close()
	<-done
	return resumed, err
}

func (b *ticketBench) resumes(session uint64, known func(uint64) bool, cache *keeper, want uint64) {
	b.t.Helper()
	got, err := b.shake(session, known, cache)
	must(b.t, err)
	if got != want {
		b.t.Fatalf("it has resumed session %d, want %d", got, want)
	}
}

func all(uint64) bool  { return true }
func none(uint64) bool { return false }

// TestTicketsNameTheirSession, also those of data connections, which are known by
// their tickets alone, and over many of them.
func TestTicketsNameTheirSession(t *testing.T) {
	inBothVersions(t, func(_ *testing.T, b *ticketBench) {
		seven, eight := &keeper{}, &keeper{}
		b.resumes(7, nil, seven, 0)
		b.resumes(8, nil, eight, 0)
		for range 3 {
			b.resumes(0, all, seven, 7) // whose port is not known
			b.resumes(7, all, seven, 7) // on a port of its own
			b.resumes(0, all, eight, 8)
		}
		b.resumes(9, nil, seven, 7) // a new control connection resumes an old one
		b.resumes(0, all, seven, 9) // and is what counts from then on
	})
}

// TestTicketOfAForgottenSession is none: a full handshake follows.
func TestTicketOfAForgottenSession(t *testing.T) {
	inBothVersions(t, func(_ *testing.T, b *ticketBench) {
		cache := &keeper{}
		b.resumes(7, nil, cache, 0)
		b.resumes(0, none, cache, 0)
		b.resumes(0, all, cache, 0) // its new ticket names nobody
		b.resumes(8, nil, cache, 0) // any ticket will do here
		b.resumes(0, all, cache, 8)
	})
}

// TestForeignTicket: one of another process is none.
func TestForeignTicket(t *testing.T) {
	inBothVersions(t, func(_ *testing.T, b *ticketBench) {
		cache := &keeper{}
		b.resumes(7, nil, cache, 0)
		b.tickets = &tickets{}
		b.resumes(0, all, cache, 0)
	})
}

// TestStolenTicket: without the secret that belongs to a ticket, the handshake
// fails, and proves nothing.
func TestStolenTicket(t *testing.T) {
	inBothVersions(t, func(t *testing.T, b *ticketBench) {
		victim, own := &keeper{}, &keeper{}
		b.resumes(7, nil, victim, 0)
		b.resumes(8, nil, own, 0)
		if got, err := b.shake(0, all, victim.thief(t, own)); err == nil || got != 0 {
			t.Fatalf("a copied ticket has resumed session %d, error %v", got, err)
		}
		b.resumes(0, all, victim, 7)
	})
}

// TestStolenTicketThatIsNotResumed: the ticket is read and turns out not to do, here as
// the client does not offer its cipher suite, and the handshake goes on without it. It
// has proven nothing, and the client's next ticket names nobody. The same is possible
// with TLS 1.3, but crypto/tls lets no client leave out a suite there.
func TestStolenTicketThatIsNotResumed(t *testing.T) {
	b := newTicketBench(t, tls.VersionTLS12)
	victim, own := &keeper{}, &keeper{}
	b.suites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	b.resumes(7, nil, victim, 0)
	b.suites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}
	b.resumes(8, nil, own, 0)
	stolen := victim.thief(t, own)
	stolen.frozen = false
	b.resumes(0, all, stolen, 0)
	b.resumes(0, all, stolen, 0)
}

// TestTicketTwice: a ticket may be used more than once, as clients do. It takes its
// secret each time, so a repeated handshake proves no less than the first.
func TestTicketTwice(t *testing.T) {
	inBothVersions(t, func(_ *testing.T, b *ticketBench) {
		cache := &keeper{}
		b.resumes(7, nil, cache, 0)
		cache.frozen = true
		for range 3 {
			b.resumes(0, all, cache, 7)
		}
	})
}

// TestTicketKeysRotate: a ticket outlives the day of its key, and not its week.
func TestTicketKeysRotate(t *testing.T) {
	inBothVersions(t, func(_ *testing.T, b *ticketBench) {
		now := time.Now()
		b.tickets.keys.Time = func() time.Time { return now }
		old, newer := &keeper{}, &keeper{}
		b.resumes(7, nil, old, 0)
		old.frozen = true
		now = now.Add(25 * time.Hour)
		b.resumes(8, nil, newer, 0)
		newer.frozen = true
		b.resumes(0, all, old, 7)
		now = now.Add(6 * 24 * time.Hour) // in all, a week and an hour
		b.resumes(9, nil, &keeper{}, 0)   // makes the key of the day
		b.resumes(0, all, old, 0)
		b.resumes(0, all, newer, 8)
	})
}

// TestSeveralTickets: only the last that crypto/tls was given may be the one that
// was resumed, and none is before the handshake has succeeded.
func TestSeveralTickets(t *testing.T) {
	keys := &tickets{}
	ticket := func(session uint64) []byte {
		b := &binding{tickets: keys, session: session}
		out, err := b.wrap(tls.ConnectionState{}, sessionState(t))
		must(t, err)
		return out
	}
	b := &binding{tickets: keys, known: func(session uint64) bool { return session != 5 }}
	resumed := tls.ConnectionState{DidResume: true}
	for _, step := range []struct {
		ticket []byte
		taken  bool
		want   uint64
	}{{ticket(7), true, 7}, {ticket(8), true, 8}, {ticket(5), false, 0}, {ticket(9), true, 9}, {[]byte("rubbish"), false, 0}, {ticket(0), false, 0}} {
		s, err := b.unwrap(step.ticket, tls.ConnectionState{})
		must(t, err)
		if (s != nil) != step.taken || b.resumed(resumed) != step.want || b.resumed(tls.ConnectionState{}) != 0 {
			t.Errorf("taken %t, resumed %d, want %d", s != nil, b.resumed(resumed), step.want)
		}
	}
}

// sessionState is that of a handshake: no other can be encoded and read again.
func sessionState(t *testing.T) *tls.SessionState {
	t.Helper()
	var state *tls.SessionState
	inner := &tickets{}
	certFile, keyFile, roots := certificate(t)
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	must(t, err)
	near, far := socketPair(t)
	go func() {
		c := &tls.Config{Certificates: []tls.Certificate{cert}}
		c.WrapSession = func(cs tls.ConnectionState, s *tls.SessionState) ([]byte, error) {
			state = s
			return inner.keys.EncryptTicket(cs, s)
		}
		conn := tls.Server(far, c)
		_, _ = conn.Write([]byte("x"))
		_ = far.Close()
	}()
	client := tls.Client(near, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", ClientSessionCache: &keeper{}})
	_, err = io.ReadAll(io.LimitReader(client, 1))
	must(t, err)
	_ = near.Close()
	return state
}

// FuzzTicketPayload: whatever stands in a ticket, only what is ours names a session.
func FuzzTicketPayload(f *testing.F) {
	f.Add([]byte("other"), ticketPayload(7))
	f.Add(ticketPayload(0), ticketPayload(1))
	f.Add([]byte{}, []byte("ftp-session/1:1234567"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		session, ok := sessionOfTicket([][]byte{first, second})
		if ok != (session != 0) {
			t.Fatalf("session %d, ok %t", session, ok)
		}
		if want := ticketPayload(session); ok && string(want) != string(first) && string(want) != string(second) {
			t.Fatalf("session %d is in neither %q nor %q", session, first, second)
		}
		if got, ok := sessionOfTicket([][]byte{nil, second, ticketPayload(9)}); !ok && got != 9 && len(second) != len(ticketPayload(0)) {
			t.Fatal("ours was not found behind others")
		}
	})
}

// FuzzTicket: what is not of our making is no ticket.
func FuzzTicket(f *testing.F) {
	keys := &tickets{}
	f.Add([]byte{})
	f.Add(make([]byte, 200))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := &binding{tickets: keys, named: 3}
		s, err := b.unwrap(data, tls.ConnectionState{})
		if s != nil || err != nil || b.named != 0 {
			t.Fatalf("taken as %v, %d, %v", s, b.named, err)
		}
	})
}

// TestKnownSessions: sessions that have ended are remembered for a while, and not
// too many; those of nobody not at all.
func TestKnownSessions(t *testing.T) {
	now := time.Now()
	k := newKnownSessions(func() time.Time { return now })
	alice := identity{name: "alice"}
	k.belongs(1, identity{})
	k.belongs(2, alice)
	if user, ok := k.whose(1); !ok || user != (identity{}) {
		t.Error("a living session of nobody is not known")
	}
	k.end(1)
	k.end(2)
	now = now.Add(rememberedTime - time.Second)
	if user, ok := k.whose(2); !ok || user != alice || k.isKnown(1) || k.isKnown(3) {
		t.Error("the wrong ones are remembered")
	}
	now = now.Add(time.Second)
	if k.isKnown(2) {
		t.Error("remembered for too long")
	}
	for session := uint64(10); session < 10+maxRemembered+5; session++ {
		k.belongs(session, alice)
		k.end(session)
	}
	if k.isKnown(14) || !k.isKnown(15) || len(k.sessions) != maxRemembered || len(k.ended) != maxRemembered {
		t.Errorf("%d sessions and %d ends are remembered", len(k.sessions), len(k.ended))
	}
	k.belongs(5, alice)
	k.forget(5)
	if k.isKnown(5) {
		t.Error("what must be forgotten is remembered")
	}
}

// BenchmarkRememberedSessions is what the table of sessions that have ended takes
// when it is full.
func BenchmarkRememberedSessions(b *testing.B) {
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		k := newKnownSessions(time.Now)
		for session := range uint64(3 * maxRemembered) {
			k.belongs(session+1, identity{name: "alice", uid: "uid"})
			k.end(session + 1)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(k)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/maxRemembered, "bytes/session")
}
