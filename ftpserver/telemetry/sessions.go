package telemetry

import (
	"slices"
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

// follows are the states that may come after each. Who has logged in may start
// over (USER, AUTH TLS); who drains finishes what is in progress, and begins
// nothing else.
var follows = map[SessionState][]SessionState{
	StateConnected:      {StateAuthenticating, StateIdle, StateDraining, StateClosed},
	StateAuthenticating: {StateConnected, StateIdle, StateDraining, StateClosed},
	StateIdle:           {StateConnected, StateAuthenticating, StateTransferring, StateDraining, StateClosed},
	StateTransferring:   {StateIdle, StateDraining, StateClosed},
	StateDraining:       {StateTransferring, StateClosed},
	StateClosed:         {},
}

// MayBecome tells whether a session may go from one state to another.
func (s SessionState) MayBecome(next SessionState) bool { return slices.Contains(follows[s], next) }

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
