package main

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/hack/bench/cell"
	"github.com/ftp-operator/ftp-operator/hack/bench/servers"
)

// cellTimeout is how long one measurement may take. A cell that is not done
// then is ended, and fails the run.
const cellTimeout = 10 * time.Minute

// key of a sample.
type key struct{ row, server string }

type comparison struct {
	options
	stop   <-chan os.Signal
	order  cell.Order // what all cells have in common
	size   cell.Size
	values map[key][]cell.Sample // by round
	failed []string
	begun  time.Time
}

func newComparison(o options, stop <-chan os.Signal) *comparison {
	return &comparison{options: o, stop: stop, values: map[key][]cell.Sample{}, size: sizeOf(o.quick), begun: time.Now().UTC()}
}

func sizeOf(quick bool) cell.Size {
	const mib = 1 << 20
	if quick {
		return cell.Size{
			Bytes: 2 << 30, Time: time.Second, Big: 256 * mib, Medium: 64 * mib, Small: 500, Logins: time.Second,
			Entries: 100000, Idle: 2000, IdleFew: 200, Settle: 2 * time.Second, Noop: 2 * time.Second, Durables: 50, Rate: 3 * time.Second,
		}
	}
	return cell.Size{
		Bytes: 8 << 30, Time: 4 * time.Second, Big: 1 << 30, Medium: 256 * mib, Small: 2000, Logins: 3 * time.Second,
		Entries: 100000, Idle: 10000, IdleFew: 500, Settle: 10 * time.Second, Noop: 5 * time.Second, Durables: 200, Rate: 10 * time.Second,
	}
}

var errStopped = errors.New("stopped")

func (c *comparison) run() error {
	if err := c.prepare(); err != nil {
		return err
	}
	defer func() { _ = errors.Join(os.Remove(c.order.Cgroup), os.RemoveAll(c.order.Disk)) }()
	if c.keep {
		if err := c.takeEarlier(); err != nil {
			return err
		}
	}
	for _, scenario := range c.scenarios() {
		if err := c.measure(scenario); err != nil {
			return err
		}
		if err := c.report(); err != nil { // what there is so far outlives a broken run
			return err
		}
	}
	fmt.Printf("\nResults: %s\n", filepath.Join(c.dir, "results.md"))
	if len(c.failed) > 0 {
		return fmt.Errorf("%d measurements failed:\n  %s", len(c.failed), strings.Join(c.failed, "\n  "))
	}
	return nil
}

// scenarios in the order of the rows.
func (c *comparison) scenarios() []string {
	var names []string
	for _, r := range rows {
		if !slices.Contains(names, r.Scenario) && matches(c.rows, r.Scenario) && !(c.quick && r.Full && c.rows == "") {
			names = append(names, r.Scenario)
		}
	}
	return names
}

func matches(list, name string) bool {
	return list == "" || slices.ContainsFunc(strings.Split(list, ","), func(part string) bool {
		isName := slices.ContainsFunc(rows, func(r row) bool { return r.Scenario == part })
		return part == name || !isName && strings.Contains(name, part)
	})
}

// measure does all rounds of a scenario. The servers take turns within each
// round, each round beginning with another.
func (c *comparison) measure(scenario string) error {
	var taking []*servers.Server
	for _, s := range servers.All {
		if takesPart(s, scenario) && (c.servers == "" || slices.Contains(strings.Split(c.servers, ","), s.Name)) {
			taking = append(taking, s)
		}
	}
	rounds := c.rounds
	for _, r := range rows {
		if r.Scenario == scenario && r.Rounds > 0 {
			rounds = min(rounds, r.Rounds)
		}
	}
	for round := range rounds {
		for i := range taking {
			s := taking[(i+round)%len(taking)]
			begun := time.Now()
			samples, err := c.cell(scenario, s.Name)
			if errors.Is(err, errStopped) {
				return err
			}
			if err != nil {
				fmt.Printf("%-18s %d/%d %-13s FAILED: %v\n", scenario, round+1, rounds, s.Name, err)
				c.failed = append(c.failed, fmt.Sprintf("%s, %s, round %d: %s", scenario, s.Name, round+1, firstLine(err)))
				continue
			}
			for name, sample := range samples {
				k := key{name, s.Name}
				for len(c.values[k]) < round { // of rounds that failed
					c.values[k] = append(c.values[k], cell.Sample{})
				}
				c.values[k] = append(c.values[k], sample)
			}
			fmt.Printf("%-18s %d/%d %-13s %5.1fs  %s\n", scenario, round+1, rounds, s.Name, time.Since(begun).Seconds(), brief(samples))
		}
	}
	return nil
}

func firstLine(err error) string {
	line, _, more := strings.Cut(err.Error(), "\n")
	if more {
		line += " …"
	}
	return line
}

func brief(samples map[string]cell.Sample) string {
	var parts []string
	for _, r := range rows {
		if s, ok := samples[r.Name]; ok {
			parts = append(parts, fmt.Sprintf("%s %s", number(s.Value), r.Unit))
		}
	}
	return strings.Join(parts, ", ")
}

// cell runs one measurement in namespaces of its own and ends all that is in
// them, whatever has come of it.
func (c *comparison) cell(scenario, server string) (map[string]cell.Sample, error) {
	o := c.order
	o.Scenario, o.Server = scenario, server
	if c.profile != "" && server == servers.Ours {
		o.Profile = filepath.Join(c.profile, scenario+".perf")
	}
	order, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	var out, errs bytes.Buffer
	cmd := exec.Command(filepath.Join(c.dir, "bench"), "cell", string(order))
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = cell.Attributes()
	started := make(chan error)
	ended := make(chan error, 1)
	go func() { // the thread must live as long as the cell, whose death signal hangs on it
		ended <- cell.Pinned(c.order.ClientCPUs, func() error {
			err := cmd.Start()
			started <- err
			if err != nil {
				return err
			}
			return cmd.Wait()
		})
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	err = c.await(cmd, ended)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, errs.String())
	}
	var r cell.Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return nil, fmt.Errorf("the cell gave no result: %w: %s", err, out.String())
	}
	if r.Error != "" {
		return nil, errors.New(r.Error)
	}
	return r.Samples, nil
}

func (c *comparison) await(cmd *exec.Cmd, ended <-chan error) error {
	var err error
	select {
	case err = <-ended:
	case <-time.After(cellTimeout):
		err = errors.Join(fmt.Errorf("not done after %s", cellTimeout), endCell(cmd, ended))
	case <-c.stop:
		err = errors.Join(errStopped, endCell(cmd, ended))
	}
	return errors.Join(err, c.emptied())
}

// endCell ends the first process of the namespaces, and with it all others.
func endCell(cmd *exec.Cmd, ended <-chan error) error {
	err := cmd.Process.Kill()
	if <-ended == nil {
		return errors.New("a cell has ended well though it was killed")
	}
	return err
}

// emptied waits until the kernel has ended all processes of the server.
func (c *comparison) emptied() error {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		procs, err := os.ReadFile(filepath.Join(c.order.Cgroup, "cgroup.procs"))
		if err != nil || len(procs) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("processes of a server outlive their namespaces")
		}
	}
}

// prepare makes what all cells use.
func (c *comparison) prepare() error {
	if os.Geteuid() != 0 {
		return errors.New("this needs root: for network namespaces and pinning")
	}
	if c.disk == "" {
		return errors.New("-disk is missing: name a directory on a disk")
	}
	var err error
	if c.dir, err = filepath.Abs(c.dir); err != nil {
		return err
	}
	if c.profile != "" {
		if c.profile, err = filepath.Abs(c.profile); err != nil {
			return err
		}
	}
	in := func(name string) string { return filepath.Join(c.dir, name) }
	c.order = cell.Order{
		ServerCPUs: c.serverCPUs, ClientCPUs: c.clientCPUs, Size: c.size, Bin: c.dir, Overlay: c.overlay,
		Disk: filepath.Join(c.disk, "durable"), // the rest of it is not ours
		Work: in("work"), Payload: in("shared/payload"), Cert: in("shared/cert.pem"), Key: in("shared/key.pem"), Both: in("shared/both.pem"),
	}
	for _, dir := range []string{in("work"), in("shared"), c.order.Disk, cmp.Or(c.profile, c.dir)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := spread(c.order.Disk); err != nil {
		return err
	}
	// run.sh has given this process its own mounts: they end with it.
	if err := unix.Mount("tmpfs", in("shared"), "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("tmpfs: %w", err)
	}
	if err := c.writePayload(); err != nil {
		return err
	}
	if err := c.writeCertificate(); err != nil {
		return err
	}
	hash := exec.Command(in("ftpserver"), "hash-password")
	hash.Stdin = strings.NewReader(servers.Password + "\n")
	out, err := hash.Output()
	if err != nil {
		return fmt.Errorf("ftpserver hash-password: %w", err)
	}
	c.order.Hash = strings.TrimSpace(string(out))
	c.order.Cgroup, err = makeCgroup()
	return err
}

// spread asks ext4 to lay directories that are made in dir far from each other, as if
// it were the root: what was removed with one is not in the way of another then.
// Other file systems need no such thing.
func spread(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	flags, err := unix.IoctlGetUint32(int(d.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil {
		_ = unix.IoctlSetPointerInt(int(d.Fd()), unix.FS_IOC_SETFLAGS, int(flags|topDirectory))
	}
	return nil
}

const topDirectory = 0x00020000 // FS_TOPDIR_FL

// makeCgroup makes a group of control group version 2, whose processor time
// counts also processes that have ended.
func makeCgroup() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		before, after, _ := strings.Cut(line, " - ")
		if fields := strings.Fields(before); strings.HasPrefix(after, "cgroup2 ") && len(fields) > 4 {
			left, _ := filepath.Glob(filepath.Join(fields[4], "ftp-bench-*"))
			for _, dir := range left { // of runs that were killed; one in use stays
				_ = os.Remove(dir)
			}
			dir := filepath.Join(fields[4], fmt.Sprintf("ftp-bench-%d", os.Getpid()))
			return dir, os.Mkdir(dir, 0o755)
		}
	}
	return "", errors.New("there is no control group version 2 on this machine")
}

func (c *comparison) writePayload() error {
	f, err := os.Create(c.order.Payload)
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	random := mathrand.NewChaCha8([32]byte{1})
	for at := int64(0); at < c.size.Big; at += int64(len(block)) {
		_, _ = random.Read(block)
		if _, err := f.Write(block); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(f.Close(), os.Chmod(c.order.Payload, 0o644))
}

// writeCertificate makes the one that all servers have: ECDSA with P-256.
func (c *comparison) writeCertificate() error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench.test"}, DNSNames: []string{"bench.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	return errors.Join(
		os.WriteFile(c.order.Cert, cert, 0o644),
		// Servers refuse a key that others can read.
		os.WriteFile(c.order.Key, key, 0o600), os.Chown(c.order.Key, servers.UserID, servers.UserID),
		os.WriteFile(c.order.Both, slices.Concat(key, cert), 0o600),
	)
}

// machine describes where this runs.
func machine() string {
	var name unix.Utsname
	_ = unix.Uname(&name)
	model := "unknown processor"
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d × %s, Linux %s, %s", runtime.NumCPU(), model, unix.ByteSliceToString(name.Release[:]), runtime.Version())
}
