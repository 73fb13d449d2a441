package clients

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// replica is a server as far as a front sees it, which answers its check with a status.
type replica struct {
	status atomic.Int32
	opened atomic.Int32
}

// replicas run at addresses of their own and answer the check with a status, each a
// slot of a front, which runs once it knows that.
func replicas(t *testing.T, n int, status int32, state string) (*front, []*replica) {
	t.Helper()
	f := newFront(t, inCluster, "127.0.0.1")
	var out []*replica
	for i := range n {
		address, r := fmt.Sprintf("127.0.0.%d", 11+i), &replica{}
		r.status.Store(status)
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
		asked, control := listen(f.check), listen(f.control)
		go func() { _ = checks.Serve(asked) }()
		go r.greet(control, i)
		out, f.slots[i] = append(out, r), address
	}
	f.start(t)
	for i := range out {
		f.await(t, i, state)
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

// greeting is what a client of the front hears first, whose connection stays open
// until the test ends.
func (f *front) greeting(t *testing.T) string {
	t.Helper()
	conn := f.dial(t, frontNeighbour)
	buffer := make([]byte, len("220 slot0\r\n"))
	n, _ := io.ReadFull(conn, buffer)
	return strings.TrimSpace(string(buffer[:n]))
}

// TestFrontLeavesOutOlderServers: one that does not know the check, and would take a
// header for commands, gets no client, and a front that finds no other is not ready.
func TestFrontLeavesOutOlderServers(t *testing.T) {
	t.Parallel()
	f, slots := replicas(t, 2, http.StatusNotFound, "DOWN")
	if code, _ := f.get("/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("before older servers only, it answers %d", code)
	}
	if said := f.greeting(t); said != "" {
		t.Errorf("before older servers only, a client hears %q", said)
	}
	slots[1].status.Store(http.StatusOK) // it is replaced
	f.await(t, 1, "UP")
	eventually(t, 2*time.Minute, "with a server that takes sessions, the front is ready", f.ready)
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
	f, _ := replicas(t, 2, http.StatusOK, "UP")
	got := map[string]int{}
	for range 8 {
		got[f.greeting(t)]++
	}
	if got["220 slot0"] != 4 || got["220 slot1"] != 4 {
		t.Errorf("the sessions are %v", got)
	}
}
