package ftp

import (
	"context"
	"math"
	"time"

	"golang.org/x/time/rate"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/live"
)

// What is moved at a time, and what a session can save up while it moves nothing,
// in time at its rate. The difference makes good what a busy machine wakes us late.
const (
	portionTime = 40 * time.Millisecond
	burstTime   = 80 * time.Millisecond
)

// flow holds a session to a rate in one direction, over all its transfers. The zero
// value holds it to none. Of any stretch of time, no more goes than the rate gives
// for it, and burstTime's worth.
type flow struct{ bucket *rate.Limiter }

// worth is how many bytes a rate gives in a time; one at least.
func worth(bytesPerSecond int64, d time.Duration) int64 {
	return max(1, int64(float64(bytesPerSecond)*d.Seconds()))
}

// set changes the rate, in bytes per second; 0 is none. What was saved up stays, as
// far as the new rate lets it.
func (f *flow) set(now time.Time, bytesPerSecond int64) {
	burst := int(worth(bytesPerSecond, burstTime))
	switch {
	case bytesPerSecond == 0:
		f.bucket = nil
	case f.bucket == nil:
		f.bucket = rate.NewLimiter(rate.Limit(bytesPerSecond), burst)
	default:
		f.bucket.SetLimitAt(now, rate.Limit(bytesPerSecond))
		f.bucket.SetBurstAt(now, burst)
	}
}

// ready tells how many of size bytes may be moved now; 0: none, but then wait.
func (f *flow) ready(now time.Time, size int64) (n int64, wait time.Duration) {
	if f.bucket == nil {
		return size, 0
	}
	limit := f.bucket.Limit()
	size = min(size, worth(int64(limit), portionTime))
	missing := float64(size) - f.bucket.TokensAt(now)
	if missing <= 0 {
		return size, 0
	}
	return 0, time.Duration(math.Ceil(missing / float64(limit) * float64(time.Second)))
}

// moved counts n bytes, of which ready has told before.
func (f *flow) moved(now time.Time, n int64) {
	if f.bucket != nil {
		f.bucket.ReserveN(now, int(n))
	}
}

// throttle is a transfer's use of its session's flow. It belongs to the goroutine
// of the transfer.
type throttle struct {
	flow   *flow
	source *live.Source
	rate   func(now *live.Snapshot) int64 // what is configured
	// shape has the kernel keep of the data connection what suits a rate.
	shape func(bytesPerSecond int64)

	seen  *live.Snapshot
	inUse int64
}

// follow brings the flow to what is configured now: a running transfer goes on
// at a new rate.
func (h *throttle) follow(now time.Time) {
	current := h.source.Current()
	if h.seen == current {
		return
	}
	h.seen = current
	limit := h.rate(current)
	h.flow.set(now, limit)
	if limit != h.inUse {
		h.inUse = limit
		h.shape(limit)
	}
}

// allowance waits until some of size bytes may be moved, and tells how many. The
// waits are short whatever the rate is, as portions are measured by time: no
// timeout of a session or a transfer is in danger. It fails when the transfer is cut.
func (t *transfer) allowance(size int64) (int64, error) {
	if t.throttle == nil {
		return size, nil
	}
	for {
		now := time.Now()
		t.throttle.follow(now)
		n, wait := t.throttle.flow.ready(now, size)
		if wait == 0 {
			return n, nil
		}
		if err := pause(t.ctx, wait); err != nil {
			return 0, err
		}
	}
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// rates are those that hold for the session under a configuration. Of a user who is
// not there any more, whose transfer may still run, those of the login stay.
func (s *session) rates(now *live.Snapshot) config.Rates {
	is := s.current(candidate{User: s.user, guest: s.guest}, now)
	if !is.exists {
		is.User = s.user
	}
	return is.Rates.Or(now.Config.Limits.Rates)
}

// rate is that of one direction; listings are downloads.
func (s *session) rate(direction string, now *live.Snapshot) int64 {
	r := s.rates(now)
	if direction == upload {
		return r.UploadRatePerSession
	}
	return r.DownloadRatePerSession
}

// throttle is what holds a transfer over a data connection to the session's rate.
func (s *session) throttle(direction string, c dataConn) *throttle {
	h := &throttle{
		flow: &s.downloads, source: s.server.Live,
		rate:  func(now *live.Snapshot) int64 { return s.rate(direction, now) },
		shape: func(bytesPerSecond int64) { shapeSending(c.tcp(), bytesPerSecond) },
	}
	if direction == upload {
		h.flow = &s.uploads
		h.shape = func(bytesPerSecond int64) { shapeReceiving(c.tcp(), bytesPerSecond) }
	}
	return h
}
