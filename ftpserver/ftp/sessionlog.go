package ftp

import (
	"context"
	"log/slog"
	"net/netip"

	"github.com/ftp-operator/ftp-operator/ftpserver/proxy"
)

// sessionLog is a session as a handler of what it logs. It says which session it
// is when there is something to log: a logger that has it ready would be a good
// part of what an idle session holds.
type sessionLog session

func (s *sessionLog) to() slog.Handler { return s.server.Log.Handler() }

func (s *sessionLog) which() []slog.Attr {
	which := []slog.Attr{slog.Uint64("session", s.id), slog.String("client", (*session)(s).clientText())}
	if s.announced {
		which = append(which, slog.String("proxy", s.ctrl.raw.RemoteAddr().String()))
	}
	return which
}

// Enabled is part of slog.Handler.
func (s *sessionLog) Enabled(ctx context.Context, l slog.Level) bool { return s.to().Enabled(ctx, l) }

// Handle is part of slog.Handler.
func (s *sessionLog) Handle(ctx context.Context, r slog.Record) error {
	whole := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	whole.AddAttrs(s.which()...)
	r.Attrs(func(a slog.Attr) bool {
		whole.AddAttrs(a)
		return true
	})
	return s.to().Handle(ctx, whole)
}

// WithAttrs is part of slog.Handler.
func (s *sessionLog) WithAttrs(more []slog.Attr) slog.Handler {
	return s.to().WithAttrs(append(s.which(), more...))
}

// WithGroup is part of slog.Handler.
func (s *sessionLog) WithGroup(name string) slog.Handler {
	return s.to().WithAttrs(s.which()).WithGroup(name)
}

// clientText is the client's address and port, for logs.
func (s *session) clientText() string {
	return clientText(s.ctrl.raw, proxy.Peer{Client: netip.AddrPortFrom(s.client, s.clientPort), Announced: s.announced})
}
