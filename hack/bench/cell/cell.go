package cell

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/hack/bench/client"
	"github.com/ftp-operator/ftp-operator/hack/bench/servers"
)

type cell struct {
	Order
	server    *servers.Server
	scenario  scenario
	tls       bool
	root, dir string
	output    output
	payload   client.Payload
}

// Run does what the order says, in this process.
func Run(o Order) Result {
	c := &cell{Order: o}
	samples, err := c.run()
	if err != nil {
		return Result{Error: err.Error()}
	}
	return Result{Samples: samples}
}

func (c *cell) run() (map[string]Sample, error) {
	var err error
	if c.server, err = servers.Named(c.Server); err != nil {
		return nil, err
	}
	known := false
	if c.scenario, known = scenarios[c.Scenario]; !known {
		return nil, fmt.Errorf("there is no scenario %q", c.Scenario)
	}
	c.tls = c.scenario.tls != nil
	if err := c.enter(); err != nil {
		return nil, fmt.Errorf("namespaces: %w", err)
	}
	if err := c.openPayload(); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	if err := c.startServer(); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Server, err)
	}
	samples, err := c.scenario.run(c)
	if said := c.output.String(); err != nil && said != "" {
		err = fmt.Errorf("%w; the server says: %s", err, said)
	}
	return samples, err
}

func (c *cell) openPayload() error {
	f, err := os.Open(c.Payload)
	if err != nil {
		return err
	}
	content, err := unix.Mmap(int(f.Fd()), 0, int(c.Size.Big), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	c.payload = client.Payload{File: int(f.Fd()), Content: content}
	files = append(files, f)
	return nil
}

// files stay open as long as the cell: their descriptors are used bare.
var files []*os.File

// show puts a file with the first size bytes of the payload into the served
// directory.
func (c *cell) show(size int64) error {
	path := filepath.Join(c.root, "file")
	if size == c.Size.Big { // by a mount, which costs no time
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			return err
		}
		return errors.Join(unix.Mount(c.Payload, path, "", unix.MS_BIND, ""))
	}
	if err := os.WriteFile(path, c.payload.Content[:size], 0o644); err != nil {
		return err
	}
	return os.Chown(path, servers.UserID, servers.UserID)
}

func (c *cell) open() (*client.Session, error) {
	s, err := client.Open(client.Options{Server: address, User: servers.User, Password: servers.Password, TLS: c.scenario.tls})
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	return s, nil
}

// meter takes the time and the processor time of what is measured.
type meter struct {
	c           *cell
	begun       time.Time
	server, own time.Duration
	perf        *exec.Cmd // nil: no profile is asked for
}

func (c *cell) measure() (*meter, error) {
	m := &meter{c: c}
	var err error
	if c.Profile != "" {
		if m.perf, err = c.record(); err != nil {
			return nil, err
		}
	}
	m.own = ownCPU()
	m.server, err = c.cpu()
	m.begun = time.Now()
	return m, err
}

// stop returns the sample of n units that were moved since measure.
func (m *meter) stop(n float64) (Sample, error) {
	took := time.Since(m.begun).Seconds()
	own := ownCPU() - m.own
	now, err := m.c.cpu()
	if m.perf != nil {
		_ = m.perf.Process.Signal(os.Interrupt)
		_ = m.perf.Wait() // it ends by the signal
	}
	if n <= 0 || took <= 0 {
		return Sample{}, errors.Join(err, errors.New("nothing was measured"))
	}
	return Sample{
		Value:      n / took,
		CPU:        (now - m.server).Seconds() / n,
		ClientBusy: own.Seconds() / took / float64(len(m.c.ClientCPUs)),
	}, err
}

// record starts perf on the server's processes.
func (c *cell) record() (*exec.Cmd, error) {
	pids, err := c.processes()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("perf", "record", "-q", "-F", "997", "-g", "-o", c.Profile, "-p", strings.Join(pids, ","))
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("perf: %w", err)
	}
	time.Sleep(300 * time.Millisecond) // it says nothing when it is ready
	return cmd, nil
}

func ownCPU() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// parallel runs f n times at once.
func parallel(n int, f func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = f(i) })
	}
	all.Wait()
	return errors.Join(errs...)
}

var (
	tls12 = &client.TLS{Version: tls.VersionTLS12}
	tls13 = &client.TLS{Version: tls.VersionTLS13}
)

// Attributes are those of the process that runs a cell.
func Attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
}
