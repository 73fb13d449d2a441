package client

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Options say how a session is opened.
type Options struct {
	Server         netip.AddrPort
	User, Password string
	TLS            *TLS // absent: plain
}

// TLS is what a client offers. Certificates are not verified: that is the
// client's time and not the server's.
type TLS struct {
	// Version is tls.VersionTLS12 or tls.VersionTLS13.
	Version uint16
	// PostQuantum also offers X25519MLKEM768, which no OpenSSL before 3.5 does.
	PostQuantum bool
	// NoResumption makes every handshake a full one.
	NoResumption bool
}

// Session is a control connection, logged in. It serves one caller at a time.
type Session struct {
	server  netip.AddrPort
	socket  *socket
	conn    io.ReadWriter // the socket, or TLS over it
	replies *bufio.Reader
	secure  *tls.Config

	// Watch, if set, is told of each download how many bytes have come by now, and
	// of each upload how many the other side's kernel has taken.
	Watch func(now time.Time, total int64)

	// Resumed counts the data connections that resumed a TLS session, Handshakes
	// all that had one.
	Resumed, Handshakes int
	// Suite is that of the latest handshake.
	Suite string
}

// Open connects, secures the connection where TLS is asked for, and logs in.
func Open(o Options) (*Session, error) {
	c, err := connect(o.Server)
	if err != nil {
		return nil, err
	}
	s := &Session{server: o.Server, socket: c, conn: c, replies: bufio.NewReaderSize(c, 512)}
	if err := s.begin(o); err != nil {
		_ = c.Close()
		return nil, err
	}
	return s, nil
}

func (s *Session) begin(o Options) error {
	if _, err := s.reply(220); err != nil {
		return err
	}
	if o.TLS != nil {
		if err := s.protect(*o.TLS); err != nil {
			return err
		}
	}
	if _, err := s.Command("USER "+o.User, 331, 230); err != nil {
		return err
	}
	if _, err := s.Command("PASS "+o.Password, 230); err != nil {
		return err
	}
	_, err := s.Command("TYPE I", 200)
	return err
}

// protect begins TLS on the control connection and asks for it on the others.
func (s *Session) protect(t TLS) error {
	if _, err := s.Command("AUTH TLS", 234); err != nil {
		return err
	}
	s.secure = &tls.Config{
		ServerName: "bench.test", InsecureSkipVerify: true,
		MinVersion: t.Version, MaxVersion: t.Version,
		CurvePreferences:            []tls.CurveID{tls.X25519, tls.CurveP256},
		CipherSuites:                []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		DynamicRecordSizingDisabled: true,
	}
	if t.PostQuantum {
		s.secure.CurvePreferences = append([]tls.CurveID{tls.X25519MLKEM768}, s.secure.CurvePreferences...)
	}
	if !t.NoResumption {
		s.secure.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	c := tls.Client(s.socket, s.secure)
	if err := c.Handshake(); err != nil {
		return fmt.Errorf("handshake of the control connection: %w", err)
	}
	s.Suite = tls.CipherSuiteName(c.ConnectionState().CipherSuite)
	s.conn, s.replies = c, bufio.NewReaderSize(c, 512)
	if _, err := s.Command("PBSZ 0", 200); err != nil {
		return err
	}
	_, err := s.Command("PROT P", 200)
	return err
}

// Command sends a line and returns the text of its reply, whose code must be
// one of want.
func (s *Session) Command(line string, want ...int) (string, error) {
	if err := s.send(line); err != nil {
		return "", err
	}
	text, err := s.reply(want...)
	if err != nil {
		verb, _, _ := strings.Cut(line, " ")
		return "", fmt.Errorf("%s: %w", verb, err)
	}
	return text, nil
}

func (s *Session) send(line string) error {
	_, err := s.conn.Write([]byte(line + "\r\n"))
	return err
}

// reply reads one reply (RFC 959 §4.2): of several lines, the last counts.
func (s *Session) reply(want ...int) (string, error) {
	first := ""
	for {
		line, err := s.replies.ReadString('\n')
		if err != nil {
			return "", fmt.Errorf("waiting for a reply: %w", err)
		}
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 4 {
			continue
		}
		if first == "" {
			first = line[:3]
		}
		if line[:3] != first || line[3] != ' ' {
			continue
		}
		code, err := strconv.Atoi(first)
		if err != nil {
			return "", fmt.Errorf("not a reply: %q", line)
		}
		for _, w := range want {
			if code == w {
				return line[4:], nil
			}
		}
		return "", fmt.Errorf("the reply is %q and not %v", line, want)
	}
}

// Quit ends the session orderly.
func (s *Session) Quit() error {
	_, err := s.Command("QUIT", 221)
	return errors.Join(err, s.socket.Close())
}

// Drop ends the session by closing its connection.
func (s *Session) Drop() error { return s.socket.Close() }
