package cell

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/hack/bench/client"
	"github.com/ftp-operator/ftp-operator/hack/bench/servers"
	"github.com/ftp-operator/ftp-operator/hack/bench/stats"
)

// loginClients is how many log in at a time.
const loginClients = 4

// logins counts logins with all that belongs to one: connection, handshake,
// password, end.
func (c *cell) logins() (Sample, error) {
	if s, err := c.open(); err != nil {
		return Sample{}, err
	} else if err := s.Quit(); err != nil {
		return Sample{}, err
	}
	m, err := c.measure()
	if err != nil {
		return Sample{}, err
	}
	until := time.Now().Add(c.Size.Logins)
	var done atomic.Int64
	err = parallel(loginClients, func(int) error {
		for time.Now().Before(until) {
			s, err := c.open()
			if err != nil {
				return err
			}
			if err := s.Quit(); err != nil {
				return err
			}
			done.Add(1)
		}
		return nil
	})
	if err != nil {
		return Sample{}, err
	}
	return m.stop(float64(done.Load()))
}

// idle opens many sessions, each of which downloads a small file and lists a
// directory once, and weighs the server when they have rested: with a tenth of
// them, and with all. What the others have added is theirs, and nothing of what
// a server needs at its start.
func (c *cell) idle() (Sample, error) {
	if err := c.show(smallSize); err != nil {
		return Sample{}, err
	}
	number, err := c.idleNumber()
	if err != nil {
		return Sample{}, err
	}
	first := number / 10
	sessions := make([]*client.Session, number)
	before, _, err := c.weigh(sessions, 0, first)
	if err != nil {
		return Sample{}, err
	}
	after, processes, err := c.weigh(sessions, first, number)
	if err != nil {
		return Sample{}, err
	}
	for i, s := range sessions { // all are there and serve
		if _, err := s.Command("NOOP", 200); err != nil {
			return Sample{}, fmt.Errorf("session %d after the rest: %w", i, err)
		}
	}
	return Sample{
		Value: float64(after-before) / float64(number-first) / 1024,
		Note:  fmt.Sprintf("%d sessions", number),
		More: map[string]float64{
			"sessions": float64(number), "processes": float64(processes),
			"firstKiB": float64(before) / 1024, "allKiB": float64(after) / 1024,
		},
	}, nil
}

// idleNumber is how many sessions the server can be expected to hold.
func (c *cell) idleNumber() (int, error) {
	if c.server.PerSession {
		return min(c.Size.Idle, c.Size.IdleFew), nil
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	const others = 500 // listeners, data connections, files
	return min(c.Size.Idle, int(limit.Max)-others), nil
}

// weigh uses the sessions from one to before another, and returns the server's
// memory when they have rested.
func (c *cell) weigh(sessions []*client.Session, from, to int) (total int64, processes int, err error) {
	const openers = 8
	err = parallel(openers, func(i int) error {
		for i += from; i < to; i += openers {
			if err := c.useOnce(sessions, i); err != nil {
				return fmt.Errorf("session %d: %w", i, err)
			}
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	time.Sleep(c.Size.Settle)
	return c.memory()
}

func (c *cell) useOnce(sessions []*client.Session, i int) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	sessions[i] = s
	if n, err := s.Retrieve("file"); err != nil || n != smallSize {
		return errors.Join(err, fmt.Errorf("RETR: %d bytes", n))
	}
	l, err := s.List("LIST")
	if err == nil && l.Entries == 0 {
		err = errors.New("LIST: nothing")
	}
	return err
}

// listing lists a large directory.
func (c *cell) listing() (map[string]Sample, error) {
	dir := filepath.Join(c.root, "large")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	for i := range c.Size.Entries {
		fd, err := unix.Open(filepath.Join(dir, fmt.Sprintf("file-%06d.dat", i)), unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
		if err != nil {
			return nil, err
		}
		_ = unix.Close(fd)
	}
	s, err := c.open()
	if err != nil {
		return nil, err
	}
	if _, err := s.Command("CWD large", 250); err != nil {
		return nil, err
	}
	samples := map[string]Sample{}
	verbs := []string{"LIST"}
	if c.server.MLSD {
		verbs = append(verbs, "MLSD")
	}
	for _, verb := range verbs {
		if err := c.listOnce(s, verb, samples); err != nil {
			return nil, err
		}
	}
	return samples, s.Quit()
}

func (c *cell) listOnce(s *client.Session, verb string, samples map[string]Sample) error {
	if err := c.resetPeak(); err != nil {
		return err
	}
	before, _, err := c.peak()
	if err != nil {
		return err
	}
	m, err := c.measure()
	if err != nil {
		return err
	}
	l, err := s.List(verb)
	if err != nil {
		return err
	}
	sample, err := m.stop(1)
	if err != nil {
		return err
	}
	after, _, err := c.peak()
	if err != nil {
		return err
	}
	// MLSD may tell of "." and "..", LIST of a total.
	if l.Entries < c.Size.Entries || l.Entries > c.Size.Entries+3 {
		return fmt.Errorf("%s: %d lines of a directory of %d", verb, l.Entries, c.Size.Entries)
	}
	name := map[string]string{"LIST": "list", "MLSD": "mlsd"}[verb]
	sample.Value = l.Total.Seconds() * 1000
	samples[name+"-total"] = sample
	samples[name+"-first"] = Sample{Value: l.First.Seconds() * 1000}
	samples[name+"-memory"] = Sample{Value: float64(after-before) / 1024}
	return nil
}

// Probe is what times NOOPs, in a process of its own.
type Probe struct {
	Version uint16 // of TLS; 0: plain
	Time    time.Duration
}

// noop times NOOPs, first at rest and then while eight clients download.
func (c *cell) noop() (map[string]Sample, error) {
	size := c.Size.Medium
	if err := c.show(size); err != nil {
		return nil, err
	}
	rest, err := c.probe(min(c.Size.Noop/4, time.Second))
	if err != nil {
		return nil, err
	}
	const clients = 8
	sessions, err := c.sessions(clients)
	if err != nil {
		return nil, err
	}
	m, err := c.measure()
	if err != nil {
		return nil, err
	}
	var stop atomic.Bool
	var moved atomic.Int64
	var times []float64
	err = parallel(clients+1, func(i int) error {
		if i == clients {
			defer stop.Store(true)
			var err error
			times, err = c.probe(c.Size.Noop)
			return err
		}
		for !stop.Load() {
			n, err := sessions[i].Retrieve("file")
			if err != nil || n != size {
				return errors.Join(err, fmt.Errorf("RETR: %d bytes", n))
			}
			moved.Add(n)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	load, err := m.stop(float64(moved.Load()) / gib)
	name := "noop-plain"
	if c.tls {
		name = "noop-tls13"
	}
	more := map[string]float64{
		"number": float64(len(times)), "atRestP50": stats.Percentile(rest, 50), "atRestP99": stats.Percentile(rest, 99),
		"max": stats.Percentile(times, 100),
	}
	return map[string]Sample{
		name + "-p50":        {Value: stats.Percentile(times, 50), More: more},
		name + "-p99":        {Value: stats.Percentile(times, 99)},
		name + "-throughput": load,
	}, err
}

// probe runs the process that times NOOPs, in milliseconds each.
func (c *cell) probe(d time.Duration) ([]float64, error) {
	p := Probe{Time: d}
	if c.scenario.tls != nil {
		p.Version = c.scenario.tls.Version
	}
	order, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(c.Bin, "bench"), "probe", string(order))
	cmd.Stderr = os.Stderr
	var out []byte
	err = Pinned(c.ClientCPUs, func() error {
		// It goes before all others on its processor: what is measured is the
		// server's delay, and not that of a busy client.
		first := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 50}
		if err := unix.SchedSetAttr(0, &first, 0); err != nil {
			return fmt.Errorf("real-time priority: %w", err)
		}
		out, err = cmd.Output()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	var times []float64
	if err := json.Unmarshal(out, &times); err != nil || len(times) == 0 {
		return nil, fmt.Errorf("probe: no times: %w", errors.Join(err, errors.New(string(out))))
	}
	return times, nil
}

// probeInterval is the time between two NOOPs.
const probeInterval = 2 * time.Millisecond

// Run times NOOPs, in milliseconds.
func (p Probe) Run() ([]float64, error) {
	o := client.Options{Server: address, User: servers.User, Password: servers.Password}
	if p.Version != 0 {
		o.TLS = &client.TLS{Version: p.Version}
	}
	s, err := client.Open(o)
	if err != nil {
		return nil, err
	}
	var times []float64
	for until := time.Now().Add(p.Time); time.Now().Before(until); time.Sleep(probeInterval) {
		begun := time.Now()
		if _, err := s.Command("NOOP", 200); err != nil {
			return nil, err
		}
		times = append(times, time.Since(begun).Seconds()*1000)
	}
	return times, s.Quit()
}
