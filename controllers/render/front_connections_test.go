package render_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/test/freeport"
)

// frontWait is how long a test waits for what is sure to come.
const frontWait = 2 * time.Minute

// greeter is a replica that greets, says nothing else, and counts.
type greeter struct {
	mu         sync.Mutex
	held, most int
}

func (g *greeter) change(by int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held += by
	g.most = max(g.most, g.held)
}

// serve ends when the listener is closed.
func (g *greeter) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			g.change(1)
			fmt.Fprint(c, "220 Welcome\r\n")
			_, _ = io.Copy(io.Discard, c)
			g.change(-1) // before the front hears that the session has ended
			_ = c.Close()
		}()
	}
}

// runHaproxy runs the front's configuration on free ports, with all slots at the
// greeter's port, and returns the addresses of its three ports.
func runHaproxy(t *testing.T, configuration string, slot, check int) (control, implicit, admin string) {
	t.Helper()
	haproxy := os.Getenv("FTP_HAPROXY")
	if haproxy == "" {
		t.Skip("FTP_HAPROXY is not set: name a haproxy, such as hack/images/haproxy.sh makes")
	}
	ports, err := freeport.Take(3)
	if err != nil {
		t.Fatal(err)
	}
	configuration = regexp.MustCompile(`files-\d+\.files-slots\.\S+`).ReplaceAllString(configuration, "127.0.0.1")
	configuration = regexp.MustCompile(`int\(\d+\)`).ReplaceAllString(configuration, fmt.Sprintf("int(%d)", slot))
	configuration = regexp.MustCompile(`check port \d+`).ReplaceAllString(configuration, fmt.Sprintf("check port %d", check))
	var at []string
	for i, listen := range []string{"2121", "2990", "8080"} {
		bind := `bind "${POD_IP}:`
		if !strings.Contains(configuration, bind+listen) {
			t.Fatalf("the front does not listen on %s", listen)
		}
		configuration = strings.ReplaceAll(configuration, bind+listen, fmt.Sprint(bind, ports[i]))
		at = append(at, fmt.Sprint("127.0.0.1:", ports[i]))
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, haproxy, "-db", "-f", file)
	cmd.Env = append(os.Environ(), "POD_IP=127.0.0.1", "POD_IPS=127.0.0.1")
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = cmd.Wait() })
	return at[0], at[1], at[2]
}

// asked is the answer of the front's admin port, or why there is none.
func asked(admin, path string) string {
	c := http.Client{Timeout: frontWait / 4, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Get("http://" + admin + path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err.Error()
	}
	return r.Status + "\n" + string(body)
}

// connect opens a control connection.
func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, frontWait)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// greeted waits for the greeting.
func greeted(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(frontWait))
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.HasPrefix(line, "220") {
		t.Fatalf("greeted with %q, %v", line, err)
	}
}

// A pod of the front that holds as many control connections as it is to still
// answers its probes. More clients wait until a session ends.
func TestFrontIsFull(t *testing.T) {
	g := &greeter{}
	replica, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = replica.Close() }()
	go g.serve(replica)
	checks, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	check := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: frontWait}
	defer func() { _ = check.Close() }()
	go func() { _ = check.Serve(checks) }()

	full := front(t, hidden, func(in *render.Input) { in.Server.Spec.Front.ConnectionsPerReplica = 2 })
	control, implicit, admin := runHaproxy(t, full.Annotations[render.AnnotationFrontConfig],
		replica.Addr().(*net.TCPAddr).Port, checks.Addr().(*net.TCPAddr).Port)
	for deadline := time.Now().Add(frontWait); !strings.HasPrefix(asked(admin, "/readyz"), "200"); {
		if time.Now().After(deadline) {
			t.Fatalf("not ready: %s", asked(admin, "/readyz"))
		}
		time.Sleep(50 * time.Millisecond) // between two looks
	}
	var firsts, thirds []net.Conn
	for _, port := range []string{control, implicit} {
		first := connect(t, port)
		greeted(t, first)
		greeted(t, connect(t, port))
		firsts, thirds = append(firsts, first), append(thirds, connect(t, port))
	}
	if got := asked(admin, "/healthz"); !strings.HasPrefix(got, "200") {
		t.Errorf("full, it answers its probe with %s", got)
	}
	for i, third := range thirds {
		_ = firsts[i].Close()
		greeted(t, third)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.most > 4 {
		t.Errorf("it held %d sessions, not 2 of each port at most", g.most)
	}
}
