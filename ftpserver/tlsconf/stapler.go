package tlsconf

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf/stapling"
)

// How often responders are asked.
const (
	// stapleRest is the least time between two questions about a certificate.
	stapleRest = time.Minute
	// firstRetry and lastRetry bound the wait after a question that failed; it
	// doubles from the one to the other.
	firstRetry = 10 * time.Second
	lastRetry  = time.Hour
)

// StapleObserver is told what comes of stapling, for metrics.
type StapleObserver interface {
	// StapleFetched: a question was answered (good, revoked, unknown), or failed.
	StapleFetched(result string)
	// StapleExpiry: until when the staple of a certificate's file is good; zero:
	// there is none.
	StapleExpiry(file string, until time.Time)
}

// Stapler keeps OCSP staples of the certificates in force. It asks in the
// background, for each certificate on its own: no handshake ever waits for a
// responder, and a dead one only leaves its certificate without a staple once the
// last one is outdated.
type Stapler struct {
	log      *slog.Logger
	observer StapleObserver
	client   *http.Client
	rest     time.Duration // between questions, at least
	retry    time.Duration // the first wait after a failure

	mu      sync.Mutex
	asking  map[*Pair]context.CancelFunc
	running sync.WaitGroup
	closed  bool
}

// NewStapler returns a Stapler without certificates.
func NewStapler(log *slog.Logger, o StapleObserver) *Stapler {
	return &Stapler{
		log: log, observer: o, client: stapling.NewClient(), rest: stapleRest, retry: firstRetry,
		asking: map[*Pair]context.CancelFunc{},
	}
}

// Follow has the certificates of a set kept stapled, where the set asks for that,
// and no others. What a certificate has that stays, it keeps.
func (s *Stapler) Follow(set *Set) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := map[*Pair]bool{}
	if set != nil && set.stapling && !s.closed {
		for _, p := range set.pairs {
			wanted[p] = true
		}
	}
	for p, cancel := range s.asking {
		if !wanted[p] {
			cancel()
			s.unstaple(p)
			delete(s.asking, p)
		}
	}
	for p := range wanted {
		if s.asking[p] == nil {
			s.begin(p)
		}
	}
}

// begin is called with mu held.
func (s *Stapler) begin(p *Pair) {
	ctx, cancel := context.WithCancel(context.Background())
	s.asking[p] = cancel
	issuer, err := p.issuer()
	if err != nil {
		if len(p.cert.Leaf.OCSPServer) > 0 { // one without a responder is as it should be
			s.log.Warn("No OCSP staple for a certificate", "file", p.name, "error", err)
		}
		return
	}
	s.running.Go(func() { s.keep(ctx, p, issuer) })
}

// Close ends all questions and returns when none is under way.
func (s *Stapler) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.Follow(nil)
	s.running.Wait()
}

// keep asks about one certificate until ctx ends.
func (s *Stapler) keep(ctx context.Context, p *Pair, issuer *x509.Certificate) {
	retry := s.retry
	var until time.Time
	for failed := false; ; {
		staple, err := stapling.Fetch(ctx, s.client, p.cert.Leaf, issuer)
		if ctx.Err() != nil {
			return
		}
		s.observer.StapleFetched(resultOf(err))
		wait := retry
		switch {
		case err == nil:
			until, retry, failed = staple.Until, s.retry, false
			s.put(ctx, p, staple)
			s.log.Info("OCSP staple fetched", "file", p.name, "goodUntil", until.UTC().Format(time.RFC3339))
			wait = s.untilRefresh(staple, time.Now())
		case errors.Is(err, stapling.ErrRevoked):
			until = time.Time{}
			s.drop(ctx, p) // a good one may be outdated only tomorrow
			s.log.Error("Certificate is revoked", "file", p.name, "error", err)
			retry, failed = min(2*retry, lastRetry), true
		default:
			s.told(p, err, failed, until)
			retry, failed = min(2*retry, lastRetry), true
		}
		if !s.pause(ctx, p, wait, until) {
			return
		}
	}
}

// told logs the first of several failures for all to see: a responder that is
// gone must not fill the log.
func (s *Stapler) told(p *Pair, err error, again bool, until time.Time) {
	level := slog.LevelWarn
	if again {
		level = slog.LevelDebug
	}
	args := []any{"file", p.name, "error", err}
	if time.Now().Before(until) {
		args = append(args, "lastGoodUntil", until.UTC().Format(time.RFC3339))
	}
	s.log.Log(context.Background(), level, "Fetching an OCSP staple failed", args...)
}

// pause waits, with up to a tenth more, so that many servers do not ask at once.
// A staple that is outdated meanwhile is dropped. It is false when ctx has ended.
func (s *Stapler) pause(ctx context.Context, p *Pair, wait time.Duration, until time.Time) bool {
	wait += rand.N(wait/10 + 1) //nolint:gosec // spreads load, and keeps no secret
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var outdated <-chan time.Time
	if left := time.Until(until); left > 0 {
		expiry := time.NewTimer(left)
		defer expiry.Stop()
		outdated = expiry.C
	}
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-outdated:
			s.drop(ctx, p)
			outdated = nil
		}
	}
}

// put shows a staple with a certificate, unless it is not followed any more.
func (s *Stapler) put(ctx context.Context, p *Pair, staple stapling.Staple) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil {
		p.staple(staple.Response, staple.Until)
		s.observer.StapleExpiry(p.name, staple.Until)
	}
}

// drop shows none, unless it is not followed any more: another certificate may
// be in the same file by now.
func (s *Stapler) drop(ctx context.Context, p *Pair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil {
		s.unstaple(p)
	}
}

// unstaple is called with mu held.
func (s *Stapler) unstaple(p *Pair) {
	p.unstaple()
	s.observer.StapleExpiry(p.name, time.Time{})
}

// untilRefresh is the wait for the middle of a response's time. Of one that is
// older already, it is half of what is left.
func (s *Stapler) untilRefresh(r stapling.Staple, now time.Time) time.Duration {
	middle := r.From.Add(r.Until.Sub(r.From) / 2)
	wait := middle.Sub(now)
	if wait <= 0 {
		wait = r.Until.Sub(now) / 2
	}
	return max(wait, s.rest)
}

func resultOf(err error) string {
	switch {
	case err == nil:
		return "good"
	case errors.Is(err, stapling.ErrRevoked):
		return "revoked"
	case errors.Is(err, stapling.ErrUnknown):
		return "unknown"
	}
	return "failed"
}

// issuer is the certificate that signed the pair's, or why nobody can be asked
// about it.
func (p *Pair) issuer() (*x509.Certificate, error) {
	if _, err := stapling.Responder(p.cert.Leaf); err != nil {
		return nil, err
	}
	if len(p.cert.Certificate) < 2 {
		return nil, errors.New("the file holds no issuer: put it behind the server's own certificate")
	}
	return x509.ParseCertificate(p.cert.Certificate[1])
}
