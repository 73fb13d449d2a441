// Package cell is one measurement: one server, started anew in namespaces of its
// own (network, processes, mounts), one workload, and the samples that it gave.
// Whoever starts a cell ends it by ending its first process: everything else in
// its namespaces ends with it.
package cell

import "time"

// Order is what a cell is told to do.
type Order struct {
	Scenario string
	Server   string
	// ServerCPUs and ClientCPUs are what each may run on.
	ServerCPUs, ClientCPUs []int
	Size                   Size

	Work    string // an empty directory, for mounts
	Disk    string // a directory on the disk, in which durable uploads get one of their own
	Payload string // a file of random bytes
	Bin     string // built programs
	Overlay string // what is added to /usr
	Cert    string // PEM files
	Key     string
	Both    string
	Hash    string // the password's, for our server
	Cgroup  string // for the server's processes
	Profile string // a file for perf's record of the server; absent: none
}

// Size says how much is done in a cell.
type Size struct {
	Bytes    int64         // throughput: until so many have gone,
	Time     time.Duration // or until so long has passed, whichever comes first
	Big      int64         // size of the file of one client
	Medium   int64         // size of each of eight clients' files
	Small    int           // number of 4 KiB files
	Logins   time.Duration // how long logins are counted
	Entries  int           // of the directory that is listed
	Idle     int           // idle sessions
	IdleFew  int           // the same, of servers with processes for each session
	Settle   time.Duration // from the last command of an idle session to the measurement
	Noop     time.Duration // how long NOOPs are timed
	Durables int           // uploads with durability Full, for each session
	Rate     time.Duration // how long a transfer at a limited rate takes
}

// Sample is what one cell found for one row.
type Sample struct {
	// Value in the row's unit.
	Value float64 `json:"value"`
	// CPU is the server's processor time, user and system of all its processes,
	// in seconds for each GiB, file or login.
	CPU float64 `json:"cpuSeconds,omitempty"`
	// ClientBusy is the share of its processors' time that the client took.
	ClientBusy float64 `json:"clientBusy,omitempty"`
	// Note is what a reader must know of this value.
	Note string `json:"note,omitempty"`
	// More figures of the same measurement.
	More map[string]float64 `json:"more,omitempty"`
}

// Result is a cell's samples by row.
type Result struct {
	Samples map[string]Sample `json:"samples,omitempty"`
	Error   string            `json:"error,omitempty"`
}
