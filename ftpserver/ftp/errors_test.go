package ftp

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/passive"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// TestReplies: 4xx where the same may work later, 5xx where it won't, and never
// a path of the disk.
func TestReplies(t *testing.T) {
	disk := func(errno syscall.Errno) error {
		return &os.PathError{Op: "write", Path: "/srv/secret/place", Err: errno}
	}
	for _, test := range []struct {
		err  error
		code int
	}{
		{nil, 226},
		{disk(syscall.ENOSPC), 452},
		{disk(syscall.EDQUOT), 452},
		{disk(syscall.EIO), 451},
		{disk(syscall.ENOENT), 550},
		{disk(syscall.ELOOP), 550},
		{disk(syscall.EXDEV), 553},
		{vfs.ErrRestart, 554},
		{vfs.ErrInterrupted, 554},
		{vfs.ErrChanged, 450},
		{vfs.ErrName, 553},
		{vfs.ErrRole, 550},
		{fs.ErrInvalid, 553},
		{errShrunk, 451},
		{errAborted, 426},
		{errClientGone, 426},
		{errEnded, 426},
		{errUploaderGone, 426},
		{errNoCloseNotify, 426},
		{os.ErrDeadlineExceeded, 426},
		{syscall.ECONNRESET, 426},
		{&networkError{syscall.EIO}, 426},
		{&openError{passive.ErrEnded}, 425},
		{&openError{fmt.Errorf("%w: a reason", errHandshake)}, 425},
		{&openError{syscall.ECONNREFUSED}, 425},
	} {
		code, text := transferReply(test.err)
		if code != test.code || text == "" {
			t.Errorf("%v: %d %s, want %d", test.err, code, text, test.code)
		}
		if fmt.Sprint(text) != oneLine(text) || len(text) > 100 {
			t.Errorf("%v: text %q", test.err, text)
		}
	}
}
