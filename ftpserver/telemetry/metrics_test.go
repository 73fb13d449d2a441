package telemetry

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// exercised has something to tell in every family.
func exercised() *Metrics {
	m := NewMetrics("v1.2.3")
	for range 3 {
		m.SessionOpened()
	}
	m.SessionState(StateConnected, StateAuthenticating)
	m.SessionState(StateAuthenticating, StateIdle)
	m.SessionState(StateConnected, StateClosed)
	m.SessionClosed("quit")
	m.LoginResult("accepted")
	m.LoginDelayed()
	m.Lockout("user")
	m.XferlogDropped()
	m.Command("RETR", 150)
	m.Command("RETR", 226)
	m.Command("EVIL\n", 500)
	m.Command("NOOP", 42)
	m.TransferBytes("upload", 1000)
	m.TransferBytes("upload", 24)
	m.TransferBytes("upload", 0)
	m.TransferDone("upload", "complete", 1024, 3*time.Second)
	m.PassiveWait(30*time.Millisecond, "granted")
	m.PassiveRejected("stranger")
	m.DataTLS(true)
	m.Reload(true)
	m.Reload(false)
	m.CertificateExpiry("tls.crt", time.Unix(2000000000, 0))
	m.CertificateExpiry("old.crt", time.Unix(1000000000, 0))
	m.CertificateExpiry("old.crt", time.Time{})
	return m
}

func TestMetrics(t *testing.T) {
	const want = `
# HELP ftpserver_sessions Control connections by what they are busy with.
# TYPE ftpserver_sessions gauge
ftpserver_sessions{state="authenticating"} 0
ftpserver_sessions{state="connected"} 1
ftpserver_sessions{state="draining"} 0
ftpserver_sessions{state="idle"} 1
ftpserver_sessions{state="transferring"} 0
# HELP ftpserver_sessions_opened_total Control connections accepted.
# TYPE ftpserver_sessions_opened_total counter
ftpserver_sessions_opened_total 3
# HELP ftpserver_sessions_closed_total Control connections ended, by reason.
# TYPE ftpserver_sessions_closed_total counter
ftpserver_sessions_closed_total{reason="quit"} 1
# HELP ftpserver_logins_total Login attempts by result.
# TYPE ftpserver_logins_total counter
ftpserver_logins_total{result="accepted"} 1
# HELP ftpserver_logins_delayed_total Logins that had to wait, as others had failed before.
# TYPE ftpserver_logins_delayed_total counter
ftpserver_logins_delayed_total 1
# HELP ftpserver_login_lockouts_total Lockouts begun: of a user at an address, or of an address.
# TYPE ftpserver_login_lockouts_total counter
ftpserver_login_lockouts_total{of="user"} 1
# HELP ftpserver_xferlog_dropped_total Lines of the transfer log that could not be written.
# TYPE ftpserver_xferlog_dropped_total counter
ftpserver_xferlog_dropped_total 1
# HELP ftpserver_commands_total Commands by verb and class of the reply.
# TYPE ftpserver_commands_total counter
ftpserver_commands_total{code="1xx",verb="RETR"} 1
ftpserver_commands_total{code="2xx",verb="RETR"} 1
ftpserver_commands_total{code="5xx",verb="other"} 1
ftpserver_commands_total{code="none",verb="NOOP"} 1
# HELP ftpserver_transfers_total Transfers ended, by direction and outcome.
# TYPE ftpserver_transfers_total counter
ftpserver_transfers_total{direction="upload",outcome="complete"} 1
# HELP ftpserver_transferred_bytes_total Bytes of data connections, counted as they go.
# TYPE ftpserver_transferred_bytes_total counter
ftpserver_transferred_bytes_total{direction="upload"} 1024
# HELP ftpserver_passive_rejected_total Connections to passive ports that belonged to no transfer, by reason.
# TYPE ftpserver_passive_rejected_total counter
ftpserver_passive_rejected_total{reason="stranger"} 1
# HELP ftpserver_data_tls_handshakes_total TLS handshakes of data connections.
# TYPE ftpserver_data_tls_handshakes_total counter
ftpserver_data_tls_handshakes_total{resumed="true"} 1
# HELP ftpserver_config_reloads_total Reloads of the configuration by outcome.
# TYPE ftpserver_config_reloads_total counter
ftpserver_config_reloads_total{outcome="loaded"} 1
ftpserver_config_reloads_total{outcome="refused"} 1
# HELP ftpserver_config_last_reload_successful 1 if the newest configuration is in force, 0 if it was refused.
# TYPE ftpserver_config_last_reload_successful gauge
ftpserver_config_last_reload_successful 0
# HELP ftpserver_certificate_not_after_timestamp_seconds When a certificate in use expires, in Unix time.
# TYPE ftpserver_certificate_not_after_timestamp_seconds gauge
ftpserver_certificate_not_after_timestamp_seconds{file="tls.crt"} 2e+09
`
	var names []string
	for line := range strings.Lines(want) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[1] == "TYPE" {
			names = append(names, fields[2])
		}
	}
	if err := testutil.GatherAndCompare(exercised().registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

func TestMetricsFollowPrometheusConventions(t *testing.T) {
	m := exercised()
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
	}
	for _, want := range []string{
		"ftpserver_build_info", "ftpserver_transfer_duration_seconds", "ftpserver_transfer_size_bytes",
		"ftpserver_passive_wait_seconds", "go_goroutines", "process_open_fds",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestSessionCounts(t *testing.T) {
	want := map[string]int{"connected": 1, "authenticating": 0, "idle": 1, "transferring": 0, "draining": 0}
	if got := exercised().SessionCounts(); !maps.Equal(got, want) {
		t.Errorf("counts = %v, want %v", got, want)
	}
}

// A client must not be able to make series.
func TestUnknownVerbsShareALabel(t *testing.T) {
	m := NewMetrics("v1")
	for _, verb := range []string{"", "A", "retr", "RETR ", "GET", strings.Repeat("X", 1000)} {
		m.Command(verb, 500)
	}
	if n := testutil.CollectAndCount(m.commands); n != 1 {
		t.Errorf("%d series, want one", n)
	}
}
