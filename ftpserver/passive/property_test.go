package passive

import (
	"fmt"
	"testing"
)

// kindOfWorld is what sessions are like, and what the server sees of them.
type kindOfWorld struct {
	name string
	// hidden: addresses tell nothing. private: connections show whose they are, or
	// fail to.
	hidden, private bool
	// mixed: they may show a ticket of another session of their user.
	mixed bool
	// announcing: half of the sessions, and of the strangers, come by way of a
	// proxy that tells their addresses, and may take its time for it; all others do not.
	announcing bool
}

// steps are those of a schedule: more, where there are more sessions.
func (k kindOfWorld) steps() int {
	if k.announcing {
		return 600
	}
	return 250
}

var kindsOfWorlds = []kindOfWorld{
	{name: "in clear"},
	{name: "TLS", private: true},
	{name: "TLS with shared caches", private: true, mixed: true},
	{name: "hidden", private: true, hidden: true},
	{name: "hidden with shared caches", private: true, hidden: true, mixed: true},
	{name: "in clear and announced", announcing: true},
	{name: "TLS and announced", private: true, announcing: true},
	{name: "hidden and announced", private: true, hidden: true, announcing: true},
	{name: "hidden and announced with shared caches", private: true, hidden: true, announcing: true, mixed: true},
}

// TestContentTellsItsOwner runs random schedules of sessions behind shared or
// hidden addresses, whose connections come in time, late, twice or never, show
// whose they are or don't, among strangers that connect anywhere at any time,
// while ports come and go. Whatever happens, nobody gets the connection of
// somebody else, an announced connection reaches only who comes that way, and the
// reverse, nobody waits longer than QueueTime for a port and Lease for a
// connection, and nothing is left over.
func TestContentTellsItsOwner(t *testing.T) {
	schedules := uint64(150)
	if testing.Short() {
		schedules = 20
	}
	for _, kind := range kindsOfWorlds {
		for seed := range schedules {
			t.Run(fmt.Sprint(kind.name, seed), func(t *testing.T) {
				w := newWorld(t, seed, kind)
				for range kind.steps() {
					w.step()
				}
				w.finish()
			})
		}
	}
}

// TestSchedulesReachEverything guards the schedules above: they must hold what
// they are about.
func TestSchedulesReachEverything(t *testing.T) {
	for _, kind := range kindsOfWorlds {
		got := map[string]int{}
		for seed := range uint64(20) {
			w := newWorld(t, 1000+seed, kind)
			for range kind.steps() {
				w.step()
			}
			w.finish()
			got["taken"] += w.taken
			got["shared"] += w.sharing
			got["busy"] += w.b.seen.outcomes["busy"]
			w.b.seen.mu.Lock()
			for reason, n := range w.b.seen.rejected {
				got[reason] += n
			}
			w.b.seen.mu.Unlock()
		}
		want := map[string]int{"taken": 15, "late": 20, "stranger": 60, "busy": 20}
		if kind.hidden {
			want["shared"], want["unproven"], want["foreign"] = 3, 10, 3
		}
		for what, n := range want {
			if got[what] < n {
				t.Errorf("%s: in 20 schedules only %d %s: %v", kind.name, got[what], what, got)
			}
		}
	}
}
