package clients

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// fronting is HAProxy with the configuration that the operator writes for a server
// in the cluster, whose first slots are at addresses of this machine.
type fronting struct {
	slots          []string
	control, check int // ports of the slots
	port, admin    int // its own
}

// writtenFront is that configuration, as the golden file has it.
func writtenFront(t *testing.T) string {
	t.Helper()
	golden, err := os.Open("../../controllers/render/testdata/front.yaml")
	must(t, err)
	defer func() { _ = golden.Close() }()
	for all := yaml.NewDecoder(golden); ; {
		var object struct {
			Spec struct {
				Template struct {
					Metadata struct{ Annotations map[string]string }
				}
			}
		}
		must(t, all.Decode(&object))
		if text := object.Spec.Template.Metadata.Annotations["ftp-operator.io/haproxy.cfg"]; text != "" {
			return text
		}
	}
}

// placed is the configuration with these addresses and ports, in a pod of that
// address, from which it connects. A slot that comes up gets its whole share at once.
func (f *fronting) placed(t *testing.T, ip string) string {
	t.Helper()
	ports := freePorts(t, 3)
	f.port, f.admin = ports[0].Listen, ports[1].Listen
	text := writtenFront(t)
	for _, change := range [][2]string{
		{`(bind \S*:)2121\b`, fmt.Sprintf("${1}%d", f.port)},
		{`(bind \S*:)8080\b`, fmt.Sprintf("${1}%d", f.admin)},
		{`(bind \S*:)2990\b`, fmt.Sprintf("${1}%d", ports[2].Listen)},
		{`int\(2121\)`, fmt.Sprintf("int(%d)", f.control)},
		{`check port 8080`, fmt.Sprintf("check port %d", f.check)},
		{` slowstart \S+`, " source " + ip},
	} {
		found := regexp.MustCompile(change[0])
		if !found.MatchString(text) {
			t.Fatalf("there is no %s in\n%s", change[0], text)
		}
		text = found.ReplaceAllString(text, change[1])
	}
	line := regexp.MustCompile(`(?m)^( *server slot(\d+)) \S+(.*\n)`)
	return line.ReplaceAllStringFunc(text, func(server string) string {
		m := line.FindStringSubmatch(server)
		if n, _ := strconv.Atoi(m[2]); n < len(f.slots) {
			return m[1] + " " + f.slots[n] + m[3]
		}
		return ""
	})
}

// start runs it in a pod that has these addresses.
func (f *fronting) start(t *testing.T, ips ...string) {
	t.Helper()
	program := os.Getenv("FTP_HAPROXY") // else that of the machine
	if program == "" {
		program = "haproxy"
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	must(t, os.WriteFile(file, []byte(f.placed(t, ips[0])), 0o600))
	cmd := exec.Command(program, "-db", "-f", file)
	cmd.Env = append(os.Environ(), "POD_IP="+ips[0], "POD_IPS="+strings.Join(ips, ","))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	must(t, cmd.Start())
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		if t.Failed() {
			t.Logf("haproxy: %s", said.String())
		}
	})
}

// get is what the front answers about itself; 0 where it does not, or not yet.
func (f *fronting) get(path string) (int, string) {
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", f.admin, path))
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

// ready tells whether it is.
func (f *fronting) ready() bool {
	code, _ := f.get("/readyz")
	return code == http.StatusOK
}

// await waits until the front says that a slot is UP or DOWN.
func (f *fronting) await(t *testing.T, slot int, state string) {
	t.Helper()
	line := fmt.Sprintf(`haproxy_server_status{proxy="slots",server="slot%d",state=%q} 1`, slot, state)
	eventually(t, 2*time.Minute, line, func() bool {
		_, metrics := f.get("/metrics")
		return strings.Contains(metrics, line)
	})
}

// TestFrontOfBothFamilies: where pods have addresses of both families, clients work
// through the front by each, and the server knows them by the one that they come from.
func TestFrontOfBothFamilies(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, func(c *config.Config) {
		c.Listen, c.Admin.Listen = "[::]:0", "127.0.0.1:0"
		c.ProxyProtocol.Trusted = []config.ProxySource{{CIDR: haproxySource + "/32", Mode: config.ProxyRequired, Data: config.ProxyDataDirect}}
	})
	s.start()
	_, check, err := net.SplitHostPort(s.log.wait(t, "Serving", nil).text("admin"))
	must(t, err)
	f := fronting{slots: []string{"127.0.0.1"}, control: s.port}
	f.check, err = strconv.Atoi(check)
	must(t, err)
	f.start(t, haproxySource, "::1")
	eventually(t, 2*time.Minute, "the front is ready", f.ready)

	for _, by := range []struct {
		host, client string
		mode         ftpclient.Mode
	}{
		{"::1", "[::1]:", ftpclient.EPSV}, {"127.0.0.1", "127.0.0.1:", ftpclient.EPSV}, {"127.0.0.1", "127.0.0.1:", ftpclient.PASV},
	} {
		target := s.target()
		target.Host, target.Port, target.Mode, target.TLS, target.ServerName = by.host, f.port, by.mode, ftpclient.TLS13, serverName
		name := "/" + strings.Trim(by.client, "[]:") + "-" + string(by.mode)
		c := ftpclient.Connection{Client: ftpclient.Curl{}, Target: target}
		must(t, c.Upload(soon(t), randomFile(t, 300<<10), name))
		transfer := s.log.wait(t, "Transfer", func(e entry) bool { return strings.HasSuffix(e.text("path"), name) })
		if client, proxy := transfer.text("client"), transfer.text("proxy"); !strings.HasPrefix(client, by.client) || !strings.HasPrefix(proxy, haproxySource+":") {
			t.Errorf("by %s, the client is %s, by way of %s", by.host, client, proxy)
		}
	}
}

// replica is a server as far as a front sees it, which answers its check with a status.
type replica struct {
	status atomic.Int32
	opened atomic.Int32
}

// replicas run at addresses of their own, each at the front's ports.
func replicas(t *testing.T, n int) (*fronting, []*replica) {
	t.Helper()
	ports := freePorts(t, 2)
	f := &fronting{control: ports[0].Listen, check: ports[1].Listen}
	var out []*replica
	for i := range n {
		address, r := fmt.Sprintf("127.0.0.%d", 11+i), &replica{}
		listen := func(port int) net.Listener {
			l, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
			must(t, err)
			t.Cleanup(func() { _ = l.Close() })
			return l
		}
		checks := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == config.SessionsPath {
				w.WriteHeader(int(r.status.Load()))
			}
		})}
		go func() { _ = checks.Serve(listen(f.check)) }()
		go r.greet(listen(f.control), i)
		out, f.slots = append(out, r), append(f.slots, address)
	}
	return f, out
}

// greet greets whoever connects with the number of the slot.
func (r *replica) greet(l net.Listener, slot int) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		r.opened.Add(1)
		_, _ = fmt.Fprintf(conn, "220 slot%d\r\n", slot)
		go func() { _, _ = io.Copy(io.Discard, conn); _ = conn.Close() }()
	}
}

// greeting is what a client of the front hears first, with the connection, which
// stays open until the test ends.
func (f *fronting) greeting(t *testing.T) string {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", f.port))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	buffer := make([]byte, len("220 slot0\r\n"))
	n, _ := io.ReadFull(conn, buffer)
	return strings.TrimSpace(string(buffer[:n]))
}

// TestFrontLeavesOutOlderServers: one that does not know the check, and would take a
// header for commands, gets no client, and a front that finds no other is not ready.
func TestFrontLeavesOutOlderServers(t *testing.T) {
	t.Parallel()
	f, slots := replicas(t, 2)
	for _, r := range slots {
		r.status.Store(http.StatusNotFound)
	}
	f.start(t, "127.0.0.1")
	f.await(t, 0, "DOWN")
	f.await(t, 1, "DOWN")
	if code, _ := f.get("/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("before older servers only, it answers %d", code)
	}
	if said := f.greeting(t); said != "" {
		t.Errorf("before older servers only, a client hears %q", said)
	}
	slots[1].status.Store(http.StatusOK) // it is replaced
	f.await(t, 1, "UP")
	if !f.ready() {
		t.Error("with a server that takes sessions, it is not ready")
	}
	for range 4 {
		if said := f.greeting(t); said != "220 slot1" {
			t.Errorf("a client hears %q", said)
		}
	}
	if n := slots[0].opened.Load(); n > 0 {
		t.Errorf("the older server got %d clients", n)
	}
}

// TestFrontSpreadsOneClient: sessions of one client go to the replica that has the
// fewest as all others do, whatever the Service's affinity has done before.
func TestFrontSpreadsOneClient(t *testing.T) {
	t.Parallel()
	f, slots := replicas(t, 2)
	for _, r := range slots {
		r.status.Store(http.StatusOK)
	}
	f.start(t, "127.0.0.1")
	f.await(t, 0, "UP")
	f.await(t, 1, "UP")
	got := map[string]int{}
	for range 8 {
		got[f.greeting(t)]++
	}
	if got["220 slot0"] != 4 || got["220 slot1"] != 4 {
		t.Errorf("the sessions are %v", got)
	}
}
