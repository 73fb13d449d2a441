package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// stepTimeout bounds one step of a session.
const stepTimeout = 30 * time.Second

// door is where a server is entered, over TLS and verified.
type door struct {
	dial dialer
	host string
	port int
	tls  *tls.Config
}

// doorOf is the door that a real client is given in c.
func doorOf(t *testing.T, dial dialer, c ftpclient.Connection) door {
	t.Helper()
	pem, err := os.ReadFile(c.Target.CAFile)
	must(t, err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("The published CA is no certificate")
	}
	return door{dial: dial, host: c.Target.Host, port: c.Target.Port, tls: &tls.Config{
		RootCAs: roots, ServerName: c.Target.Host, ClientSessionCache: tls.NewLRUClientSessionCache(16),
	}}
}

// session is a control connection of a small client of our own. Real clients
// confirm what it finds; it is here because it can keep still, look closely and
// be asked often.
type session struct {
	door    door
	conn    *tls.Conn
	text    *textproto.Conn
	replies chan reply // closed when the connection has ended
	// dataWait is how long the server's passive port may take to be reached.
	dataWait time.Duration
}

type reply struct {
	code int
	text string
}

// is makes an unwanted of a reply that is not the wanted one.
func (r reply) is(code int) error {
	if r.code != code {
		return &unwanted{r, code}
	}
	return nil
}

// unwanted is a reply that is not the wanted one. Code 0 is a lost connection.
type unwanted struct {
	reply
	want int
}

func (u *unwanted) Error() string { return fmt.Sprintf("%d %s, want %d", u.code, u.text, u.want) }

// greeting connects and returns what the server says first.
func (d door) greeting() (net.Conn, reply, error) {
	ctx, cancel := context.WithTimeout(context.Background(), stepTimeout)
	defer cancel()
	c, err := d.dial(ctx, net.JoinHostPort(d.host, strconv.Itoa(d.port)))
	if err != nil {
		return nil, reply{}, err
	}
	_ = c.SetDeadline(time.Now().Add(stepTimeout))
	said, err := readReply(textproto.NewReader(bufio.NewReader(c)))
	if err != nil {
		_ = c.Close()
		return nil, reply{}, err
	}
	return c, said, nil
}

// open connects and secures the control connection.
func (d door) open() (*session, error) {
	c, said, err := d.greeting()
	if err != nil {
		return nil, err
	}
	if err = said.is(220); err == nil {
		plain := textproto.NewConn(c)
		if _, err = plain.Cmd("AUTH TLS"); err == nil {
			_, _, err = plain.ReadResponse(234)
		}
	}
	s := &session{door: d, conn: tls.Client(c, d.tls), replies: make(chan reply, 16), dataWait: stepTimeout}
	if err == nil {
		err = s.conn.Handshake()
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	_ = c.SetDeadline(time.Time{})
	s.text = textproto.NewConn(s.conn)
	go func() {
		defer close(s.replies)
		for {
			r, err := readReply(&s.text.Reader)
			if err != nil {
				return
			}
			s.replies <- r
		}
	}()
	return s, nil
}

// login opens a session as the user. A refusal is an error with the reply.
func (d door) login(user, password string) (*session, error) {
	s, err := d.open()
	if err != nil {
		return nil, err
	}
	for _, step := range []struct {
		line string
		want int
	}{{"USER " + user, 331}, {"PASS " + password, 230}, {"PBSZ 0", 200}, {"PROT P", 200}} {
		if err := s.do(step.line).is(step.want); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// accepts says what is wrong with logging in, or nothing.
func (d door) accepts(user, password string) string {
	s, err := d.login(user, password)
	if err != nil {
		return err.Error()
	}
	s.close()
	return ""
}

// refuses says what is wrong with the login being refused, or nothing.
func (d door) refuses(user, password string) string {
	if got := d.accepts(user, password); !strings.HasPrefix(got, "530 ") {
		return fmt.Sprintf("the login of %s is not refused: %q", user, got)
	}
	return ""
}

func readReply(r *textproto.Reader) (reply, error) {
	code, text, err := r.ReadResponse(0)
	var other *textproto.Error
	if errors.As(err, &other) {
		return reply{other.Code, other.Msg}, nil
	}
	return reply{code, text}, err
}

// do sends a command and waits for its reply. Code 0 is a lost connection.
func (s *session) do(command string) reply {
	_ = s.conn.SetWriteDeadline(time.Now().Add(stepTimeout))
	if err := s.text.PrintfLine("%s", command); err != nil {
		return reply{text: err.Error()}
	}
	return s.next()
}

func (s *session) next() reply {
	select {
	case r, ok := <-s.replies:
		if !ok {
			return reply{text: "the connection has ended"}
		}
		return r
	case <-time.After(stepTimeout):
		return reply{text: "no reply in time"}
	}
}

// ends waits for a while for the session to be ended by the server.
func (s *session) ends(within time.Duration) string {
	timeout := time.After(within)
	for {
		select {
		case _, ok := <-s.replies:
			if !ok {
				return ""
			}
		case <-timeout:
			return "the session goes on"
		}
	}
}

func (s *session) close() { _ = s.conn.Close() }

var pasvReply = regexp.MustCompile(`(\d+),(\d+),(\d+),(\d+),\d+,\d+`)

// passive asks for a data connection and returns what was announced. PASV's
// address is told and not followed: it may be one that only a test has.
func (s *session) passive(command string) (host string, port int, data *tls.Conn, err error) {
	r := s.do(command)
	if port = (ftpclient.Reply{Code: r.code, Text: r.text}).PassivePort(); port == 0 {
		return "", 0, nil, fmt.Errorf("%s: %w", command, &unwanted{r, map[string]int{"PASV": 227, "EPSV": 229}[command]})
	}
	host = s.door.host
	if m := pasvReply.FindStringSubmatch(r.text); command == "PASV" && m != nil {
		host = strings.Join(m[1:5], ".")
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.dataWait)
	defer cancel()
	raw, err := s.door.dial(ctx, net.JoinHostPort(s.door.host, strconv.Itoa(port)))
	if err != nil {
		return host, port, nil, err
	}
	return host, port, tls.Client(raw, s.door.tls), nil
}

// exchange carries out one transfer: it asks for a data connection by PASV or
// EPSV, gives the command, and has move do what is to be done on it. It returns
// what was announced; port 0: nothing was.
func (s *session) exchange(mode, command string, move func(*tls.Conn) error) (host string, port int, err error) {
	host, port, data, err := s.passive(mode)
	if err != nil {
		return host, port, err
	}
	defer func() { _ = data.Close() }()
	if err := s.do(command).is(150); err != nil {
		return host, port, fmt.Errorf("%s: %w", command, err)
	}
	err = data.Handshake() // which a transfer of nothing would leave out
	if err == nil {
		err = move(data)
	}
	if err != nil {
		r := s.next()
		return host, port, fmt.Errorf("%s: %w; the server: %d %s", command, err, r.code, r.text)
	}
	return host, port, s.next().is(226)
}

// list lists the home over a data connection got by PASV or EPSV, and returns
// what was announced.
func (s *session) list(command string) (host string, port int, err error) {
	return s.exchange(command, "NLST", func(data *tls.Conn) error {
		_ = data.SetDeadline(time.Now().Add(stepTimeout))
		_, err := io.Copy(io.Discard, data)
		return err
	})
}

// put is a move that uploads what r gives until its end.
func put(r io.Reader) func(*tls.Conn) error {
	return func(data *tls.Conn) error {
		if _, err := io.Copy(data, r); err != nil {
			return err
		}
		return data.Close()
	}
}

// store uploads what r gives until its end.
func (s *session) store(path string, r io.Reader) error {
	if err := s.do("TYPE I").is(200); err != nil {
		return err
	}
	_, _, err := s.exchange("EPSV", "STOR "+path, put(r))
	return err
}

// retrieve downloads a file into w and returns its length.
func (s *session) retrieve(path string, w io.Writer) (n int64, err error) {
	if err := s.do("TYPE I").is(200); err != nil {
		return 0, err
	}
	_, _, err = s.exchange("EPSV", "RETR "+path, func(data *tls.Conn) (err error) {
		n, err = io.Copy(w, data)
		return err
	})
	return n, err
}
