package clients

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path"
	"slices"
	"time"
)

// soakWorker is a client that begins one session after another. It works in a
// directory of its own, so it knows what its files hold.
type soakWorker struct {
	*soak
	name   string
	rng    *rand.Rand
	user   string
	dir    string // as the user sees it
	files  map[string]*soakFile
	guest  bool // its user is changed meanwhile: then it may be sent away
	salt   uint64
	wire   *soakWire
	doing  string // for errors
	closed bool   // the action has ended the session
}

func newSoakWorker(s *soak, n int, user string, guest bool) *soakWorker {
	w := &soakWorker{
		soak: s, name: fmt.Sprintf("w%d", n), rng: rand.New(rand.NewPCG(s.seed, uint64(n))),
		user: user, dir: fmt.Sprintf("/w%d", n), files: map[string]*soakFile{}, guest: guest,
	}
	s.must(os.MkdirAll(s.server.home(user, w.dir), 0o755))
	return w
}

// soakNames is how many files a worker has at most.
const soakNames = 6

// file is one of the worker's, and its path.
func (w *soakWorker) file() (string, *soakFile) {
	name := path.Join(w.dir, fmt.Sprintf("file %d", w.rng.IntN(soakNames)))
	return name, w.at(name)
}

func (w *soakWorker) at(name string) *soakFile {
	f := w.files[name]
	if f == nil {
		f = &soakFile{may: []soakContent{nil}}
		w.files[name] = f
	}
	return f
}

// content is something new: mostly small, sometimes 2 MiB.
func (w *soakWorker) content() soakContent {
	w.salt++
	limit := []int{1, 16 << 10, 16 << 10, 16 << 10, 64 << 10, 256 << 10, 256 << 10, 2 << 20}[w.rng.IntN(8)]
	return soakContent{{w.rng.Uint64() ^ w.salt, w.rng.IntN(limit)}}
}

// address is one of this machine's: each session is another client.
func (w *soakWorker) address() net.IP {
	return net.IPv4(127, byte(1+w.rng.IntN(250)), byte(w.rng.IntN(250)), byte(1+w.rng.IntN(250)))
}

// pause lets a moment pass, up to most, unless the load ends: what happens at a
// random moment happens after it.
func (w *soakWorker) pause(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(time.Duration(w.rng.Int64N(int64(most))))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// run begins sessions until the load ends. What it was at then, it finishes.
func (w *soakWorker) run(load context.Context) {
	for load.Err() == nil {
		w.doing, w.closed = "connect", false
		err := w.session(load)
		if w.wire != nil {
			_ = w.wire.raw.Close()
		}
		if err != nil && !(w.guest && w.sentAway(err)) {
			w.fail(fmt.Errorf("%s as %s: %s: %w", w.name, w.user, w.doing, err))
			return
		}
	}
}

// sentAway tells whether that may happen to a user who is changed or removed.
func (w *soakWorker) sentAway(err error) bool {
	var lost *lostError
	var network net.Error
	switch {
	case errors.Is(err, errForm):
		return false
	case slices.Contains([]int{421, 425, 426, 530}, asReply(err)), w.wire != nil && w.wire.ended:
		return true
	}
	return errors.As(err, &lost) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// session is one connection, from its beginning to one of many ends.
func (w *soakWorker) session(ctx context.Context) error {
	w.wire = nil
	wire, err := soakDial(w.addr, w.address())
	if err != nil {
		return err
	}
	w.wire = wire
	w.count("sessions", 1)
	if w.rng.IntN(100) < 20 {
		return w.stranger(ctx)
	}
	if _, _, err := wire.expect("connect", 220); err != nil {
		return err
	}
	if err := w.secure(); err != nil {
		return err
	}
	w.doing = "login"
	in, err := wire.login(w.user, w.password(w.user))
	if err != nil || !in {
		if err == nil && !w.guest {
			err = errors.New("the login was refused")
		}
		return err
	}
	w.count("logins", 1)
	for range 1 + w.rng.IntN(8) {
		if err := w.act(ctx); err != nil || w.closed {
			return err
		}
	}
	return w.leave()
}

// secure takes TLS, or not.
func (w *soakWorker) secure() error {
	version := []uint16{0, tls.VersionTLS12, tls.VersionTLS13}[w.rng.IntN(3)]
	if version == 0 {
		return nil
	}
	w.doing = "AUTH TLS"
	w.count("TLS sessions", 1)
	return w.wire.secure(w.tls, version, w.rng.IntN(4) > 0)
}

// leave ends the session in one of the ways that clients have.
func (w *soakWorker) leave() error {
	w.doing = "leave"
	switch n := w.rng.IntN(10); {
	case n < 5:
		return w.wire.quit()
	case n < 7:
		w.count("ended by RST", 1)
		reset(w.wire.raw)
	case n < 8: // with a data connection that was never used
		w.count("ended by FIN", 1)
		if _, err := w.wire.passive("EPSV"); err != nil {
			return err
		}
	default:
		w.count("ended by FIN", 1)
	}
	return nil // run closes it
}

// soakAction is something that a client does, and how often beside the others.
type soakAction struct {
	name   string
	weight int
	do     func(*soakWorker, context.Context) error
}

var soakActions = []soakAction{
	{"STOR", 14, (*soakWorker).store},
	{"RETR", 14, (*soakWorker).retrieve},
	{"APPE", 5, (*soakWorker).appendTo},
	{"REST and STOR", 4, (*soakWorker).restart},
	{"REST and RETR", 4, (*soakWorker).fromOffset},
	{"a listing", 8, (*soakWorker).list},
	{"HASH", 5, (*soakWorker).hash},
	{"SIZE", 5, (*soakWorker).facts},
	{"RNFR and RNTO", 4, (*soakWorker).rename},
	{"MKD and RMD", 4, (*soakWorker).directories},
	{"DELE", 3, (*soakWorker).remove},
	{"NOOP", 5, (*soakWorker).idle},
	{"MODE", 5, (*soakWorker).mode},
	{"a refused command", 5, (*soakWorker).refused},
	{"ABOR of an upload", 3, (*soakWorker).abortUpload},
	{"ABOR of a download", 3, (*soakWorker).abortDownload},
	{"RST in an upload", 4, (*soakWorker).cutUpload},
	{"a dropped upload, resumed", 3, (*soakWorker).resume},
	{"RST in a download", 4, (*soakWorker).cutDownload},
	{"RST in a listing", 3, (*soakWorker).cutListing},
	{"half a handshake for data", 3, (*soakWorker).cutHandshake},
	{"death in an upload", 4, (*soakWorker).dieUploading},
	{"death in a download", 3, (*soakWorker).dieDownloading},
	{"death before the data connection", 3, (*soakWorker).dieWaiting},
}

// act does one of them.
func (w *soakWorker) act(ctx context.Context) error {
	sum := 0
	for _, a := range soakActions {
		sum += a.weight
	}
	n := w.rng.IntN(sum)
	for _, a := range soakActions {
		if n -= a.weight; n < 0 {
			w.doing = a.name
			return a.do(w, ctx)
		}
	}
	return nil
}
