package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/accept"
	"github.com/ftp-operator/ftp-operator/ftpserver/auth"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/ftp"
	"github.com/ftp-operator/ftp-operator/ftpserver/live"
	"github.com/ftp-operator/ftp-operator/ftpserver/passive"
	"github.com/ftp-operator/ftp-operator/ftpserver/telemetry"
	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
	"github.com/ftp-operator/ftp-operator/ftpserver/xferlog"
)

// process is a running server with everything around the protocol.
type process struct {
	source   *live.Source
	slot     int
	bootID   string
	log      *slog.Logger
	metrics  *telemetry.Metrics
	store    *vfs.Store
	broker   *passive.Broker
	server   *ftp.Server
	control  net.Listener
	implicit *implicitPort
	stapler  *tlsconf.Stapler
	xferlog  *xferlog.Log
	watch    *accept.Watch
	dir      string // what file names in the configuration are relative to
	admin    *telemetry.Admin
	reached  reached
}

// newProcess opens storage and ports. Nothing is served before run.
func newProcess(source *live.Source, slot int, dir string, log *slog.Logger, level *slog.LevelVar) (*process, error) {
	c := source.Current().Config
	p := &process{source: source, slot: slot, bootID: rand.Text(), dir: dir, log: log, metrics: telemetry.NewMetrics(version), watch: accept.NewWatch()}
	var err error
	p.store, err = vfs.OpenStore(c.Storage.Root, vfs.Options{Slot: slot, BootID: p.bootID, Durability: c.Storage.Durability, Log: log})
	if err != nil {
		return nil, fmt.Errorf("storage.root: %w", err)
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p.stapler = tlsconf.NewStapler(log, p.metrics)
	p.broker = passive.NewBroker(passive.Options{Host: host, Log: log, Observer: p.metrics, Watch: p.watch})
	p.xferlog = xferlog.New(log, p.metrics.XferlogDropped)
	p.server = ftp.NewServer(ftp.Options{
		Slot: slot, Live: source, Store: p.store, Broker: p.broker, Metrics: p.metrics, Log: log, Xferlog: p.xferlog, Watch: p.watch,
		Verifier: auth.NewVerifier(auth.Options{}),
		TLS:      tlsconf.ServerConfig(func() *tlsconf.Set { return source.Current().TLS }),
	})
	p.metrics.Follow(p.load())
	p.implicit = &implicitPort{listen: listenControl, serve: p.server.ServeImplicit}
	if err := p.listen(c); err != nil {
		p.broker.Close()
		return nil, err
	}
	p.admin = telemetry.NewAdmin(telemetry.AdminOptions{
		Metrics: p.metrics, Alive: p.alive, Ready: p.ready, TakesSessions: p.takesSessions, Status: p.status, Sessions: p.server.Sessions,
		Config: c.Admin, Dir: dir, Log: log,
	})
	if err := p.admin.Listen(); err != nil {
		p.broker.Close()
		p.closeControl()
		return nil, err
	}
	source.Subscribe(func(before, now *live.Snapshot) {
		level.Set(telemetry.Level(now.Config.Log.Level))
		p.observe(before, now)
		p.followImplicit(now)
		p.stapler.Follow(now.TLS)
	})
	p.observe(nil, source.Current())
	return p, nil
}

func (p *process) listen(c *config.Config) error {
	ports := c.Passive.PortsOf(p.slot)
	if len(ports) == 0 {
		return fmt.Errorf("passive.ports: none is for slot %d", p.slot)
	}
	if err := p.broker.SetPorts(ports); err != nil {
		return err
	}
	var err error
	if p.control, err = listenControl(c.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := p.implicit.follow(c.TLS.Implicit.Listen); err != nil {
		return errors.Join(err, p.control.Close())
	}
	return nil
}

// listenControl opens a control port. Dead clients are noticed by keep-alive
// after about two minutes. Connections have from the listener what it is told
// before it listens, and need not be told one by one.
func listenControl(address string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = keepAlive(int(fd)) })
		return errors.Join(err, failed)
	}}
	return lc.Listen(context.Background(), "tcp", address)
}

func keepAlive(fd int) error {
	return errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4),
	)
}

func (p *process) closeControl() {
	_ = p.control.Close()
	p.implicit.end()
}

// followImplicit opens, moves and closes the port for implicit TLS.
func (p *process) followImplicit(now *live.Snapshot) {
	before := p.implicit.where()
	if err := p.implicit.follow(now.Config.TLS.Implicit.Listen); err != nil {
		p.log.Error("Opening the port for implicit TLS failed; what there was stays", "error", err)
		return
	}
	if is := p.implicit.where(); is != before {
		p.log.Info("Port for implicit TLS changed", "implicitTLS", is)
	}
}

const (
	// sweepInterval is how often what interrupted uploads left is looked for.
	sweepInterval = 24 * time.Hour
	// predecessorMargin is what the process before this one may take beyond its
	// drain timeout: Kubernetes kills it later than it should have ended, and
	// hears of things at different times.
	predecessorMargin = 10 * time.Second
)

// run serves until ctx ends, drains, and returns the error of whatever failed.
// again makes signals act as usual: a second one ends the process.
func (p *process) run(ctx context.Context, again func()) error {
	work, cancel := context.WithCancel(context.Background())
	defer cancel()
	failed := make(chan error, 6)
	var running sync.WaitGroup
	start := func(f func() error) {
		running.Go(func() {
			if err := f(); err != nil && !errors.Is(err, context.Canceled) {
				failed <- err
			}
		})
	}
	p.stapler.Follow(p.source.Current().TLS) // from here on, as it changes
	start(func() error { return p.source.Run(work) })
	start(func() error { return p.admin.Run(work) })
	start(func() error { return p.server.Serve(p.control) })
	p.implicit.start()
	start(func() error { p.sweep(work); return nil })
	start(func() error { new(quiet).run(work); return nil })
	start(func() error { p.watch.Run(work); return nil })
	start(func() error { p.followMemory(work); return nil })
	start(func() error { p.retryPorts(work); return nil })
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // from now on: before, it ends the process
	defer signal.Stop(hangup)
	start(func() error { p.reloadOn(work, hangup); return nil })
	p.log.Info("Serving", "version", version, "address", p.control.Addr().String(), "implicitTLS", p.implicit.where(), "slot", p.slot, "passivePorts", p.broker.Ports(),
		"admin", p.admin.Addrs().Public, "status", p.admin.Addrs().Status)

	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		again()
		p.drain()
	}
	p.closeControl()
	p.broker.Close()
	p.server.Close()
	p.xferlog.Close()
	cancel()
	running.Wait()
	p.stapler.Close()
	return errors.Join(err, p.store.Close())
}

// reloadOn reads the configuration anew on SIGHUP, as administrators are used to;
// changes of the files are noticed without it.
func (p *process) reloadOn(ctx context.Context, hangup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			if err := p.source.Reload(); err != nil {
				p.log.Warn("Reloading is not complete", "error", err)
			}
		}
	}
}

// sweep begins when the process before this one, of the same slot, has certainly
// ended: a pod that is evicted or deleted drains while the next one runs, and what
// it has in progress must not be taken for what was interrupted.
func (p *process) sweep(ctx context.Context) {
	drained := p.source.Current().Config.Limits.DrainTimeout + predecessorMargin
	repeat(ctx, drained, sweepInterval, func() {
		result, err := p.store.Sweep(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			p.log.Error("Sweeping interrupted uploads failed", "error", err)
		default:
			p.log.Debug("Swept interrupted uploads", "temporaries", result.Temporaries, "partials", result.Partials)
		}
	})
}

// repeat does something after a first wait, and then with an interval in between,
// until the context ends.
func repeat(ctx context.Context, first, interval time.Duration, do func()) {
	for wait := first; ; wait = interval {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
			do()
		}
	}
}

// observe puts what was loaded into the metrics, and the transfer log where it is
// wanted now.
func (p *process) observe(before, now *live.Snapshot) {
	p.xferlog.SetPath(p.xferlogPath(now.Config.Log.Xferlog))
	refused := false
	for _, f := range now.Files {
		refused = refused || f.Error != ""
	}
	p.metrics.Reload(!refused)
	for _, c := range certificates(before) {
		p.metrics.CertificateExpiry(c.File, time.Time{})
	}
	for _, c := range certificates(now) {
		p.metrics.CertificateExpiry(c.File, c.NotAfter)
	}
}

func (p *process) xferlogPath(name string) string {
	if name == "" || name == config.XferlogStdout {
		return name
	}
	return config.Resolve(p.dir, name)
}

func certificates(s *live.Snapshot) []config.CertificateStatus {
	if s == nil || s.TLS == nil {
		return nil
	}
	return s.TLS.Statuses()
}

func (p *process) status(withUsers bool) config.Status {
	now := p.source.Current()
	s := config.Status{
		Version: version, Contract: config.Version, Slot: p.slot, BootID: p.bootID,
		Draining: p.server.Draining(),
		Files:    now.Files, UserCount: len(now.Users),
		Sessions:     p.metrics.SessionCounts(),
		Certificates: certificates(now),
		FreeBytes:    p.store.FreeBytes(),
		NotOpen:      p.notOpen(),
	}
	if withUsers {
		s.Users = now.Digests
	}
	return s
}

// dirOf is the directory that the names in a configuration are relative to.
func dirOf(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return path
	}
	return filepath.Dir(path)
}
