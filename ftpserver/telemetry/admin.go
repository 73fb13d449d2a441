package telemetry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// shutdownTimeout is how long a request in progress may take once the server
// has been told to end.
const shutdownTimeout = 2 * time.Second

// AdminOptions is what the endpoints tell, and where.
type AdminOptions struct {
	// Metrics answers /metrics.
	Metrics *Metrics
	// Alive answers /healthz as Ready does /readyz: an error has the process
	// replaced. Nil: it is alive while it answers.
	Alive func() error
	// Ready answers /readyz: 200 where it returns nil, else 503 and the error,
	// which everyone can read.
	Ready func() error
	// TakesSessions answers config.SessionsPath: why a balancer at that address is
	// to send clients elsewhere, which sends them with a PROXY header or without.
	// Nil: nothing is there.
	TakesSessions func(balancer netip.Addr, header bool) error
	// Status answers /status, with each user's digest where withUsers is set.
	Status func(withUsers bool) config.Status
	// Sessions describes at most that many sessions, for /status. Nil: none.
	Sessions func(limit int) []config.SessionStatus
	// Config says where to listen, and Dir what its files are relative to.
	Config config.Admin
	Dir    string
	Log    *slog.Logger
}

// Admin serves the endpoints for operators. They only answer GET and HEAD, and
// none changes anything.
type Admin struct {
	options   AdminOptions
	endpoints []endpoint
}

// endpoint is a listener and what is served on it.
type endpoint struct {
	listener net.Listener
	server   *http.Server
	tls      bool // net/http gives every server a TLSConfig, also a plain one
}

// NewAdmin returns the endpoints that the configuration has switched on. They
// listen once Listen or Run is called.
func NewAdmin(o AdminOptions) *Admin { return &Admin{options: o} }

// Listen opens the listeners and reads the files of /status for the first
// time. An error says which address or file can't be used; nothing is left
// open then.
func (a *Admin) Listen() error {
	o := a.options
	if o.Config.Listen != "" {
		if err := a.listen("admin.listen", o.Config.Listen, a.publicHandler(), nil); err != nil {
			return err
		}
	}
	if o.Config.Status.Listen == "" {
		return nil
	}
	files, err := openStatusFiles(o.Dir, o.Config.Status, o.Log)
	if err == nil {
		err = a.listen("admin.status.listen", o.Config.Status.Listen, a.statusHandler(files.token), files.tlsConfig())
	}
	if err != nil {
		a.close()
	}
	return err
}

// Run serves until ctx ends, and then nil comes back, or until a listener
// fails. It calls Listen unless that was done.
func (a *Admin) Run(ctx context.Context) error {
	if a.endpoints == nil {
		if err := a.Listen(); err != nil {
			return err
		}
	}
	failed := make(chan error, len(a.endpoints))
	for _, e := range a.endpoints {
		go func() { failed <- e.serve() }()
	}
	var errs []error
	serving := len(a.endpoints)
	select {
	case <-ctx.Done():
	case err := <-failed:
		errs, serving = append(errs, err), serving-1
	}
	errs = append(errs, a.shutdown())
	for range serving { // one that had not begun yet closes its listener only now
		errs = append(errs, <-failed)
	}
	return errors.Join(errs...)
}

// Addresses are where the endpoints listen, with the real port where the
// configuration says 0. Empty: switched off.
type Addresses struct {
	Public string // /healthz, /readyz, /metrics
	Status string // /status
}

// Addrs returns where the endpoints listen, once Listen has returned.
func (a *Admin) Addrs() Addresses {
	var out Addresses
	for _, e := range a.endpoints {
		if e.tls {
			out.Status = e.listener.Addr().String()
		} else {
			out.Public = e.listener.Addr().String()
		}
	}
	return out
}

func (a *Admin) listen(field, address string, h http.Handler, t *tls.Config) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	a.endpoints = append(a.endpoints, endpoint{listener: l, tls: t != nil, server: &http.Server{
		Handler:           h,
		TLSConfig:         t,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		// What strangers do wrong is their business; it must not fill the log.
		ErrorLog: slog.NewLogLogger(a.options.Log.Handler(), slog.LevelDebug),
	}})
	return nil
}

func (e endpoint) serve() error {
	serve := func() error { return e.server.Serve(e.listener) }
	if e.tls {
		serve = func() error { return e.server.ServeTLS(e.listener, "", "") }
	}
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin endpoint %s: %w", e.listener.Addr(), err)
	}
	return nil
}

// shutdown lets requests in progress finish, then cuts what is left.
func (a *Admin) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	var errs []error
	for _, e := range a.endpoints {
		if e.server.Shutdown(ctx) != nil {
			errs = append(errs, e.server.Close())
		}
	}
	return errors.Join(errs...)
}

func (a *Admin) close() {
	for _, e := range a.endpoints {
		_ = e.listener.Close() // it has served nobody
	}
	a.endpoints = nil
}
