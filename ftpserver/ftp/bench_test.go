package ftp

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ftp-operator/ftp-operator/ftpserver/auth"
	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/live"
	"github.com/ftp-operator/ftp-operator/ftpserver/passive"
	"github.com/ftp-operator/ftp-operator/ftpserver/telemetry"
	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs/system"
	"github.com/ftp-operator/ftp-operator/ftpserver/xferlog"
	"github.com/ftp-operator/ftp-operator/test/freeport"
)

// goleak: no test may leave a goroutine behind, whatever its client did.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const password = "secret"

var passwordHash = sync.OnceValues(func() (string, error) { return passhash.New(password) })

// bench is a server in this process, on loopback, with the user alice.
type bench struct {
	t        *testing.T
	server   *Server
	address  string
	implicit string // of implicit TLS; "" for none
	root     string // of the files
	home     string // of alice, on the disk
	roots    *x509.CertPool

	log        logBuffer
	rejected   rejections
	config     *config.Config
	configFile string
	source     *live.Source
	parts      parts
}

func newBench(t *testing.T, edit func(*config.Config)) *bench {
	t.Helper()
	return newBenchWith(t, parts{}, edit)
}

// parts of a server that are not the usual ones of a test.
type parts struct {
	system  system.Calls // what the storage asks; nil: the kernel
	log     *slog.Logger // nil: the bench's
	xferlog *xferlog.Log
	// proxySilence is absent (0): the usual.
	proxySilence time.Duration
}

func newBenchWith(t *testing.T, p parts, edit func(*config.Config)) *bench {
	t.Helper()
	hash, err := passwordHash()
	must(t, err)
	cert, key, roots := certificate(t)
	root := t.TempDir()
	c := &config.Config{
		Listen:  "127.0.0.1:0",
		Passive: config.Passive{Ports: freePorts(t, 4)},
		TLS:     config.TLS{Mode: config.TLSOptional, Certificates: []config.Certificate{{CertFile: cert, KeyFile: key}}},
		Storage: config.Storage{Root: root, Durability: config.DurabilityNone},
		Users:   []config.User{{Name: "alice", PasswordHash: hash}},
	}
	if edit != nil {
		edit(c)
	}
	b := &bench{t: t, root: root, home: filepath.Join(root, "alice"), roots: roots, parts: p}
	must(t, os.Mkdir(b.home, 0o755))
	b.start(c)
	return b
}

func (b *bench) start(c *config.Config) {
	b.t.Helper()
	before := descriptors(b.t)
	log, metrics := slog.New(slog.NewTextHandler(&b.log, nil)), telemetry.NewMetrics("test")
	b.config, b.configFile = c, filepath.Join(b.t.TempDir(), config.FileName)
	b.writeConfig()
	source, err := live.Open(b.configFile, config.Strict, log)
	must(b.t, err)
	b.source = source
	store, err := vfs.OpenStore(c.Storage.Root, vfs.Options{BootID: "test", Durability: c.Storage.Durability, Log: log, System: b.parts.system})
	must(b.t, err)
	broker := passive.NewBroker("127.0.0.1", log, &watched{metrics, &b.rejected})
	must(b.t, broker.SetPorts(source.Current().Config.Passive.PortsOf(0)))
	b.server = NewServer(Options{
		Live: source, Store: store, Broker: broker, Metrics: metrics, Log: cmp.Or(b.parts.log, log), Xferlog: b.parts.xferlog, ProxySilence: b.parts.proxySilence,
		Verifier: auth.NewVerifier(auth.Options{}),
		TLS:      tlsconf.ServerConfig(func() *tlsconf.Set { return source.Current().TLS }),
	})
	l, err := net.Listen("tcp", c.Listen)
	must(b.t, err)
	b.address = l.Addr().String()
	served := make(chan error, 2)
	go func() { served <- b.server.Serve(l) }()
	li := b.listenImplicit(served)
	b.t.Cleanup(func() {
		_, _ = l.Close(), li.Close()
		must(b.t, errors.Join(<-served, <-served))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		b.server.Drain(ctx)
		broker.Close()
		must(b.t, store.Close())
		if b.log.logged("Session state can't follow") {
			b.t.Errorf("a session went from one state to another that it may not:\n%s", b.log.String())
		}
		eventually(b.t, "all descriptors are closed", func() bool { return descriptors(b.t) <= before })
	})
}

// listenImplicit serves implicit TLS where the configuration asks for it; else
// nobody comes there.
func (b *bench) listenImplicit(served chan<- error) net.Listener {
	b.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b.t, err)
	if b.config.TLS.Implicit.Listen != "" {
		b.implicit = l.Addr().String()
	}
	go func() { served <- b.server.ServeImplicit(l) }()
	return l
}

// rejections counts connections to passive ports that were turned away, by reason.
type rejections struct {
	mu     sync.Mutex
	counts map[string]int
}

func (r *rejections) of(reason string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[reason]
}

// watched counts what metrics are told of them.
type watched struct {
	*telemetry.Metrics
	rejected *rejections
}

func (w *watched) PassiveRejected(reason string) {
	w.Metrics.PassiveRejected(reason)
	w.rejected.mu.Lock()
	defer w.rejected.mu.Unlock()
	if w.rejected.counts == nil {
		w.rejected.counts = map[string]int{}
	}
	w.rejected.counts[reason]++
}

// logBuffer keeps what the server logs.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// logged tells whether a line holds all of the words.
func (l *logBuffer) logged(words ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			return true
		}
	}
	return false
}

// mark is a place in the log, and since what was logged after it.
func (l *logBuffer) mark() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Len()
}

func (l *logBuffer) since(mark int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()[mark:]
}

func (b *bench) writeConfig() {
	b.t.Helper()
	data, err := config.Encode(b.config)
	must(b.t, err)
	must(b.t, os.WriteFile(b.configFile, data, 0o600))
}

// reload changes the configuration of the running server.
func (b *bench) reload(edit func(*config.Config)) {
	b.t.Helper()
	edit(b.config)
	b.writeConfig()
	must(b.t, b.source.Reload())
}

// descriptors counts what this process has open. No test of this package runs
// beside another.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	n := 0
	for _, e := range entries {
		// What the runtime opens once and keeps does not count.
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && to[0] != 'a' && to[0] != 'p' {
			n++
		}
	}
	return n
}

// file writes a file of alice's.
func (b *bench) file(name, content string) string {
	b.t.Helper()
	path := filepath.Join(b.home, name)
	must(b.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(b.t, os.WriteFile(path, []byte(content), 0o644))
	return path
}

// content is what a file of alice's holds; "" if there is none.
func (b *bench) content(name string) string {
	data, _ := os.ReadFile(filepath.Join(b.home, name))
	return string(data)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// freePorts returns distinct ports that nobody listens on now.
func freePorts(t *testing.T, n int) []config.PassivePort {
	t.Helper()
	numbers, err := freeport.Take(n)
	must(t, err)
	out := make([]config.PassivePort, n)
	for i, number := range numbers {
		out[i].Listen = number
	}
	return out
}

// certificate writes one that signs itself, for 127.0.0.1.
func certificate(t *testing.T) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	must(t, os.WriteFile(certFile, certPEM, 0o600))
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, roots
}

func (b *bench) clientTLS() *tls.Config {
	return &tls.Config{RootCAs: b.roots, ServerName: "127.0.0.1"}
}
