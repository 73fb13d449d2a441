package telemetry

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Load says how much of what there is is taken. It is asked at each scrape, so it must
// be quick.
type Load struct {
	// SessionLimit is how many sessions there may be; 0: any number.
	SessionLimit func() int
	// PassivePorts are those that can be given out, those of them that a data
	// connection is awaited on or may still come to, and how many requests wait for one.
	PassivePorts func() (all, taken, waiting int)
	// AcceptFailures is how many tries to accept a connection have failed, and
	// StuckLoops how many loops that accept them are stuck.
	AcceptFailures func() uint64
	StuckLoops     func() int
}

// Follow adds the metrics of a load. It is to be called once.
func (m *Metrics) Follow(l Load) {
	f := promauto.With(m.registry)
	newGauge := func(o prometheus.GaugeOpts, value func() float64) { f.NewGaugeFunc(o, value) }
	newGauge(gauge("sessions_limit", "Control connections that there may be at once; +Inf: any number."), l.sessionLimit)
	newGauge(gauge("accept_loops_stuck", "Ports on which connections are not taken any more, as the server is stuck."), func() float64 { return float64(l.StuckLoops()) })
	f.NewCounterFunc(counter("accept_failures_total", "Tries to accept a connection that failed, for want of descriptors or memory."),
		func() float64 { return float64(l.AcceptFailures()) })
	m.registry.MustRegister(passivePorts(l.PassivePorts))
}

// passivePorts collects Load.PassivePorts, whose three figures are of one moment.
type passivePorts func() (all, taken, waiting int)

var (
	portsAll     = gaugeDesc("passive_ports", "Passive ports that can be given out.")
	portsTaken   = gaugeDesc("passive_ports_in_use", "Passive ports at which a data connection is awaited, or may still come.")
	portsWaiting = gaugeDesc("passive_ports_waiting", "Requests that wait for a passive port.")
)

// Describe is of prometheus.Collector.
func (p passivePorts) Describe(to chan<- *prometheus.Desc) {
	to <- portsAll
	to <- portsTaken
	to <- portsWaiting
}

// Collect is of prometheus.Collector.
func (p passivePorts) Collect(to chan<- prometheus.Metric) {
	all, taken, waiting := p()
	to <- prometheus.MustNewConstMetric(portsAll, prometheus.GaugeValue, float64(all))
	to <- prometheus.MustNewConstMetric(portsTaken, prometheus.GaugeValue, float64(taken))
	to <- prometheus.MustNewConstMetric(portsWaiting, prometheus.GaugeValue, float64(waiting))
}

// sessionLimit is infinite where there is none, so that the share that is taken is 0.
func (l Load) sessionLimit() float64 {
	if n := l.SessionLimit(); n > 0 {
		return float64(n)
	}
	return math.Inf(1)
}
