package clients

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// soakPatience is how long anything may take before it counts as stuck.
const soakPatience = 2 * time.Minute

// soakWire is a control connection of a scripted client. Unlike control it
// returns its errors: it works beside others, in a goroutine of its own.
type soakWire struct {
	addr    string
	from    net.IP
	raw     *net.TCPConn
	conn    net.Conn // raw, or TLS over it
	in      *bufio.Reader
	config  *tls.Config // nil while in clear
	private bool        // PROT P
	packed  bool        // MODE Z
	ended   bool        // the server has said 421
}

// replyError is a reply that this command must not get.
type replyError struct {
	command, text string
	code          int
}

func (e *replyError) Error() string {
	return fmt.Sprintf("%s: reply %d %s", e.command, e.code, e.text)
}

// lost is an end of the connection that nobody has announced.
type lostError struct{ err error }

func (e *lostError) Error() string { return "the connection was lost: " + e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// soakDial connects from an address of this machine, and reads nothing yet.
func soakDial(addr string, from net.IP) (*soakWire, error) {
	conn, err := soakTCP(addr, from)
	if err != nil {
		return nil, err
	}
	return &soakWire{addr: addr, from: from, raw: conn, conn: conn, in: bufio.NewReader(conn)}, nil
}

func soakTCP(addr string, from net.IP) (*net.TCPConn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: soakPatience}
	conn, err := dialer.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// reset closes a connection so that the peer is sent RST.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// secure is AUTH TLS with this version alone, PBSZ and PROT.
func (w *soakWire) secure(config *tls.Config, version uint16, private bool) error {
	if _, err := w.do("AUTH TLS", 234); err != nil {
		return err
	}
	w.config = config.Clone()
	w.config.MinVersion, w.config.MaxVersion = version, version
	w.config.ClientSessionCache = tls.NewLRUClientSessionCache(4) // as real clients have one
	conn := tls.Client(w.raw, w.config)
	_ = w.raw.SetDeadline(time.Now().Add(soakPatience))
	if err := conn.Handshake(); err != nil {
		return fmt.Errorf("handshake of the control connection: %w", err)
	}
	w.conn, w.in, w.private = conn, bufio.NewReader(conn), private
	if _, err := w.do("PBSZ 0", 200); err != nil {
		return err
	}
	protection := "PROT C"
	if private {
		protection = "PROT P"
	}
	_, err := w.do(protection, 200)
	return err
}

func (w *soakWire) send(line string) error {
	_ = w.raw.SetWriteDeadline(time.Now().Add(soakPatience))
	if _, err := io.WriteString(w.conn, line+"\r\n"); err != nil {
		return &lostError{err}
	}
	return nil
}

// do sends a command and reads its reply, which must be one of these.
func (w *soakWire) do(line string, codes ...int) (string, error) {
	if err := w.send(line); err != nil {
		return "", err
	}
	_, text, err := w.expect(line, codes...)
	return text, err
}

// expect reads a reply that must be one of these.
func (w *soakWire) expect(command string, codes ...int) (code int, text string, err error) {
	code, text, err = w.read(soakPatience)
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", hideArgument(command), err)
	}
	w.ended = w.ended || code == 421
	if !slices.Contains(codes, code) {
		return code, text, &replyError{hideArgument(command), text, code}
	}
	return code, text, nil
}

func hideArgument(command string) string {
	if strings.HasPrefix(command, "PASS") {
		return "PASS"
	}
	return command
}

var errForm = errors.New("not a reply of the protocol")

// read returns the next reply, and an error where it is not formed as RFC 959
// §4.2 has it.
func (w *soakWire) read(within time.Duration) (code int, text string, err error) {
	_ = w.raw.SetReadDeadline(time.Now().Add(within))
	var all strings.Builder
	for first := true; ; first = false {
		line, err := w.in.ReadString('\n')
		if err != nil && line == "" && first {
			return 0, "", &lostError{err}
		}
		body, whole := strings.CutSuffix(line, "\r\n")
		if err != nil || !whole {
			return 0, "", fmt.Errorf("%w: %.200q (%w)", errForm, line, err)
		}
		last := len(body) > 3 && body[3] == ' '
		if first {
			if _, err := fmt.Sscanf(body, "%3d", &code); err != nil || code < 100 || code > 599 || len(body) < 4 || !last && body[3] != '-' {
				return 0, "", fmt.Errorf("%w: %.200q", errForm, line)
			}
		}
		all.WriteString(body + "\n")
		if last && strings.HasPrefix(body, fmt.Sprint(code)) {
			return code, strings.TrimSuffix(all.String(), "\n"), nil
		}
	}
}

// login gives a name and a password; in tells whether they were good.
func (w *soakWire) login(name, password string) (in bool, err error) {
	if _, err := w.do("USER "+name, 331); err != nil {
		return false, err
	}
	if err := w.send("PASS " + password); err != nil {
		return false, err
	}
	code, _, err := w.expect("PASS", 230, 530)
	if err != nil || code != 230 {
		return false, err
	}
	_, err = w.do("TYPE I", 200)
	return true, err
}

// quit takes leave.
func (w *soakWire) quit() error {
	if _, err := w.do("QUIT", 221); err != nil {
		return err
	}
	_, _, err := w.read(soakPatience)
	var lost *lostError
	if !errors.As(err, &lost) {
		return fmt.Errorf("after QUIT the server says more: %w", err)
	}
	return w.raw.Close()
}
