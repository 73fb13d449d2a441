package telemetry

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// SessionState is what a control connection is busy with.
type SessionState string

// The states of a session. Every session begins as StateConnected and ends as
// StateClosed.
const (
	StateConnected      SessionState = "connected"      // greeted, no USER yet
	StateAuthenticating SessionState = "authenticating" // a login is in progress
	StateIdle           SessionState = "idle"           // logged in, waiting for a command
	StateTransferring   SessionState = "transferring"   // a data connection is in use
	StateDraining       SessionState = "draining"       // ends after what is in progress
	StateClosed         SessionState = "closed"         // gone; not counted
)

// counted are the states that a living session may have.
var counted = []SessionState{StateConnected, StateAuthenticating, StateIdle, StateTransferring, StateDraining}

// sessions counts living sessions by state. The map is made once and only read.
type sessions map[SessionState]*atomic.Int64

func newSessions(r prometheus.Registerer) sessions {
	s := make(sessions, len(counted))
	for _, state := range counted {
		n := new(atomic.Int64)
		s[state] = n
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        namespace + "_sessions",
			Help:        "Control connections by what they are busy with.",
			ConstLabels: prometheus.Labels{"state": string(state)},
		}, func() float64 { return float64(n.Load()) }))
	}
	return s
}

func (s sessions) add(state SessionState, n int64) {
	if c, ok := s[state]; ok {
		c.Add(n)
	}
}
