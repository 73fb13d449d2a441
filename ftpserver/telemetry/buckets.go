package telemetry

import "github.com/prometheus/client_golang/prometheus"

var (
	// durations run from a small file on a local network to an hour.
	durations = []float64{.005, .02, .1, .5, 2, 10, 60, 300, 1800, 3600}
	// waits end at the 5 s after which a client is told that no port is free.
	waits = []float64{.001, .005, .02, .1, .5, 1, 2, 5}
	// sizes run from 1 KiB to 16 GiB.
	sizes = prometheus.ExponentialBuckets(1<<10, 16, 7)
)

func counter(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}
}

func gauge(name, help string) prometheus.GaugeOpts {
	return prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}
}

// gaugeDesc is a gauge of which a collector has the value.
func gaugeDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, nil, nil)
}

func histogram(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}
}
