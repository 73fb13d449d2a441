package clients

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/passive"
)

// soakPoint is what the server holds at rest.
type soakPoint struct {
	goroutines, threads, descriptors int
	heap, rss                        int64    // bytes; see soak.heap
	listening                        []string // addresses in hexadecimal digits
	sessions                         int64    // that were opened
}

func (p soakPoint) String() string {
	return fmt.Sprintf("%d goroutines, %d threads, %d descriptors, %d listening, heap %d KiB, resident %d KiB",
		p.goroutines, p.threads, p.descriptors, len(p.listening), p.heap>>10, p.rss>>10)
}

// settle waits until the server is at rest: without sessions, and with no more
// goroutines, descriptors and listening sockets than before the load.
func (s *soak) settle(before *soakPoint) soakPoint {
	s.t.Helper()
	deadline := time.Now().Add(3 * time.Minute) // passive ports that go stay more than a minute
	for {
		// What the runtime keeps for later, such as the pipes of splice(2), goes with
		// the garbage.
		heap := s.heap()
		p, restless := s.rest(before)
		if restless == "" {
			p.heap, p.rss = heap, s.resident()
			return p
		}
		if time.Now().After(deadline) {
			s.t.Logf("FTP_SOAK_SEED=%d; the last lines of the log:\n%s", s.seed, s.log.last())
			s.t.Fatalf("the server does not come to rest: %s", restless)
		}
		time.Sleep(50 * time.Millisecond) // between two looks
	}
}

// forget lets the time pass for which the server remembers ports that a late
// connection may come to: how many there are goes by the load of just before.
func (s *soak) forget(before *soakPoint) soakPoint {
	s.t.Helper()
	time.Sleep(passive.TombstoneTime) // by the server's own clock; nothing tells of its end
	return s.settle(before)
}

// rest tells what the server holds, and why it is not at rest.
func (s *soak) rest(before *soakPoint) (p soakPoint, why string) {
	s.t.Helper()
	m := scrape(s.t, s.server)
	http.DefaultClient.CloseIdleConnections()
	sessions := 0.0
	for name, n := range m {
		if strings.HasPrefix(name, "ftpserver_sessions{") {
			sessions += n
		}
	}
	p.sessions = int64(m["ftpserver_sessions_opened_total"])
	p.goroutines, p.threads = int(m["go_goroutines"]), int(m["go_threads"])
	listening, others := s.sockets(&p)
	p.listening = listening
	temporary := temporaries(s.t, s.server.root)
	switch {
	case sessions != 0:
		return p, fmt.Sprintf("%.0f sessions", sessions)
	case len(others) > 0:
		return p, fmt.Sprintf("sockets are open: %v", others)
	case temporary != 0:
		return p, fmt.Sprintf("temporaries of uploads hold %d bytes", temporary)
	case before == nil:
		return p, ""
	case p.goroutines > before.goroutines:
		return p, fmt.Sprintf("%d goroutines, before %d", p.goroutines, before.goroutines)
	case p.descriptors > before.descriptors:
		return p, fmt.Sprintf("%d descriptors, before %d", p.descriptors, before.descriptors)
	case !slices.Equal(p.listening, before.listening):
		return p, fmt.Sprintf("it listens on %v, before %v", p.listening, before.listening)
	}
	return p, ""
}

// tcpStates are those of /proc/net/tcp.
var tcpStates = map[string]string{
	"01": "ESTABLISHED", "02": "SYN_SENT", "03": "SYN_RECV", "04": "FIN_WAIT1", "05": "FIN_WAIT2", "06": "TIME_WAIT",
	"07": "CLOSE", "08": "CLOSE_WAIT", "09": "LAST_ACK", "0A": "LISTEN", "0B": "CLOSING",
}

// sockets counts the server's descriptors, and tells its sockets: where it
// listens, and all others with their state.
func (s *soak) sockets(p *soakPoint) (listening, others []string) {
	s.t.Helper()
	byInode := map[string][2]string{}
	for _, table := range []string{"tcp", "tcp6"} {
		data, err := os.ReadFile("/proc/net/" + table)
		s.must(err)
		for line := range strings.Lines(string(data)) {
			if f := strings.Fields(line); len(f) > 9 {
				byInode["socket:["+f[9]+"]"] = [2]string{f[1], tcpStates[f[3]]}
			}
		}
	}
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.server.cmd.Process.Pid))
	s.must(err)
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil {
			continue // closed meanwhile
		}
		p.descriptors++
		switch socket, tcp := byInode[to]; {
		case tcp && socket[1] == "LISTEN":
			listening = append(listening, socket[0])
		case tcp:
			others = append(others, socket[1])
		case strings.HasPrefix(to, "socket:"):
			others = append(others, "one of no connection")
		}
	}
	slices.Sort(listening)
	return listening, others
}

// heap is how much was in use when garbage was collected, in bytes, and 2 MiB at least:
// half of where the runtime sets the next goal (GOGC=100). What is allocated right after
// that can be twice as much and more, as what is garbage is given back piece by piece.
// To ask for it makes the garbage that has it collected. Two rounds empty the pools.
func (s *soak) heap() (bytes int64) {
	s.t.Helper()
	const last = "go_memstats_last_gc_time_seconds"
	before := scrape(s.t, s.server)[last]
	for rounds := 0; rounds < 3; {
		var m map[string]float64
		eventually(s.t, soakPatience, "garbage is collected", func() bool {
			m = scrape(s.t, s.server)
			return m[last] != before
		})
		before, bytes = m[last], int64(m["go_memstats_next_gc_bytes"])/2
		rounds++
	}
	return bytes
}

// resident is the memory of the process, in bytes.
func (s *soak) resident() int64 {
	s.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", s.server.cmd.Process.Pid))
	s.must(err)
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Rss:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			s.must(err)
			return kib << 10
		}
	}
	s.t.Fatal("no Rss in smaps_rollup")
	return 0
}
