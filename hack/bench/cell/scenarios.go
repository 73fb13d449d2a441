package cell

import "github.com/ftp-operator/ftp-operator/hack/bench/client"

// Durable is the scenario on a disk.
const Durable = "durable"

type scenario struct {
	tls  *client.TLS
	rate int64 // that our server holds each session to, in bytes per second; 0: none
	run  func(c *cell) (map[string]Sample, error)
}

var scenarios = map[string]scenario{}

func init() {
	add := func(name string, tls *client.TLS, run func(c *cell) (map[string]Sample, error)) {
		scenarios[name] = scenario{tls: tls, run: run}
	}
	one := func(name string, tls *client.TLS, run func(c *cell) (Sample, error)) {
		add(name, tls, func(c *cell) (map[string]Sample, error) {
			s, err := run(c)
			return map[string]Sample{name: s}, err
		})
	}
	for name, tls := range map[string]*client.TLS{"plain": nil, "tls13": tls13} {
		one("retr-"+name+"-1", tls, func(c *cell) (Sample, error) { return c.retrieve(1) })
		one("retr-"+name+"-8", tls, func(c *cell) (Sample, error) { return c.retrieve(8) })
		one("stor-"+name+"-1", tls, func(c *cell) (Sample, error) { return c.store(1) })
		one("stor-"+name+"-8", tls, func(c *cell) (Sample, error) { return c.store(8) })
		one("logins-"+name, tls, (*cell).logins)
		one("idle-"+name, tls, (*cell).idle)
		add("noop-"+name, tls, (*cell).noop)
	}
	for name, tls := range map[string]*client.TLS{"plain": nil, "tls13": tls13, "tls12": tls12} {
		one("small-retr-"+name, tls, (*cell).smallRetrieve)
		one("small-stor-"+name, tls, (*cell).smallStore)
	}
	add("listing", nil, (*cell).listing)
	add(Durable, nil, (*cell).durable)
	for _, r := range Rates() {
		scenarios[r.Name] = scenario{tls: r.tls, rate: r.rate, run: func(c *cell) (map[string]Sample, error) { return c.limited(r) }}
	}
}

// Known tells whether there is a scenario of this name.
func Known(name string) bool {
	_, known := scenarios[name]
	return known
}
