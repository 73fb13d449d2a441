package policy

// Rollout is what a pass does about the pod templates of the slots.
type Rollout struct {
	// Renew are the slots that get the newest template now, by number. All others
	// keep the one that they have.
	Renew []int
	// Down is the one of them that serves, and whose pod ends for it. Nil: none.
	Down *int
}

// Roll decides which of the slots that are to run get the newest pod template
// now. It goes by what is seen and remembers nothing, so that an operator that
// was restarted goes on where another has stopped:
//
//   - a slot without a Deployment gets one at once;
//   - one that is outdated and down is renewed at once, and so are two of them:
//     nothing is lost with them, and it is what mends a roll that has stopped;
//   - one that is outdated and serves is renewed only where all others serve as
//     well and nothing is in the middle: one at a time, the lowest number first;
//   - but not while an older pod of it has yet to end: the new one would have to
//     wait for that, for ever where its node is gone, and nobody serve meanwhile.
//
// So a new pod that does not come up stops the roll. hold tells that a new pod
// could not start for want of something: then none that serves is ended.
func Roll(slots []Slot, hold bool) Rollout {
	var r Rollout
	settled := true
	for _, s := range slots {
		switch {
		case s.Deployment == nil, s.Outdated && s.down():
			r.Renew = append(r.Renew, s.Number)
			settled = false
		case !s.up():
			settled = false
		}
	}
	if hold || !settled {
		return r
	}
	for _, s := range slots {
		if s.Outdated && !s.ending() {
			return Rollout{Renew: []int{s.Number}, Down: &s.Number}
		}
	}
	return r
}
