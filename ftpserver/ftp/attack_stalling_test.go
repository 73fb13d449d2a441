package ftp

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAttackStalling: a client that neither sends nor takes is not waited for for
// ever, on either connection.
func TestAttackStalling(t *testing.T) {
	t.Run("data", func(t *testing.T) { inBoth(t, shortStall, dataStalls) })
	t.Run("replies", repliesStall)
}

func dataStalls(t *testing.T, b *bench, c *client) {
	b.largeFile("large")
	data := c.begin("RETR large")
	c.expect("426 No progress")
	_ = data.Close()
	data = c.begin("STOR up")
	_, err := data.Write([]byte("a beginning"))
	must(t, err)
	c.expect("426 No progress")
	_ = data.Close()
	c.do("NOOP", "200")
	if _, err := os.Stat(filepath.Join(b.home, "up")); err == nil {
		t.Error("a stalled upload is visible")
	}
	c.do("DELE up", "250") // what it has brought
	b.goesOn()
}

// repliesStall: who never reads replies is not kept.
func repliesStall(t *testing.T) {
	b := newBench(t, shortStall)
	b.deaf()
	eventually(t, "the session ends", func() bool { return len(b.server.all()) == 0 })
	b.goesOn()
}
