package telemetry

import (
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const namespace = "ftpserver"

// Metrics counts what the server does, in a registry of its own. Its methods
// are safe for concurrent use. Words passed as reason, result, direction or
// outcome become labels: they must be constants of the caller, never a
// client's text.
type Metrics struct {
	registry *prometheus.Registry
	sessions sessions
	tls      tlsMetrics

	opened          prometheus.Counter
	refused         *prometheus.CounterVec
	closed          *prometheus.CounterVec
	logins          *prometheus.CounterVec
	loginsDelayed   prometheus.Counter
	lockouts        *prometheus.CounterVec
	commands        *prometheus.CounterVec
	transfers       *prometheus.CounterVec
	transferTime    *prometheus.HistogramVec
	transferSize    *prometheus.HistogramVec
	bytes           *prometheus.CounterVec
	xferlogDropped  prometheus.Counter
	proxied         *prometheus.CounterVec
	passiveWait     *prometheus.HistogramVec
	passiveRejected *prometheus.CounterVec
	dataTLS         *prometheus.CounterVec
	dataSessions    *prometheus.CounterVec
	uploadEnds      *prometheus.CounterVec
	reloads         *prometheus.CounterVec
	reloadOK        prometheus.Gauge
	certExpiry      *prometheus.GaugeVec
}

// NewMetrics returns metrics for a process of that version, with those of the
// Go runtime and the process beside.
func NewMetrics(version string) *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := promauto.With(r)
	f.NewGaugeVec(gauge("build_info", "Always 1; the labels tell the build."), []string{"version", "goversion"}).
		WithLabelValues(version, runtime.Version()).Set(1)
	return &Metrics{
		registry: r,
		sessions: newSessions(r),
		tls:      newTLSMetrics(f),

		opened:          f.NewCounter(counter("sessions_opened_total", "Control connections accepted.")),
		refused:         f.NewCounterVec(counter("sessions_refused_total", "Control connections turned away at once, by reason."), []string{"reason"}),
		closed:          f.NewCounterVec(counter("sessions_closed_total", "Control connections ended, by reason."), []string{"reason"}),
		logins:          f.NewCounterVec(counter("logins_total", "Login attempts by result."), []string{"result"}),
		loginsDelayed:   f.NewCounter(counter("logins_delayed_total", "Logins that had to wait, as others had failed before.")),
		lockouts:        f.NewCounterVec(counter("login_lockouts_total", "Lockouts begun: of a user at an address, or of an address."), []string{"of"}),
		commands:        f.NewCounterVec(counter("commands_total", "Commands by verb and class of the reply."), []string{"verb", "code"}),
		transfers:       f.NewCounterVec(counter("transfers_total", "Transfers ended, by direction and outcome."), []string{"direction", "outcome"}),
		transferTime:    f.NewHistogramVec(histogram("transfer_duration_seconds", "How long transfers took.", durations), []string{"direction", "outcome"}),
		transferSize:    f.NewHistogramVec(histogram("transfer_size_bytes", "Size of transfers.", sizes), []string{"direction"}),
		bytes:           f.NewCounterVec(counter("transferred_bytes_total", "Bytes of data connections, counted as they go."), []string{"direction"}),
		xferlogDropped:  f.NewCounter(counter("xferlog_dropped_total", "Lines of the transfer log that could not be written.")),
		proxied:         f.NewCounterVec(counter("proxy_connections_total", "Connections from networks that the PROXY protocol is trusted from, by what their header told."), []string{"port", "outcome"}),
		passiveWait:     f.NewHistogramVec(histogram("passive_wait_seconds", "Wait for a passive port, by outcome.", waits), []string{"outcome"}),
		passiveRejected: f.NewCounterVec(counter("passive_rejected_total", "Connections to passive ports that belonged to no transfer, by reason."), []string{"reason"}),
		dataTLS:         f.NewCounterVec(counter("data_tls_handshakes_total", "TLS handshakes of data connections."), []string{"resumed"}),
		dataSessions:    f.NewCounterVec(counter("data_tls_sessions_total", "TLS data connections taken, by whose TLS session they had resumed."), []string{"resumed"}),
		uploadEnds:      f.NewCounterVec(counter("upload_tls_ends_total", "How uploads over TLS ended: by close_notify, or without."), []string{"close_notify"}),
		reloads:         f.NewCounterVec(counter("config_reloads_total", "Reloads of the configuration by outcome."), []string{"outcome"}),
		reloadOK:        f.NewGauge(gauge("config_last_reload_successful", "1 if the newest configuration is in force, 0 if it was refused.")),
		certExpiry:      f.NewGaugeVec(gauge("certificate_not_after_timestamp_seconds", "When a certificate in use expires, in Unix time."), []string{"file"}),
	}
}

// SessionOpened counts a control connection, which begins as StateConnected.
func (m *Metrics) SessionOpened() {
	m.opened.Inc()
	m.sessions.add(StateConnected, 1)
}

// SessionRefused counts a control connection that got no session.
func (m *Metrics) SessionRefused(reason string) { m.refused.WithLabelValues(reason).Inc() }

// SessionState moves a session from one state to another.
func (m *Metrics) SessionState(old, new SessionState) {
	m.sessions.add(old, -1)
	m.sessions.add(new, 1)
}

// SessionClosed counts the end of a session. The caller has moved it to
// StateClosed before.
func (m *Metrics) SessionClosed(reason string) { m.closed.WithLabelValues(reason).Inc() }

// SessionCounts returns how many sessions are in each state. Together they are
// all that live.
func (m *Metrics) SessionCounts() map[string]int {
	out := make(map[string]int, len(m.sessions))
	for state, n := range m.sessions {
		out[string(state)] = int(n.Load())
	}
	return out
}

// LoginResult counts an attempt to log in.
func (m *Metrics) LoginResult(result string) { m.logins.WithLabelValues(result).Inc() }

// LoginDelayed counts an attempt to log in that had to wait.
func (m *Metrics) LoginDelayed() { m.loginsDelayed.Inc() }

// Lockout counts a lockout that begins. It is of a user or an address.
func (m *Metrics) Lockout(of string) { m.lockouts.WithLabelValues(of).Inc() }

// Command counts a command, in upper case, and the first digit of the code it
// was answered with.
func (m *Metrics) Command(verb string, code int) {
	m.commands.WithLabelValues(verbLabel(verb), codeClass(code)).Inc()
}

// TransferBytes counts bytes while they are transferred. The direction is
// upload, download or listing.
func (m *Metrics) TransferBytes(direction string, n int64) {
	if n > 0 {
		m.bytes.WithLabelValues(direction).Add(float64(n))
	}
}

// TransferDone counts a transfer that has ended: its direction is upload,
// download or listing, its outcome complete, aborted or failed. Its bytes were
// counted by TransferBytes; here they tell its size.
func (m *Metrics) TransferDone(direction, outcome string, bytes int64, d time.Duration) {
	m.transfers.WithLabelValues(direction, outcome).Inc()
	m.transferTime.WithLabelValues(direction, outcome).Observe(d.Seconds())
	m.transferSize.WithLabelValues(direction).Observe(float64(bytes))
}

// XferlogDropped counts a line of the transfer log that could not be written.
func (m *Metrics) XferlogDropped() { m.xferlogDropped.Inc() }

// ProxyConnection counts a connection to a port, control or data, from where the
// PROXY protocol is believed.
func (m *Metrics) ProxyConnection(port, outcome string) {
	m.proxied.WithLabelValues(port, outcome).Inc()
}

// PassiveWait counts a wait for a passive port.
func (m *Metrics) PassiveWait(d time.Duration, outcome string) {
	m.passiveWait.WithLabelValues(outcome).Observe(d.Seconds())
}

// PassiveRejected counts a connection to a passive port that was turned away.
func (m *Metrics) PassiveRejected(reason string) { m.passiveRejected.WithLabelValues(reason).Inc() }

// DataTLS counts a TLS handshake of a data connection.
func (m *Metrics) DataTLS(resumed bool) {
	m.dataTLS.WithLabelValues(strconv.FormatBool(resumed)).Inc()
}

// DataSession counts a data connection by whose TLS session it has resumed.
func (m *Metrics) DataSession(whose string) { m.dataSessions.WithLabelValues(whose).Inc() }

// UploadEnd counts the end of an upload over TLS: with TLS's close_notify, or
// with none.
func (m *Metrics) UploadEnd(closeNotify bool) {
	m.uploadEnds.WithLabelValues(strconv.FormatBool(closeNotify)).Inc()
}

// Reload counts a reload and tells whether the newest configuration is in force.
func (m *Metrics) Reload(ok bool) {
	if ok {
		m.reloads.WithLabelValues("loaded").Inc()
		m.reloadOK.Set(1)
		return
	}
	m.reloads.WithLabelValues("refused").Inc()
	m.reloadOK.Set(0)
}

// CertificateExpiry tells when the certificate of that file expires. A zero
// time takes the file off: it is no longer in use.
func (m *Metrics) CertificateExpiry(file string, t time.Time) {
	if t.IsZero() {
		m.certExpiry.DeleteLabelValues(file)
		return
	}
	m.certExpiry.WithLabelValues(file).Set(float64(t.Unix()))
}
