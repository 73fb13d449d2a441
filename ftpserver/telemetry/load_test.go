package telemetry

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestLoad: what an autoscaler goes by is told as it is at each scrape, and asked for once.
func TestLoad(t *testing.T) {
	m, limit, stuck, asked := NewMetrics("test"), 0, 0, 0
	m.Follow(Load{
		SessionLimit: func() int { return limit }, PassivePorts: func() (int, int, int) { asked++; return 8, 3, 2 },
		AcceptFailures: func() uint64 { return 5 }, StuckLoops: func() int { return stuck },
	})
	const want = `
# HELP ftpserver_passive_ports Passive ports that can be given out.
# TYPE ftpserver_passive_ports gauge
ftpserver_passive_ports 8
# HELP ftpserver_passive_ports_in_use Passive ports at which a data connection is awaited, or may still come.
# TYPE ftpserver_passive_ports_in_use gauge
ftpserver_passive_ports_in_use 3
# HELP ftpserver_passive_ports_waiting Requests that wait for a passive port.
# TYPE ftpserver_passive_ports_waiting gauge
ftpserver_passive_ports_waiting 2
# HELP ftpserver_accept_failures_total Tries to accept a connection that failed, for want of descriptors or memory.
# TYPE ftpserver_accept_failures_total counter
ftpserver_accept_failures_total 5
# HELP ftpserver_accept_loops_stuck Ports on which connections are not taken any more, as the server is stuck.
# TYPE ftpserver_accept_loops_stuck gauge
ftpserver_accept_loops_stuck STUCK
# HELP ftpserver_sessions_limit Control connections that there may be at once; +Inf: any number.
# TYPE ftpserver_sessions_limit gauge
ftpserver_sessions_limit LIMIT
`
	compare := func(told, loops string) {
		t.Helper()
		text := strings.NewReplacer("LIMIT", told, "STUCK", loops).Replace(want)
		if err := testutil.GatherAndCompare(m.registry, strings.NewReader(text), "ftpserver_passive_ports", "ftpserver_passive_ports_in_use",
			"ftpserver_passive_ports_waiting", "ftpserver_accept_failures_total", "ftpserver_accept_loops_stuck", "ftpserver_sessions_limit"); err != nil {
			t.Error(err)
		}
	}
	compare("+Inf", "0")
	limit, stuck = 200, 1 // the configuration has changed
	compare("200", "1")
	if asked != 2 {
		t.Errorf("in 2 scrapes the passive ports were asked for %d times", asked)
	}
}
