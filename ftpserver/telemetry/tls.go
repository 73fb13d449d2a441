package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// tlsMetrics count what TLS does before and beside sessions.
type tlsMetrics struct {
	handshakes       prometheus.Gauge
	handshakesFailed *prometheus.CounterVec
	stapleEnds       *prometheus.GaugeVec
	stapleFetches    *prometheus.CounterVec
}

func newTLSMetrics(f promauto.Factory) tlsMetrics {
	return tlsMetrics{
		handshakes:       f.NewGauge(gauge("tls_handshakes_in_progress", "TLS handshakes of control and data connections that have begun and not ended.")),
		handshakesFailed: f.NewCounterVec(counter("tls_handshakes_failed_total", "TLS handshakes that failed, by connection and reason."), []string{"connection", "reason"}),
		stapleEnds:       f.NewGaugeVec(gauge("ocsp_staple_next_update_timestamp_seconds", "Until when the OCSP response that is shown with a certificate is good, in Unix time."), []string{"file"}),
		stapleFetches:    f.NewCounterVec(counter("ocsp_fetches_total", "Questions to OCSP responders, by what came of them."), []string{"result"}),
	}
}

// HandshakeBegins counts a TLS handshake that is now in progress.
func (m *Metrics) HandshakeBegins() { m.tls.handshakes.Inc() }

// HandshakeEnds counts its end. The connection is control or data; an empty
// reason is success.
func (m *Metrics) HandshakeEnds(connection, reason string) {
	m.tls.handshakes.Dec()
	if reason != "" {
		m.tls.handshakesFailed.WithLabelValues(connection, reason).Inc()
	}
}

// StapleFetched counts a question to an OCSP responder. The result is good,
// revoked, unknown or failed.
func (m *Metrics) StapleFetched(result string) { m.tls.stapleFetches.WithLabelValues(result).Inc() }

// StapleExpiry tells until when the response shown with the certificate of that
// file is good. A zero time: none is shown.
func (m *Metrics) StapleExpiry(file string, t time.Time) {
	if t.IsZero() {
		m.tls.stapleEnds.DeleteLabelValues(file)
		return
	}
	m.tls.stapleEnds.WithLabelValues(file).Set(float64(t.Unix()))
}
