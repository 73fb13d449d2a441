// Command bench compares our server with others: see docs/benchmarks.md. It is
// started by run.sh, which fetches and builds what it needs.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/ftp-operator/ftp-operator/hack/bench/cell"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		args = []string{"compare"}
	}
	switch args[0] {
	case "limit":
		return limit(args[1:])
	case "cell":
		return inCell(args[1])
	case "probe":
		return probe(args[1])
	case "compare":
		return compare(args[1:])
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// inCell is the first process of a cell's namespaces.
func inCell(order string) error {
	var o cell.Order
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		return err
	}
	// Its clients block in system calls: more of them than processors must be
	// ready to go on at once.
	runtime.GOMAXPROCS(16)
	return json.NewEncoder(os.Stdout).Encode(cell.Run(o))
}

func probe(order string) error {
	var p cell.Probe
	if err := json.Unmarshal([]byte(order), &p); err != nil {
		return err
	}
	times, err := p.Run()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(times)
}

// options of a comparison.
type options struct {
	quick      bool
	rounds     int
	rows       string
	servers    string
	dir        string
	overlay    string
	disk       string
	serverCPUs cpus
	clientCPUs cpus
	profile    string
	note       string
	keep       bool
}

func compare(args []string) error {
	half := max(1, runtime.NumCPU()/2)
	o := options{}
	for i := range runtime.NumCPU() {
		if i < half {
			o.serverCPUs = append(o.serverCPUs, i)
		} else {
			o.clientCPUs = append(o.clientCPUs, i)
		}
	}
	if len(o.clientCPUs) == 0 {
		o.clientCPUs = o.serverCPUs
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(&o.quick, "quick", false, "small sizes and few rounds")
	flags.IntVar(&o.rounds, "rounds", 0, "`NUMBER` of rounds; absent: 9, quick 3")
	flags.StringVar(&o.rows, "rows", "", "only these scenarios, or those whose name holds one of these, `A,B`")
	flags.StringVar(&o.servers, "servers", "", "only these servers, `A,B`")
	flags.StringVar(&o.dir, "dir", "bin/bench", "`DIR` with the built programs, for the results")
	flags.StringVar(&o.overlay, "packages", "", "`DIR` with what is added to /usr")
	flags.StringVar(&o.disk, "disk", "", "`DIR` for durable uploads")
	flags.Var(&o.serverCPUs, "server-cpus", "processors of the server, `0,1`")
	flags.Var(&o.clientCPUs, "client-cpus", "processors of the client, `0,1`")
	flags.StringVar(&o.profile, "profile", "", "`DIR` for perf's records of our server")
	flags.BoolVar(&o.keep, "keep", false, "keep what an earlier run of the same sizes has measured of other scenarios")
	flags.StringVar(&o.note, "note", "", "`TEXT` for the head of the table")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.rounds == 0 {
		o.rounds = 9
		if o.quick {
			o.rounds = 3
		}
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	return newComparison(o, stop).run()
}

// cpus is a list of processors.
type cpus []int

func (c *cpus) String() string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint([]int(*c)), " ", ","), "[]")
}

func (c *cpus) Set(text string) error {
	*c = nil
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || n >= runtime.NumCPU() {
			return fmt.Errorf("%q is no processor of this machine, which has %d", part, runtime.NumCPU())
		}
		*c = append(*c, n)
	}
	return nil
}
