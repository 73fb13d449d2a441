package cell

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/hack/bench/servers"
)

// startTimeout is how long a server may take until it accepts.
const startTimeout = 20 * time.Second

var address = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), servers.Port)

// startServer starts the server on its processors and in its cgroup, and waits
// until it accepts.
func (c *cell) startServer() error {
	env := &servers.Env{
		Dir: c.dir, Root: c.root, Bin: c.Bin, TLS: c.tls, Cert: c.Cert, Key: c.Key, Both: c.Both,
		Hash: c.Hash, Durability: "None", Rate: c.scenario.rate,
	}
	if c.Scenario == Durable {
		env.Durability = "Full"
	}
	args, err := c.server.Command(env)
	if err != nil {
		return err
	}
	group, err := os.Open(c.Cgroup)
	if err != nil {
		return err
	}
	defer func() { _ = group.Close() }()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = &c.output, &c.output
	said, err := c.output.file() // one of the servers says to its standard input what is wrong
	if err != nil {
		return err
	}
	defer func() { _ = said.Close() }()
	cmd.Stdin = said
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	if c.server.AsUser {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: servers.UserID, Gid: servers.UserID}
	}
	if err := Pinned(c.ServerCPUs, cmd.Start); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", address.String(), time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case err := <-ended:
			return fmt.Errorf("it ended at its start: %w", errors.Join(err, errors.New(c.output.String())))
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it does not accept after %s: %s", startTimeout, c.output.String())
		}
	}
}

// output keeps the beginning of what a server writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.text.Len() < 8<<10 {
		_, _ = o.text.Write(p)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.TrimSpace(o.text.String())
}

// file is one that what is written to comes here.
func (o *output) file() (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go func() { _, _ = io.Copy(o, r) }()
	return w, nil
}

// cpu is the processor time that all processes of the server have taken, also
// those that have ended.
func (c *cell) cpu() (time.Duration, error) {
	data, err := os.ReadFile(filepath.Join(c.Cgroup, "cpu.stat"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if usec, ok := strings.CutPrefix(line, "usage_usec "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(usec), 10, 64)
			return time.Duration(n) * time.Microsecond, err
		}
	}
	return 0, errors.New("cpu.stat has no usage_usec")
}

// processes are those of the server.
func (c *cell) processes() ([]string, error) {
	data, err := os.ReadFile(filepath.Join(c.Cgroup, "cgroup.procs"))
	return strings.Fields(string(data)), err
}

// memory is the proportional set size of all processes of the server, in bytes.
func (c *cell) memory() (total int64, processes int, err error) {
	return c.sum("smaps_rollup", "Pss:")
}

// peak is the greatest resident set of each process of the server since
// resetPeak, added up, in bytes.
func (c *cell) peak() (total int64, processes int, err error) {
	return c.sum("status", "VmHWM:")
}

func (c *cell) resetPeak() error {
	pids, err := c.processes()
	for _, pid := range pids {
		if e := os.WriteFile("/proc/"+pid+"/clear_refs", []byte("5"), 0); e != nil && !gone(e) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// sum adds up a line "Name: N kB" of a file of each process.
func (c *cell) sum(file, name string) (total int64, processes int, err error) {
	pids, err := c.processes()
	if err != nil {
		return 0, 0, err
	}
	for _, pid := range pids {
		data, err := os.ReadFile("/proc/" + pid + "/" + file)
		if gone(err) {
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		for line := range strings.Lines(string(data)) {
			if fields := strings.Fields(line); len(fields) == 3 && fields[0] == name {
				n, err := strconv.ParseInt(fields[1], 10, 64)
				if err != nil {
					return 0, 0, err
				}
				total += n << 10
				processes++
			}
		}
	}
	return total, processes, nil
}

func gone(err error) bool { return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) }
