package ftp

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs/system"
)

// defective is a storage with a defect in the program, once.
type defective struct {
	system.Kernel
	met atomic.Bool
}

func (d *defective) CopyN(to, from *os.File, n int64) (int64, error) {
	if d.met.CompareAndSwap(false, true) {
		panic("a defect")
	}
	return d.Kernel.CopyN(to, from, n)
}

// TestFaultOfOurs: a defect that a transfer meets ends its session and no other,
// and leaves neither the data connection nor a temporary, and the file as it was.
func TestFaultOfOurs(t *testing.T) {
	b := newBenchWith(t, parts{system: &defective{}}, nil)
	b.file("file", "old")
	other := b.login()
	c := b.login()
	data := c.open()
	c.send("APPE file")
	c.expect("150")
	c.ended()
	if n, err := data.Read(make([]byte, 1)); n != 0 || isTimeout(err) {
		t.Errorf("the data connection is still open: %v", err)
	}
	b.loggedEventually("Session failed", "a defect")
	if got := b.content("file"); got != "old" {
		t.Errorf("the file holds %q", got)
	}
	if got := other.upload("APPE file", " and new"); !strings.HasPrefix(got, "226") || b.content("file") != "old and new" {
		t.Errorf("another session: %s", got)
	}
	b.nothingHidden()
}
