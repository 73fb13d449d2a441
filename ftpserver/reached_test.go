package main

import (
	"testing"
	"time"
)

// TestReached: a server counts as reached some time after it has become ready, and
// once more after it was not.
func TestReached(t *testing.T) {
	var r reached
	start := time.Now()
	for _, step := range []struct {
		after       time.Duration
		ready, want bool
	}{
		{0, false, false},
		{time.Hour, true, false},
		{time.Hour + nodesFollow - 1, true, false},
		{time.Hour + nodesFollow, true, true},
		{2 * time.Hour, true, true},
		{3 * time.Hour, false, false},
		{4 * time.Hour, true, false},
		{4*time.Hour + nodesFollow, true, true},
	} {
		r.note(step.ready, start.Add(step.after))
		if got := r.by(start.Add(step.after)); got != step.want {
			t.Errorf("after %s, ready %t: %t", step.after, step.ready, got)
		}
	}
}
