package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// relaySocket names, in the environment of a relay, the socket to listen on.
const relaySocket = "FTP_E2E_RELAY"

// dialer connects to an address as a client does, from where it is.
type dialer func(ctx context.Context, address string) (net.Conn, error)

// outsideDialer is for clients of our own that are outside.
func outsideDialer(t *testing.T) dialer {
	t.Helper()
	return relayed(t, outside)
}

// relayed is for clients of our own, which live in the test's process: a relay
// where the prefix runs programs carries their connections. So a try costs a
// connection and not the start of a program.
func relayed(t *testing.T, prefix []string) dialer {
	t.Helper()
	if len(prefix) == 0 {
		return func(ctx context.Context, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		}
	}
	self, err := os.Executable()
	must(t, err)
	dir, err := os.MkdirTemp("", "relay") // short: a socket's path has 108 bytes
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(prefix[0], append(prefix[1:len(prefix):len(prefix)], self)...)
	cmd.Env = append(os.Environ(), relaySocket+"="+socket)
	cmd.Stderr = os.Stderr
	alive, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = alive.Close()
		_ = cmd.Wait()
	})
	eventually(t, func() string {
		if _, err := os.Stat(socket); err != nil {
			return err.Error()
		}
		return ""
	})
	return func(ctx context.Context, address string) (net.Conn, error) {
		return throughRelay(ctx, socket, address)
	}
}

func throughRelay(ctx context.Context, socket, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline)
	}
	answer, err := "", error(nil)
	if _, err = fmt.Fprintln(c, address); err == nil {
		answer, err = line(c)
	}
	if err == nil && answer != "" {
		err = errors.New(answer)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, c.SetDeadline(time.Time{})
}

// line reads one line, and not a byte of what comes behind it.
func line(r io.Reader) (string, error) {
	var out []byte
	for b := make([]byte, 1); ; {
		if _, err := io.ReadFull(r, b); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(out), nil
		}
		out = append(out, b[0])
	}
}

// relay is the other half. It ends with its standard input, and so with the test.
func relay(socket string) int {
	l, err := net.Listen("unix", socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		return 1
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go carry(c.(*net.UnixConn))
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

func carry(from *net.UnixConn) {
	defer func() { _ = from.Close() }()
	address, err := line(from)
	if err != nil {
		return
	}
	to, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		fmt.Fprintln(from, strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	defer func() { _ = to.Close() }()
	fmt.Fprintln(from)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(from, to)
		_ = from.CloseWrite()
	}()
	_, _ = io.Copy(to, from)
	_ = to.(*net.TCPConn).CloseWrite()
	<-done
}
