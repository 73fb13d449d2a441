package telemetry

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestTLSMetrics(t *testing.T) {
	m := NewMetrics("v1")
	for range 3 {
		m.HandshakeBegins()
	}
	m.HandshakeEnds("control", "")
	m.HandshakeEnds("data", "timeout")
	m.StapleFetched("good")
	m.StapleFetched("failed")
	m.StapleExpiry("tls.crt", time.Unix(2000000000, 0))
	m.StapleExpiry("old.crt", time.Unix(1000000000, 0))
	m.StapleExpiry("old.crt", time.Time{})
	const want = `
# HELP ftpserver_ocsp_fetches_total Questions to OCSP responders, by what came of them.
# TYPE ftpserver_ocsp_fetches_total counter
ftpserver_ocsp_fetches_total{result="failed"} 1
ftpserver_ocsp_fetches_total{result="good"} 1
# HELP ftpserver_ocsp_staple_next_update_timestamp_seconds Until when the OCSP response that is shown with a certificate is good, in Unix time.
# TYPE ftpserver_ocsp_staple_next_update_timestamp_seconds gauge
ftpserver_ocsp_staple_next_update_timestamp_seconds{file="tls.crt"} 2e+09
# HELP ftpserver_tls_handshakes_failed_total TLS handshakes that failed, by connection and reason.
# TYPE ftpserver_tls_handshakes_failed_total counter
ftpserver_tls_handshakes_failed_total{connection="data",reason="timeout"} 1
# HELP ftpserver_tls_handshakes_in_progress TLS handshakes of control and data connections that have begun and not ended.
# TYPE ftpserver_tls_handshakes_in_progress gauge
ftpserver_tls_handshakes_in_progress 1
`
	err := testutil.GatherAndCompare(m.registry, strings.NewReader(want),
		"ftpserver_ocsp_fetches_total", "ftpserver_ocsp_staple_next_update_timestamp_seconds",
		"ftpserver_tls_handshakes_failed_total", "ftpserver_tls_handshakes_in_progress")
	if err != nil {
		t.Error(err)
	}
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
