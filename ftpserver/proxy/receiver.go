package proxy

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/lograte"
)

const (
	// HeaderTime is how long a header may take to come.
	HeaderTime = 5 * time.Second
	// Silence is how long a connection that may have a header and has none waits
	// for it: an FTP client says nothing before it is greeted.
	Silence = 500 * time.Millisecond
)

// What has become of a connection from a trusted network, for metrics.
const (
	outcomeClient  = "client"  // a header has told its client
	outcomeLocal   = "local"   // a header tells that it is the balancer's own, or no address
	outcomeAbsent  = "absent"  // it has no header, and need not have one
	outcomeRefused = "refused" // it must have one, or the one it has can't be read
	outcomeClosed  = "closed"  // the other side has closed it before anything came
)

// Observer counts what becomes of connections that may have a header. It may be
// called from several goroutines.
type Observer interface {
	ProxyConnection(port, outcome string)
}

// Options are the parts a Receiver works with. All are needed, but for those that may
// be zero.
type Options struct {
	// Port is what is connected to, for metrics: "control" or "data".
	Port string
	// Config is asked for each connection.
	Config   func() *config.Config
	Log      *slog.Logger
	Observer Observer
	// Silence is absent (0): the constant.
	Silence time.Duration
}

// Receiver finds out who connections are from. Those that it waits for a header
// of are bounded in number, as they cost a descriptor before anybody has shown
// who they are: one more than limits.handshakes ends the wait for the oldest, which
// most likely leads nowhere, as a balancer sends the header at once.
type Receiver struct {
	Options
	complaints *lograte.Limit

	mu      sync.Mutex
	waiting list.List // of *wait, the oldest first
	closed  bool
}

// wait is a connection that a header may come on. It is guarded by Receiver.mu.
type wait struct {
	conn    *net.TCPConn
	element *list.Element // nil once it is over
}

// NewReceiver returns a receiver.
func NewReceiver(o Options) *Receiver {
	if o.Silence == 0 {
		o.Silence = Silence
	}
	return &Receiver{Options: o, complaints: lograte.New(time.Now)}
}

// Receive calls take with who a connection is from: at once, or later from another
// goroutine where a header may come. One that must have a header and has none is
// closed, and take not called.
func (r *Receiver) Receive(c *net.TCPConn, take func(Peer)) {
	now, own := r.Config(), direct(c)
	source, trusted := trust(now.ProxyProtocol.Trusted, own.Client.Addr())
	if !trusted {
		take(own)
		return
	}
	w := r.begin(c, now.Limits.Handshakes)
	if w == nil {
		_ = c.Close()
		return
	}
	go func() {
		p, outcome, err := r.introduce(w, own, source.Mode)
		p.DataDirect = p.Announced && source.Data == config.ProxyDataDirect
		r.Observer.ProxyConnection(r.Port, outcome)
		if err != nil {
			_ = c.Close()
			r.tell(own.Client, outcome, err)
			return
		}
		take(p)
	}()
}

// Waiting is how many connections a header is awaited of.
func (r *Receiver) Waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting.Len()
}

// Close ends all waits, and their connections. Receive closes what comes later from
// trusted networks.
func (r *Receiver) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for el := r.waiting.Front(); el != nil; el = el.Next() {
		_ = el.Value.(*wait).conn.Close()
	}
}

// begin counts one more wait, of at most limit; nil if the receiver is closed.
func (r *Receiver) begin(c *net.TCPConn, limit int) *wait {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	for r.waiting.Len() >= max(1, limit) {
		oldest := r.waiting.Remove(r.waiting.Front()).(*wait)
		oldest.element = nil
		_ = oldest.conn.SetReadDeadline(time.Unix(1, 0)) // as if its time was over
	}
	w := &wait{conn: c}
	w.element = r.waiting.PushBack(w)
	return w
}

// until sets when a wait ends, unless it has had to already.
func (r *Receiver) until(w *wait, t time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.element != nil {
		_ = w.conn.SetReadDeadline(t)
	}
}

// end ends a wait, for which ever reason. The connection has no deadline then.
func (r *Receiver) end(w *wait) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.element != nil {
		r.waiting.Remove(w.element)
		w.element = nil
	}
	_ = w.conn.SetReadDeadline(time.Time{})
}

// introduce reads the header, and tells what it found. The error is why the
// connection can't stay.
func (r *Receiver) introduce(w *wait, own Peer, mode config.ProxyMode) (p Peer, outcome string, err error) {
	header, err := r.header(w, mode)
	r.end(w)
	switch {
	case errors.Is(err, errAbsent) && mode == config.ProxyOptional:
		return own, outcomeAbsent, nil
	case gone(err):
		return own, outcomeClosed, err
	case err != nil:
		return own, outcomeRefused, err
	}
	if _, err := io.ReadFull(w.conn, header); err != nil { // all of it is there
		return own, outcomeClosed, err
	}
	client, server, err := parse(header)
	switch {
	case err != nil:
		return own, outcomeRefused, err
	case client == netip.AddrPort{}:
		return own, outcomeLocal, nil
	case client.Addr().IsUnspecified():
		own.Hidden = true
		return own, outcomeLocal, nil
	case server == netip.AddrPort{}:
		server = own.Server
	}
	return Peer{Client: client, Server: server, Announced: true}, outcomeClient, nil
}

// errGone: the other side has closed the connection before anything came.
var errGone = errors.New("closed before a header came")

func gone(err error) bool { return errors.Is(err, errGone) || errors.Is(err, net.ErrClosed) }

// usualHeader is as long as most headers are, in bytes, with some TLVs; and more
// than what tells how long one is.
const usualHeader = 256

// header waits for a header and returns a buffer of its size. Nothing is read. The
// error is errAbsent if there is none, and something else can have come.
func (r *Receiver) header(w *wait, mode config.ProxyMode) ([]byte, error) {
	began, buf := time.Now(), make([]byte, usualHeader)
	if mode == config.ProxyOptional {
		r.until(w, began.Add(r.Silence))
		if p, err := await(w.conn, buf, func([]byte) bool { return true }); len(p) == 0 {
			return nil, fmt.Errorf("%w: %w", errAbsent, err)
		}
	}
	r.until(w, began.Add(HeaderTime))
	size, wrong := 0, error(nil)
	p, err := await(w.conn, buf, func(p []byte) bool {
		size, wrong = measure(p)
		return size > 0 || wrong != nil
	})
	if err == nil && wrong == nil && size > len(p) {
		buf = append(buf, make([]byte, max(0, size-len(buf)))...)
		p, err = await(w.conn, buf, func(p []byte) bool { return len(p) >= size })
	}
	switch {
	case wrong != nil:
		return nil, wrong
	case err != nil:
		return nil, interrupted(p, err, mode)
	}
	return buf[:size], nil
}

// interrupted is the error of a header that is not there as a whole. Where there
// need be none, what has come may be something else.
func interrupted(p []byte, err error, mode config.ProxyMode) error {
	switch {
	case len(p) == 0 && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		return errGone
	case len(p) == 0, mode == config.ProxyOptional && !begun(p):
		return fmt.Errorf("%w: %w", errAbsent, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w, and not the rest in %s", errPartial, HeaderTime)
	}
	return fmt.Errorf("%w: %w", errPartial, err)
}
