package clients

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// observed are the clients of the matrix, in its order.
func observed() []ftpclient.Client {
	all := []ftpclient.Client{ftpclient.Curl{}, ftpclient.Curl{Current: true}, ftpclient.LFTP{}, ftpclient.FTPLib{}}
	return append(all, ftpclient.Others()...)
}

// behaviour is what was seen of a client.
type behaviour struct {
	client ftpclient.Client
	mu     sync.Mutex
	facts  map[string]string
}

func (b *behaviour) set(fact, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.facts[fact] = value
}

func (b *behaviour) get(fact string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if v := b.facts[fact]; v != "" {
		return v
	}
	return "–"
}

// TestClientMatrix watches every client at work, and writes what it does as
// tables to the file that FTP_MATRIX names. Every transfer must arrive whole. It
// takes minutes, so without FTP_MATRIX it runs with FTP_TEST_FULL=1 only.
func TestClientMatrix(t *testing.T) {
	file := os.Getenv("FTP_MATRIX")
	if file == "" && os.Getenv("FTP_TEST_FULL") != "1" {
		t.Skip("set FTP_MATRIX=FILE, or FTP_TEST_FULL=1, to watch every client at work")
	}
	var all []*behaviour
	t.Run("client", func(t *testing.T) {
		for _, client := range observed() {
			b := &behaviour{client: client, facts: map[string]string{}}
			all = append(all, b)
			t.Run(client.Name(), func(t *testing.T) {
				t.Parallel()
				b.set("version", version(t, client))
				for _, protection := range everyTLS {
					b.watchTransfers(t, protection)
					b.watchHandshake(t, protection)
				}
				b.watchIPv6(t)
				for _, f := range faultsShown {
					b.watchFault(t, f)
				}
			})
		}
	})
	if file != "" && !t.Failed() {
		writeBetween(t, file, "<!-- measured: make client-matrix -->\n", "<!-- end -->", matrix(all))
	}
}

// writeBetween replaces what stands between two marks of a file.
func writeBetween(t *testing.T, file, begin, end, text string) {
	t.Helper()
	page, err := os.ReadFile(file)
	must(t, err)
	head, rest, ok := strings.Cut(string(page), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s lacks %q or %q behind it", file, begin, end)
	}
	must(t, os.WriteFile(file, []byte(head+begin+text+end+tail), 0o644))
}

// workload are uploads or downloads, in one run of the client where it can.
type workload struct {
	name string
	ops  []ftpclient.Operation
}

const each = 5 // transfers of a kind

// workloads returns what the client can do of five uploads, five downloads, and
// both by turns. The files of the downloads are on the server already.
func workloads(t *testing.T, client ftpclient.Client, target ftpclient.Target, s *server) []workload {
	t.Helper()
	dir := t.TempDir()
	var ups, downs, both []ftpclient.Operation
	for i := range each {
		local, remote := randomFile(t, 200<<10), fmt.Sprintf("/there-%d", i)
		must(t, exec.Command("cp", local, s.home("alice", remote)).Run())
		back := filepath.Join(dir, fmt.Sprintf("back-%d", i))
		up := ftpclient.Operation{Kind: ftpclient.Upload, Local: local, Remote: fmt.Sprintf("/up-%d", i)}
		down := ftpclient.Operation{Kind: ftpclient.Download, Local: back, Remote: remote}
		ups, downs, both = append(ups, up), append(downs, down), append(both, up, down)
	}
	all := []workload{{"uploads", ups}, {"downloads", downs}, {"mixed", both}}
	mirror := func(kind ftpclient.Kind, local, remote string) []ftpclient.Operation {
		return []ftpclient.Operation{{Kind: kind, Local: local, Remote: remote}}
	}
	if client.Can(target, both...) != nil {
		all = all[:2]
		up := filepath.Join(dir, "many")
		must(t, os.MkdirAll(up, 0o755))
		must(t, os.MkdirAll(s.home("alice", "away", "fetched"), 0o755))
		for i, op := range ups {
			must(t, exec.Command("cp", op.Local, filepath.Join(up, fmt.Sprint(i))).Run())
			must(t, exec.Command("cp", op.Local, s.home("alice", "away", "fetched", fmt.Sprint(i))).Run())
		}
		if client.Can(target, ups...) != nil {
			all[0].ops = mirror(ftpclient.MirrorUp, up, "/many")
		}
		if client.Can(target, downs...) != nil {
			all[1].ops = mirror(ftpclient.MirrorDown, filepath.Join(dir, "fetched"), "/away/fetched")
		}
	}
	return slices.DeleteFunc(all, func(w workload) bool { return client.Can(target, w.ops...) != nil })
}

// watchTransfers has the client transfer files with the server, and looks into
// the server's log and metrics.
func (b *behaviour) watchTransfers(t *testing.T, protection ftpclient.TLS) {
	t.Helper()
	s := newServer(t, config.TLSOptional, func(c *config.Config) {
		c.Admin.Listen = fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0].Listen)
	})
	must(t, os.MkdirAll(s.home("alice"), 0o755))
	s.start()
	target := s.target()
	target.TLS, target.Mode = protection, ftpclient.Default
	client := ftpclient.Connection{Client: b.client, Target: target}
	for _, w := range workloads(t, b.client, target, s) {
		fact := fmt.Sprintf("%s %s", w.name, protection)
		before := scrape(t, s)
		if _, err := client.Session(soon(t), w.ops...); err != nil {
			t.Errorf("%s over %s: %v", w.name, protection, err)
			b.set(fact, "fails")
			continue
		}
		b.judge(t, s, w)
		after := scrape(t, s)
		delta := func(name string) int { return int(after[name] - before[name]) }
		resumed := delta(`ftpserver_data_tls_handshakes_total{resumed="true"}`)
		full := delta(`ftpserver_data_tls_handshakes_total{resumed="false"}`)
		b.set("resumed "+fact, fraction(resumed, resumed+full))
		said := delta(`ftpserver_upload_tls_ends_total{close_notify="true"}`)
		silent := delta(`ftpserver_upload_tls_ends_total{close_notify="false"}`)
		if said+silent > 0 {
			b.set("close_notify "+fact, fraction(said, said+silent))
		}
		b.set(fact, "works")
	}
	b.set("passive "+string(protection), strings.Join(used(s, "PASV", "EPSV"), ", then "))
}

func fraction(n, of int) string { return fmt.Sprintf("%d/%d", n, of) }

// used returns which of these commands the server has seen, in order.
func used(s *server, verbs ...string) []string {
	var seen []string
	for _, e := range s.log.find("Command", nil) {
		if verb := e.text("verb"); slices.Contains(verbs, verb) && !slices.Contains(seen, verb) {
			seen = append(seen, verb)
		}
	}
	return seen
}

// judge holds what a workload has moved against its source.
func (b *behaviour) judge(t *testing.T, s *server, w workload) {
	t.Helper()
	for _, op := range w.ops {
		switch op.Kind {
		case ftpclient.Upload, ftpclient.Download:
			sameContent(t, s.home("alice", op.Remote), op.Local)
		default:
			sameTree(t, s.home("alice", op.Remote), op.Local)
		}
	}
}

// sameTree compares the files of two directories, and of those in them.
func sameTree(t *testing.T, got, want string) {
	t.Helper()
	// wget -m leaves .listing.
	if out, err := exec.Command("diff", "-r", "-x", ".listing", got, want).CombinedOutput(); err != nil {
		t.Fatalf("%s and %s differ: %s", got, want, out)
	}
}

// scrape returns the metrics of the server.
func scrape(t *testing.T, s *server) map[string]float64 {
	t.Helper()
	reply, err := http.Get("http://" + s.log.wait(t, "Serving", nil).text("admin") + "/metrics")
	must(t, err)
	defer func() { _ = reply.Body.Close() }()
	values := map[string]float64{}
	for lines := bufio.NewScanner(reply.Body); lines.Scan(); {
		var value float64
		end := strings.LastIndexByte(lines.Text(), ' ') // there may be others in labels
		if _, err := fmt.Sscan(lines.Text()[end+1:], &value); err == nil {
			values[lines.Text()[:max(0, end)]] = value
		}
	}
	return values
}

// watchHandshake has the client transfer a file each way with a server whose 150
// comes late.
func (b *behaviour) watchHandshake(t *testing.T, protection ftpclient.TLS) {
	t.Helper()
	if protection == ftpclient.TLSNone {
		return
	}
	s, client := b.scripted(t, protection)
	s.delay = 3 * time.Second
	s.serve()
	for _, op := range b.single(t, client.Target) {
		s.handshakes = nil
		if _, err := client.Session(soon(t), op); err != nil {
			t.Errorf("%s over %s with a late 150: %v", op.Kind, protection, err)
		}
		b.set(fmt.Sprintf("handshake %s %s", op.Kind, protection), strings.Join(slices.Compact(slices.Sorted(slices.Values(s.handshakes))), ", "))
	}
}

// scripted is a server that plays a part, and the client in front of it.
func (b *behaviour) scripted(t *testing.T, protection ftpclient.TLS) (*scripted, ftpclient.Connection) {
	t.Helper()
	dir := t.TempDir()
	pki(t, dir)
	s := newScripted(t, dir)
	target := ftpclient.Target{
		Host: "127.0.0.1", Port: s.port(), User: "alice", Password: password,
		CAFile: filepath.Join(dir, "ca.crt"), TLS: protection, Mode: ftpclient.Default, Patient: true,
	}
	s.files["there"] = []byte(strings.Repeat("content ", 1000))
	return s, ftpclient.Connection{Client: b.client, Target: target}
}

// single is an upload and a download, as far as the client can.
func (b *behaviour) single(t *testing.T, target ftpclient.Target) []ftpclient.Operation {
	t.Helper()
	return slices.DeleteFunc([]ftpclient.Operation{
		{Kind: ftpclient.Upload, Local: randomFile(t, 100<<10), Remote: "/sent"},
		{Kind: ftpclient.Download, Local: filepath.Join(t.TempDir(), "back"), Remote: "/there"},
	}, func(op ftpclient.Operation) bool { return b.client.Can(target, op) != nil })
}

// watchIPv6 has the client work over IPv6.
func (b *behaviour) watchIPv6(t *testing.T) {
	t.Helper()
	s := newServer(t, config.TLSOptional, func(c *config.Config) { c.Listen = "[::1]:0" })
	must(t, os.MkdirAll(s.home("alice"), 0o755))
	s.start()
	target := s.target()
	target.Host, target.Mode = "::1", ftpclient.Default
	must(t, os.WriteFile(s.home("alice", "there"), []byte("content"), 0o644))
	for _, op := range b.single(t, target) {
		if _, err := (ftpclient.Connection{Client: b.client, Target: target}).Session(soon(t), op); err != nil {
			t.Errorf("%s over IPv6: %v", op.Kind, err)
			b.set("IPv6", "fails")
			return
		}
		// The log may be read later than the client ends.
		var by []string
		eventually(t, 2*time.Minute, "a data connection over IPv6 in the log", func() bool {
			by = used(s, "PASV", "EPSV", "EPRT")
			return len(by) > 0
		})
		b.set("IPv6", strings.Join(by, ", then "))
	}
}

// faultShown is one that the matrix tells of.
type faultShown struct {
	name string
	fault
	protection ftpclient.TLS
}

var faultsShown = []faultShown{
	{"421 for a greeting", fault{at: "greeting", reply: "421 Too many sessions"}, ftpclient.TLSNone},
	{"421 to the transfer", fault{at: "upload", reply: "421 Going down"}, ftpclient.TLSNone},
	{"425 to PASV or EPSV", fault{at: "passive", reply: "425 No port free"}, ftpclient.TLSNone},
	{"425 after the 150", fault{at: "uploading", reply: "425 No data connection"}, ftpclient.TLSNone},
	{"522 after the 150", fault{at: "uploading", reply: "522 Resume the TLS session of the control connection"}, ftpclient.TLS13},
}

// persistence bounds how long a client may go on against a fault that stays.
const persistence = 40 * time.Second

// watchFault has the client upload (or, where it can't, download) a file while
// the server refuses: first once, then always.
func (b *behaviour) watchFault(t *testing.T, f faultShown) {
	t.Helper()
	var told []string
	for _, times := range []int{1, 0} {
		s, client := b.scripted(t, f.protection)
		s.fault = f.fault
		s.fault.times = times
		ops := b.single(t, client.Target)
		if len(ops) == 0 {
			return
		}
		if ops[0].Kind == ftpclient.Download && s.fault.at != "greeting" && s.fault.at != "passive" {
			return
		}
		s.serve()
		ctx, stop := context.WithTimeout(t.Context(), persistence)
		_, err := client.Session(ctx, ops[0])
		endless := ctx.Err() != nil
		stop()
		told = append(told, s.tell(times, err, endless))
		if err != nil {
			break // what does not get over one will not get over many
		}
	}
	b.set(f.name, strings.Join(told, "; "))
}

// tell puts into words what a client did.
func (s *scripted) tell(times int, err error, endless bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var words []string
	switch {
	case s.faults == 0:
		return "not met"
	case times == 0 && endless:
		return "does not give up soon"
	case times == 0 && err != nil:
		return fmt.Sprintf("gives up after %d", s.faults)
	case times == 0:
		return "takes it for success"
	case err != nil && endless:
		words = append(words, "waits long")
	case err != nil:
		words = append(words, "gives up")
	case s.connections > 1:
		words = append(words, "connects again")
	default:
		words = append(words, "tries again")
	}
	if s.fault.at == "passive" && slices.Contains(s.commands, "PASV") && slices.Contains(s.commands, "EPSV") {
		words = append(words, "by PASV")
	}
	return strings.Join(words, " ")
}

var versionPattern = regexp.MustCompile(`[0-9]+(\.[0-9]+)+|20[0-9]{6}`)

// version asks the client, or the package manager, for its version.
func version(t *testing.T, client ftpclient.Client) string {
	t.Helper()
	ask := []string{client.Program(), "--version"}
	switch client.Name() {
	case "ncftp", "tnftp":
		ask = []string{"dpkg-query", "-W", "-f", "${Version}", client.Name()}
	case "commons-net", "commons-net-resuming":
		ask = []string{"dpkg-query", "-W", "-f", "${Version}", "libcommons-net-java"}
	case "basic-ftp":
		ask = []string{"sed", "-n", `s/.*"version": *//p`, "../../bin/clients/node_modules/basic-ftp/package.json"}
	}
	out, err := exec.Command(ask[0], ask[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v: %s", ask, err, out)
	}
	return versionPattern.FindString(string(out))
}

// matrix writes the tables.
func matrix(all []*behaviour) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s.\n\n", time.Now().UTC().Format(time.DateOnly))
	b.WriteString("| client | version | passive by default | over IPv6 |\n|---|---|---|---|\n")
	for _, c := range all {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.client.Name(), c.get("version"), c.get("passive none"), c.get("IPv6"))
	}
	b.WriteString("\n| client | TLS | resumes: uploads | downloads | mixed | close_notify after uploads | mixed | handshake begins: upload | download |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range all {
		for _, v := range []string{"1.2", "1.3"} {
			if c.get("uploads "+v) == "–" && c.get("downloads "+v) == "–" {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", c.client.Name(), v,
				c.get("resumed uploads "+v), c.get("resumed downloads "+v), c.get("resumed mixed "+v),
				c.get("close_notify uploads "+v), c.get("close_notify mixed "+v), c.get("handshake upload "+v), c.get("handshake download "+v))
		}
	}
	b.WriteString("\n| client |")
	rule := "|---|"
	for _, f := range faultsShown {
		b.WriteString(" " + f.name + " |")
		rule += "---|"
	}
	b.WriteString("\n" + rule + "\n")
	for _, c := range all {
		b.WriteString("| " + c.client.Name() + " |")
		for _, f := range faultsShown {
			b.WriteString(" " + c.get(f.name) + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}
