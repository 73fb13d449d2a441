package main

import (
	"github.com/ftp-operator/ftp-operator/hack/bench/cell"
	"github.com/ftp-operator/ftp-operator/hack/bench/servers"
)

// A goal compares our value of a row with something.
type goal struct {
	// Against is best, best-go, the name of a server, "" for none (the value
	// itself counts), or another row of our own server: "row:NAME".
	Against string
	CPU     bool // the processor time is compared, with that of the same server
	AtMost  bool // a ratio or value above Target misses the goal; else one below
	Target  float64
}

// row is one line of the table.
type row struct {
	Name, Title, Unit string
	Scenario          string // the one that gives it
	Low               bool   // the smaller the value, the better
	Per               string // what the processor time is for; "": not told
	Goals             []goal
	Full              bool // not measured in the quick run
	Rounds            int  // at most so many, as it hardly varies; 0: all
}

const best, bestGo = "best", "best-go"

func atLeast(target float64, against string) goal { return goal{Against: against, Target: target} }
func atMost(target float64, against string) goal {
	return goal{Against: against, Target: target, AtMost: true}
}

var rows = func() []row {
	var all []row
	add := func(r row) {
		if r.Scenario == "" {
			r.Scenario = r.Name
		}
		all = append(all, r)
	}
	throughput := func(name, title string, goals ...goal) {
		add(row{Name: name + "-1", Title: title + ", 1 client", Unit: "GiB/s", Per: "GiB", Goals: goals})
		add(row{Name: name + "-8", Title: title + ", 8 clients", Unit: "GiB/s", Per: "GiB", Goals: goals})
	}
	cpu := goal{Against: best, CPU: true, AtMost: true, Target: 1.1}
	throughput("retr-plain", "plain RETR", atLeast(1, best), cpu)
	throughput("stor-plain", "plain STOR", atLeast(1, best), cpu)
	throughput("retr-tls13", "TLS 1.3 RETR", atLeast(1.2, best))
	throughput("stor-tls13", "TLS 1.3 STOR", atLeast(1, best))

	small := func(name, title string, full bool, goals ...goal) {
		add(row{Name: name, Title: title, Unit: "files/s", Per: "file", Goals: goals, Full: full})
	}
	small("small-retr-plain", "4 KiB RETR plain", false, atLeast(0.9, "pure-ftpd"), atLeast(1.2, bestGo))
	small("small-stor-plain", "4 KiB STOR plain", false, atLeast(0.9, "pure-ftpd"), atLeast(1.2, bestGo))
	small("small-retr-tls13", "4 KiB RETR TLS 1.3, resumed", false, atLeast(1.1, best))
	small("small-stor-tls13", "4 KiB STOR TLS 1.3, resumed", true, atLeast(1.1, best))
	small("small-retr-tls12", "4 KiB RETR TLS 1.2, resumed", false, atLeast(0.95, best))
	small("small-stor-tls12", "4 KiB STOR TLS 1.2, resumed", true, atLeast(0.95, best))

	durable := func(name, title string, goals ...goal) {
		add(row{Name: name, Title: title, Unit: "files/s", Scenario: "durable", Goals: goals})
	}
	durable("durable-1", "4 KiB STOR, durability Full, 1 session", atLeast(0.8, "row:durable-limit-1"))
	durable("durable-16", "the same, 16 sessions", atLeast(4, "row:durable-1"))
	durable("durable-limit-1", "limit: fsync of file and directory, 1 writer")
	durable("durable-limit-16", "limit: the same, 16 writers")

	add(row{Name: "logins-plain", Title: "logins plain, 4 at a time", Unit: "1/s", Per: "login", Goals: []goal{atLeast(1, best)}})
	add(row{Name: "logins-tls13", Title: "logins TLS 1.3, full handshake, 4 at a time", Unit: "1/s", Per: "login", Goals: []goal{atLeast(1, best)}})

	for _, verb := range []struct{ name, title string }{{"list", "LIST"}, {"mlsd", "MLSD"}} {
		listing := func(name, title, unit string, goals ...goal) {
			add(row{Name: verb.name + name, Title: verb.title + title, Unit: unit, Scenario: "listing", Low: true, Goals: goals})
		}
		listing("-first", " of 100,000 entries, first byte", "ms", atMost(10, ""))
		listing("-total", " of 100,000 entries, in all", "ms", atMost(1.5, "pure-ftpd"))
		listing("-memory", " of 100,000 entries, growth of the server's peak memory", "KiB", atMost(2048, ""))
	}

	idle := func(name, title string, kib float64) {
		add(row{Name: name, Title: title, Unit: "KiB", Low: true, Rounds: 3, Goals: []goal{atMost(kib, "")}})
	}
	idle("idle-plain", "idle session plain, PSS", 8)
	idle("idle-tls13", "idle session TLS 1.3, PSS", 30)

	noop := func(scenario, title string, full bool, p50, p99 []goal) {
		add(row{Name: scenario + "-p50", Title: "NOOP under " + title + ", p50", Unit: "ms", Scenario: scenario, Low: true, Full: full, Goals: p50})
		add(row{Name: scenario + "-p99", Title: "NOOP under " + title + ", p99", Unit: "ms", Scenario: scenario, Low: true, Full: full, Goals: p99})
		add(row{Name: scenario + "-throughput", Title: "throughput meanwhile", Unit: "GiB/s", Scenario: scenario, Per: "GiB", Full: full})
	}
	noop("noop-plain", "8 plain downloads", true, nil, nil)
	noop("noop-tls13", "8 TLS downloads", false, []goal{atMost(0.5, "")}, []goal{atMost(5, "")})

	for _, s := range cell.Rates() {
		add(row{Name: s.Name + "-deviation", Title: s.Title + ", deviation over 10 s", Unit: "%", Scenario: s.Name, Low: true, Goals: []goal{atMost(5, "")}})
		add(row{Name: s.Name + "-burst", Title: s.Title + ", largest burst", Unit: "of 200 ms' worth", Scenario: s.Name, Low: true, Goals: []goal{atMost(1, "")}})
	}
	return all
}()

// takesPart says which servers a scenario has.
func takesPart(s *servers.Server, scenario string) bool {
	switch scenario {
	case cell.Durable:
		return s.Name == servers.Ours
	case "retr-plain-1", "retr-plain-8", "stor-plain-1", "stor-plain-8":
		return true
	}
	if cell.IsRate(scenario) {
		return s.Name == servers.Ours
	}
	return !s.Limit
}
