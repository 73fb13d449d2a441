package clients

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Who comes to a front: a balancer that announces clients, and a neighbour of the
// front's that comes past it.
const frontBalancer, frontNeighbour = "127.0.0.9", "127.0.0.3"

// Golden files of controllers/render with a configuration of the front: of a server
// in the cluster, and of one behind a balancer that speaks the PROXY protocol.
const inCluster, balanced = "front.yaml", "balanced.yaml"

// frontChanges is what else must be other here than in each of these. Of slots that
// have come up, none is to be given less than its share for a while.
var frontChanges = map[string][2]string{
	inCluster: {` slowstart \S+`, ""},
	balanced:  {`{ src .* }`, "{ src " + frontBalancer + " }"},
}

// front is HAProxy with a configuration that the operator writes, whose slots are at
// addresses of this machine. It connects to them from haproxySource.
type front struct {
	golden         string
	ips            []string       // of its pod
	slots          map[int]string // addresses by number; it has no others
	control, check int            // ports of the slots
	port, admin    int            // its own
	said           *output
	exited         chan struct{}
}

// newFront is one that does not run yet, in a pod that has these addresses.
func newFront(t *testing.T, golden string, ips ...string) *front {
	t.Helper()
	ports := freePorts(t, 4)
	return &front{
		golden: golden, ips: ips, slots: map[int]string{},
		control: ports[0].Listen, check: ports[1].Listen, port: ports[2].Listen, admin: ports[3].Listen,
	}
}

// written is the configuration as the golden file has it.
func (f *front) written(t *testing.T) string {
	t.Helper()
	file, err := os.Open(filepath.Join("../../controllers/render/testdata", f.golden))
	must(t, err)
	defer func() { _ = file.Close() }()
	for all := yaml.NewDecoder(file); ; {
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

// placed is the configuration with the addresses and ports of this machine.
func (f *front) placed(t *testing.T) string {
	t.Helper()
	text := f.written(t)
	for _, change := range [][2]string{
		{`(bind \S*:)2121\b`, fmt.Sprintf("${1}%d", f.port)},
		{`(bind \S*:)8080\b`, fmt.Sprintf("${1}%d", f.admin)},
		{`(bind \S*:)2990\b`, fmt.Sprintf("${1}%d", freePorts(t, 1)[0].Listen)},
		{`int\(2121\)`, fmt.Sprintf("int(%d)", f.control)},
		{`check port 8080`, fmt.Sprintf("check port %d", f.check)},
		{` send-proxy-v2\b`, "$0 source " + haproxySource},
		frontChanges[f.golden],
	} {
		found := regexp.MustCompile(change[0])
		if !found.MatchString(text) {
			t.Fatalf("there is no %s in\n%s", change[0], text)
		}
		text = found.ReplaceAllString(text, change[1])
	}
	line, placed := regexp.MustCompile(`(?m)^( *server slot(\d+)) \S+(.*\n)`), 0
	text = line.ReplaceAllStringFunc(text, func(slot string) string {
		m := line.FindStringSubmatch(slot)
		number, err := strconv.Atoi(m[2])
		must(t, err)
		if f.slots[number] == "" {
			return ""
		}
		placed++
		return m[1] + " " + f.slots[number] + m[3]
	})
	if placed != len(f.slots) {
		t.Fatalf("not all of the slots %v are in\n%s", f.slots, text)
	}
	return text
}

// start runs it, and waits for nothing.
func (f *front) start(t *testing.T) {
	t.Helper()
	f.said, f.exited = runHAProxy(t, f.placed(t), "POD_IP="+f.ips[0], "POD_IPS="+strings.Join(f.ips, ","))
}

// before runs a server, which edit may change, and the front with it as its only
// slot, until that takes sessions from the front, and the front knows.
func (f *front) before(t *testing.T, slot int, edit func(*config.Config)) *server {
	t.Helper()
	s := newServer(t, config.TLSOptional, func(c *config.Config) {
		c.Listen, c.Admin.Listen = fmt.Sprintf("127.0.0.1:%d", f.control), fmt.Sprintf("127.0.0.1:%d", f.check)
		trusting(config.ProxyRequired, haproxySource+"/32")(c)
		edit(c)
	})
	s.start()
	f.slots[slot] = "127.0.0.1"
	asks := fmt.Sprintf("http://%s%s?%s", s.cfg.Admin.Listen, config.SessionsPath, config.HeaderQuery)
	eventually(t, 2*time.Minute, "the server takes sessions from the front", func() bool {
		code, _ := ask(haproxySource, asks)
		return code == http.StatusOK
	})
	f.start(t)
	f.await(t, slot, "UP")
	eventually(t, 2*time.Minute, "the front is ready", f.ready)
	return s
}

// ask is what is answered to whoever asks from an address; 0 where nothing is.
func ask(from, url string) (code int, body string) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(all)
}

// get is what the front answers about itself; 0 where it does not, or not yet.
func (f *front) get(path string) (int, string) {
	return ask(f.ips[0], "http://"+net.JoinHostPort(f.ips[0], strconv.Itoa(f.admin))+path)
}

// ready tells whether it is, which it also is before its first check.
func (f *front) ready() bool {
	code, _ := f.get("/readyz")
	return code == http.StatusOK
}

// await waits until the front says that a slot is UP or DOWN for what the slot has
// answered. Before the first check, it takes it for UP.
func (f *front) await(t *testing.T, slot int, state string) {
	t.Helper()
	check := map[string]string{"UP": "L7OK", "DOWN": "L7STS"}[state]
	lines := []string{
		fmt.Sprintf(`haproxy_server_status{proxy="slots",server="slot%d",state=%q} 1`, slot, state),
		fmt.Sprintf(`haproxy_server_check_status{proxy="slots",server="slot%d",state=%q} 1`, slot, check),
	}
	eventually(t, 2*time.Minute, strings.Join(lines, ", "), func() bool {
		running(t, f.said, f.exited)
		_, metrics := f.get("/metrics")
		return strings.Contains(metrics, lines[0]) && strings.Contains(metrics, lines[1])
	})
}

// dial connects to it from an address, until the test ends.
func (f *front) dial(t *testing.T, from string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.Dial("tcp", net.JoinHostPort(f.ips[0], strconv.Itoa(f.port)))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
