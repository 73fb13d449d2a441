package ftp

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

// TestTurns: one login of an address is checked at a time, others do not wait.
func TestTurns(t *testing.T) {
	var line turns
	flooder, other := turn{from: origin(netip.MustParseAddr("127.0.0.2"))}, turn{from: origin(netip.MustParseAddr("127.0.0.3"))}
	done, err := line.wait(context.Background(), flooder)
	must(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := line.wait(ctx, flooder); err == nil {
		t.Error("a second check of one address at the same time")
	}
	otherDone, err := line.wait(context.Background(), other)
	must(t, err)
	otherDone()
	done()
	if done, err = line.wait(context.Background(), flooder); err != nil {
		t.Fatal(err)
	}
	done()
	if len(line.lines) > 0 {
		t.Errorf("left over: %v", line.lines)
	}
}
