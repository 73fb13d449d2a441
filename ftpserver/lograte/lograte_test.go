package lograte

import (
	"testing"
	"time"
)

// TestLimit: the log is told once a minute, of how many there were.
func TestLimit(t *testing.T) {
	now := time.Unix(1000, 0)
	l := New(func() time.Time { return now })
	told := map[int]int{}
	for range 150 { // two and a half minutes
		if n, due := l.Add(); due {
			told[n]++
		}
		now = now.Add(time.Second)
	}
	if len(told) != 2 || told[1] != 1 || told[60] != 2 {
		t.Errorf("%v", told)
	}
}
