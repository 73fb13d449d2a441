package clients

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// Where HAProxy is reached, and where its own connections come from.
const (
	haproxyAddress = "127.0.0.2"
	haproxySource  = "127.0.0.5"
)

// trusting has the server take the address of clients from these networks' headers.
func trusting(mode config.ProxyMode, cidr string) func(*config.Config) {
	return func(c *config.Config) {
		c.ProxyProtocol.Trusted = []config.ProxySource{{CIDR: cidr, Mode: mode}}
	}
}

// haproxy runs HAProxy before all ports of a server, each under its own number.
// speak is how it tells of its clients: send-proxy, or send-proxy-v2.
func haproxy(t *testing.T, s *server, speak string) {
	t.Helper()
	var conf strings.Builder
	conf.WriteString("defaults\n mode tcp\n timeout connect 20s\n timeout client 5m\n timeout server 5m\nlisten ftp\n")
	fmt.Fprintf(&conf, " bind %s:%d\n", haproxyAddress, s.port)
	for _, p := range s.cfg.Passive.Ports {
		fmt.Fprintf(&conf, " bind %s:%d\n", haproxyAddress, p.Listen)
	}
	fmt.Fprintf(&conf, " server ftp 127.0.0.1 source %s %s\n", haproxySource, speak)
	said, exited := runHAProxy(t, conf.String())
	eventually(t, time.Minute, "haproxy listens", func() bool {
		running(t, said, exited)
		conn, err := net.Dial("tcp", net.JoinHostPort(haproxyAddress, strconv.Itoa(s.port)))
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
}

// runHAProxy runs it with a configuration until the test ends: the one of the front's
// image, which FTP_HAPROXY names, or that of the machine.
func runHAProxy(t *testing.T, conf string, env ...string) (said *output, exited chan struct{}) {
	t.Helper()
	program := os.Getenv("FTP_HAPROXY")
	if program == "" {
		program = "haproxy"
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	must(t, os.WriteFile(file, []byte(conf), 0o600))
	said, exited = &output{}, make(chan struct{})
	cmd := exec.Command(program, "-db", "-f", file)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = said, said
	must(t, cmd.Start())
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		if t.Failed() {
			t.Logf("haproxy: %s", said.String())
		}
	})
	return said, exited
}

// running fails the test where HAProxy has ended.
func running(t *testing.T, said *output, exited chan struct{}) {
	t.Helper()
	select {
	case <-exited:
		t.Fatalf("haproxy has ended: %s", said.String())
	default:
	}
}

// TestHAProxy: behind Debian's HAProxy, with version 1 and 2 of the PROXY protocol, on
// control and passive ports, clients work as ever, and the log tells their own addresses.
func TestHAProxy(t *testing.T) {
	t.Parallel()
	for _, speak := range []string{"send-proxy", "send-proxy-v2"} {
		for _, client := range []ftpclient.Client{ftpclient.Curl{}, ftpclient.LFTP{}} {
			for _, security := range []ftpclient.TLS{ftpclient.TLSNone, ftpclient.TLS13} {
				t.Run(fmt.Sprintf("%s/%s/%s", speak, client.Name(), security), func(t *testing.T) {
					t.Parallel()
					mode := config.TLSRequired
					if security == ftpclient.TLSNone {
						mode = config.TLSDisabled
					}
					s := newServer(t, mode, trusting(config.ProxyRequired, haproxySource+"/32"))
					s.start()
					haproxy(t, s, speak)
					for _, passive := range []ftpclient.Mode{ftpclient.PASV, ftpclient.EPSV} {
						target := s.target()
						target.Host, target.TLS, target.Mode, target.ServerName = haproxyAddress, security, passive, serverName
						c := ftpclient.Connection{Client: client, Target: target}
						local, back := randomFile(t, 300<<10), filepath.Join(t.TempDir(), "back")
						must(t, c.Upload(soon(t), local, "/file"))
						must(t, c.Download(soon(t), "/file", back))
						sent, err := os.ReadFile(local)
						must(t, err)
						got, err := os.ReadFile(back)
						must(t, err)
						if !bytes.Equal(sent, got) {
							t.Error("the file came back as another")
						}
					}
					own := func(e entry) bool {
						return strings.HasPrefix(e.text("client"), "127.0.0.1:") && strings.HasPrefix(e.text("proxy"), haproxySource+":")
					}
					if all := s.log.find("Transfer", nil); len(all) < 4 || len(s.log.find("Transfer", own)) != len(all) {
						t.Errorf("transfers in the log: %v", all)
					}
					if len(s.log.find("Connection closed for its PROXY header", nil)) > 0 {
						t.Error("a header was refused")
					}
				})
			}
		}
	}
}

// TestProxyKeepsZeroCopy: behind a header of the PROXY protocol, files go from and to
// the connection within the kernel as without one.
func TestProxyKeepsZeroCopy(t *testing.T) {
	t.Parallel()
	s, ended := underStrace(t, "read,write,sendfile,splice", trusting(config.ProxyRequired, "127.0.0.1/32"))
	const size = 1 << 20
	header := "PROXY TCP4 203.0.113.7 198.51.100.1 40000 21\r\n"
	c := s.dialAfter(t, header, 220)
	c.command(331, "USER alice")
	c.command(230, "PASS "+password)
	c.command(200, "TYPE I")
	data := c.data()
	_, err := io.WriteString(data, header)
	must(t, err)
	c.command(150, "STOR file")
	_, err = io.WriteString(data, strings.Repeat("x", size))
	must(t, err)
	must(t, data.CloseWrite())
	c.expect(226)
	data = c.data()
	_, err = io.WriteString(data, header)
	must(t, err)
	c.command(150, "RETR file")
	got, err := io.ReadAll(data)
	must(t, err)
	_ = data.Close()
	c.expect(226)
	c.command(221, "QUIT")
	if string(got) != strings.Repeat("x", size) {
		t.Errorf("%d bytes came", len(got))
	}
	moved := map[string]int64{}
	for _, call := range ended(1) {
		if n, err := strconv.ParseInt(strings.Fields(call.result)[0], 10, 64); err == nil && n > 0 && strings.Contains(call.args, s.root) {
			moved[call.name] += n
		}
	}
	if len(moved) != 2 || moved["sendfile"] != size || moved["splice"] != size {
		t.Errorf("moved, in bytes: %v", moved)
	}
}
