package controllers

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// notAfter is when certificates expire, on the operator's own /metrics.
var notAfter = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "ftp_operator_certificate_not_after_timestamp_seconds",
	Help: "When a certificate of a server expires: a given one by its name, the operator's own for it (own), its certificate authority (ca).",
}, []string{"namespace", "server", "certificate"})

func init() { metrics.Registry.MustRegister(notAfter) }

// ForgetExpiry empties the metric: a manager that is started in the place of an
// earlier one does not know what that one told, and would leave what has gone
// meanwhile.
func ForgetExpiry() { notAfter.Reset() }

// The names of the operator's own certificates in the metric. The schema keeps
// given ones from having them.
const (
	ownCertificate = "own"
	caCertificate  = "ca"
)

// expiry keeps the metric: a certificate or a server that goes leaves nothing
// behind that would set off an alarm later.
type expiry struct {
	mu   sync.Mutex
	told map[client.ObjectKey]map[string]time.Time
}

func newExpiry() *expiry {
	return &expiry{told: map[client.ObjectKey]map[string]time.Time{}}
}

// tell replaces what the metric says of a server.
func (e *expiry) tell(server client.ObjectKey, ends map[string]time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name := range e.told[server] {
		if _, stays := ends[name]; !stays {
			notAfter.DeleteLabelValues(server.Namespace, server.Name, name)
		}
	}
	for name, at := range ends {
		notAfter.WithLabelValues(server.Namespace, server.Name, name).Set(float64(at.Unix()))
	}
	if len(ends) == 0 {
		delete(e.told, server)
		return
	}
	e.told[server] = ends
}

func (e *expiry) forget(server client.ObjectKey) { e.tell(server, nil) }
