package clients

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/figures"
)

// How much there is at once.
const (
	soakSessions = 44 // of users that nobody changes
	soakUsers    = 4
	soakGuests   = 3 // users that are changed meanwhile, with two sessions each
	soakPrograms = 3 // client programs
)

// soakMark is in every password, and must never be in a log.
const soakMark = "sOaK-sEcReT-"

// soak is one run: a server under load, with what its clients know.
type soak struct {
	t      *testing.T
	server *server
	seed   uint64
	rng    *mrand.Rand // of the changes
	long   bool
	addr   string
	tls    *tls.Config
	base   config.Config
	edits  int // of the configuration: each differs
	log    soakLog

	workers, programs []*soakWorker

	mu        sync.Mutex
	counts    map[string]int64
	failures  []error
	passwords map[string]string
	partials  map[string]bool // uploads that were begun and may be kept in part
}

// TestSoak: clients of all kinds work, break off and die, while the server's
// configuration, users and certificates change. Whatever is acknowledged is
// there, whatever is fetched is right, somebody who asks is always answered; and
// whenever all have left, the server holds no more than it did at first.
//
// It lasts FTP_SOAK, such as 30m; from longSoak on, memory is held to not growing.
// FTP_SOAK_SEED repeats the choices of a run.
func TestSoak(t *testing.T) {
	duration, seed := 20*time.Second, newSeed()
	var err error
	if text := os.Getenv("FTP_SOAK"); text != "" {
		duration, err = time.ParseDuration(text)
		must(t, err)
	}
	if text := os.Getenv("FTP_SOAK_SEED"); text != "" {
		seed, err = strconv.ParseUint(text, 10, 64)
		must(t, err)
	}
	t.Logf("FTP_SOAK=%s FTP_SOAK_SEED=%d", duration, seed)
	s := newSoak(t, seed, duration >= longSoak)
	before := s.settle(nil)
	points, forgotten := []soakPoint{before}, []soakPoint{}
	load := min(max(duration/30, 2*time.Second), time.Minute)
	for start := time.Now(); (time.Since(start) < duration || len(points) < s.least()) && !t.Failed(); {
		s.load(load)
		points = append(points, s.settle(&before))
		if third := 1 + int64(len(forgotten)); s.long && time.Since(start) >= time.Duration(third)*duration/3 {
			forgotten = append(forgotten, s.forget(&before))
		}
		s.check()
	}
	judgeHeap(t, forgotten)
	judgeGrowth(t, points, s.long)
	s.figures(points)
}

func newSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // has no errors
	return binary.LittleEndian.Uint64(b[:])
}

func newSoak(t *testing.T, seed uint64, long bool) *soak {
	t.Helper()
	s := &soak{
		t: t, seed: seed, rng: mrand.New(mrand.NewPCG(seed, 1<<32)), long: long,
		counts: map[string]int64{}, passwords: map[string]string{}, partials: map[string]bool{},
	}
	s.log.s, s.log.about = s, map[string][]string{}
	s.server = newServer(t, config.TLSOptional, s.configure)
	s.server.look = s.log.look
	s.base = s.server.cfg
	s.server.start()
	s.addr = fmt.Sprintf("127.0.0.1:%d", s.server.port)
	s.tls = s.server.trust(t)
	for n := range soakSessions {
		s.workers = append(s.workers, newSoakWorker(s, n, fmt.Sprintf("user%d", n%soakUsers), false))
	}
	for n := range 2 * soakGuests {
		s.workers = append(s.workers, newSoakWorker(s, soakSessions+n, fmt.Sprintf("guest%d", n%soakGuests), true))
	}
	for n := range soakPrograms {
		s.programs = append(s.programs, newSoakWorker(s, 1000+n, "programs", false))
	}
	return s
}

func (s *soak) configure(c *config.Config) {
	c.Users = nil
	names := []string{"programs", "probe"}
	for n := range soakUsers {
		names = append(names, fmt.Sprintf("user%d", n))
	}
	for n := range soakGuests {
		names = append(names, fmt.Sprintf("guest%d", n))
	}
	for _, name := range names {
		c.Users = append(c.Users, s.newUser(name, soakMark+name))
	}
	c.Passive.Ports = freePorts(s.t, 32)
	c.Active, c.ModeZ = true, config.ModeZAllow
	// No client's own port is the same number, of another address of this host: the
	// server would refuse to connect to it.
	own := freePorts(s.t, 2)
	c.Listen, c.Admin.Listen = fmt.Sprintf("127.0.0.1:%d", own[0].Listen), fmt.Sprintf("127.0.0.1:%d", own[1].Listen)
	c.Limits = config.Limits{
		IdleTimeout: time.Minute, LoginTimeout: 30 * time.Second, StallTimeout: time.Minute, HandshakeTimeout: time.Minute,
		FailedLogins: config.FailedLogins{Delay: 10 * time.Millisecond, MaxDelay: 50 * time.Millisecond, LockoutFor: 5 * time.Second},
	}
	c.Log = config.Log{Level: "Info", Xferlog: s.xferlog()}
}

// newUser is a user whose password costs little to check: passwords are not what
// is tried here.
func (s *soak) newUser(name, password string) config.User {
	s.t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	s.must(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passwords[name] = password
	return config.User{Name: name, PasswordHash: string(hash)}
}

func (s *soak) must(err error) {
	s.t.Helper()
	must(s.t, err)
}

func (s *soak) count(what string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what] += n
}

func (s *soak) counted(what string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[what]
}

func (s *soak) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, err)
}

func (s *soak) password(user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passwords[user]
}

func (s *soak) notePartial(user, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.partials[user+name] = true
}

// load has all clients work for some time, and returns when the last has left.
func (s *soak) load(d time.Duration) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), d)
	defer cancel()
	var clients sync.WaitGroup
	for _, w := range s.workers {
		clients.Go(func() { w.run(ctx) })
	}
	for _, w := range s.programs {
		clients.Go(func() { w.runPrograms(ctx) })
	}
	for _, secured := range []bool{false, true} {
		clients.Go(func() { s.probe(ctx, secured) })
	}
	for ctx.Err() == nil {
		s.change()
	}
	s.restore()
	clients.Wait()
}

// answered is how long the probe waits: far longer than any answer takes, and
// no longer than clients do.
const answered = 30 * time.Second

// probe asks all the time, and must always be answered.
func (s *soak) probe(ctx context.Context, secured bool) {
	w := newSoakProbe(s, secured)
	err := w.begin()
	for err == nil && ctx.Err() == nil {
		err = w.ask()
		s.count("NOOPs answered", 1)
		w.pause(ctx, 100*time.Millisecond)
	}
	if err == nil {
		err = w.wire.quit()
	}
	if err != nil {
		s.fail(fmt.Errorf("the probe (TLS: %t) was not answered: %w", secured, err))
	}
}

type soakProbe struct {
	*soakWorker
	secured bool
}

func newSoakProbe(s *soak, secured bool) *soakProbe {
	return &soakProbe{soakWorker: &soakWorker{soak: s, rng: mrand.New(mrand.NewPCG(s.seed, 1<<33))}, secured: secured}
}

func (p *soakProbe) begin() (err error) {
	p.count("sessions", 1)
	if p.wire, err = soakDial(p.addr, p.address()); err != nil {
		return err
	}
	if _, _, err := p.wire.expect("connect", 220); err != nil {
		return err
	}
	if p.secured {
		if err := p.wire.secure(p.tls, tls.VersionTLS13, true); err != nil {
			return err
		}
	}
	in, err := p.wire.login("probe", p.password("probe"))
	if err == nil && !in {
		err = errors.New("the login was refused")
	}
	p.count("logins", 1)
	return err
}

func (p *soakProbe) ask() error {
	if err := p.wire.send("NOOP"); err != nil {
		return err
	}
	code, text, err := p.wire.read(answered)
	if err == nil && code != 200 {
		err = &replyError{"NOOP", text, code}
	}
	return err
}

// check fails the test with what went wrong in a time of load.
func (s *soak) check() {
	s.t.Helper()
	s.checkFiles()
	s.checkMetrics()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, err := range s.failures {
		if i == 20 {
			s.t.Errorf("and %d more", len(s.failures)-i)
			break
		}
		s.t.Error(err)
	}
	if s.t.Failed() {
		s.t.Logf("FTP_SOAK_SEED=%d; the last lines of the log:\n%s", s.seed, s.log.last())
	}
}

// checkFiles compares all files with what their clients know, and looks for what
// is left beside them.
func (s *soak) checkFiles() {
	s.t.Helper()
	for _, w := range slices.Concat(s.workers, s.programs) {
		for name, f := range w.files {
			s.count("files compared", 1)
			if err := f.onDisk(s.server.home(w.user, name)); err != nil {
				s.t.Errorf("%s: %v\nIn the log:\n%s", w.name, err, s.log.of(w.user, name))
			}
		}
	}
	partials := 0
	for _, name := range hidden(s.t, s.server.root) {
		if strings.HasPrefix(filepath.Base(name), hiddenPrefix+"part-") {
			partials++
		}
	}
	if partials > len(s.partials) {
		s.t.Errorf("%d interrupted uploads are kept, of %d names at most", partials, len(s.partials))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts["partials kept at the end"] = int64(partials)
}

// figures tells what the run was.
func (s *soak) figures(points []soakPoint) {
	s.t.Helper()
	first, last := points[0], points[len(points)-1]
	text := fmt.Sprintf("%d times of load, seed %d. At rest before, and after all:\n%s\n%s", len(points)-1, s.seed, first, last)
	for _, what := range slices.Sorted(maps.Keys(s.counts)) {
		text += fmt.Sprintf("\n%10d  %s", s.counts[what], what)
	}
	figures.Record(s.t, text)
}
