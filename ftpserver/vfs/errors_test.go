package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestClassify(t *testing.T) {
	other := errors.New("connection is gone")
	for errno, want := range map[error]error{
		syscall.ENOSPC:       ErrNoSpace,
		syscall.EDQUOT:       ErrNoSpace,
		syscall.EISDIR:       ErrIsDir,
		syscall.ENOTDIR:      ErrNotDir,
		syscall.ENOTEMPTY:    ErrNotEmpty,
		syscall.EROFS:        fs.ErrPermission,
		syscall.EACCES:       fs.ErrPermission,
		syscall.ENOENT:       fs.ErrNotExist,
		syscall.EEXIST:       fs.ErrExist,
		syscall.ENAMETOOLONG: ErrName,
		syscall.ELOOP:        ErrLinks,
		syscall.EXDEV:        fs.ErrInvalid,
		syscall.EIO:          syscall.EIO,
		other:                other,
	} {
		err := Classify(&fs.PathError{Op: "write", Path: "/real/disk", Err: os.NewSyscallError("splice", errno)})
		wantError(t, errno.Error(), err, want)
		if strings.Contains(err.Error(), "/real") {
			t.Errorf("error tells the real path: %v", err)
		}
	}
	if got := Classify(other); got.Error() != other.Error() {
		t.Error("an error of other origin is changed")
	}
	if errors.Is(Classify(syscall.ENOTEMPTY), fs.ErrExist) {
		t.Error("a directory that is not empty is taken for a name that is taken")
	}
	wantError(t, "ErrRole", fmt.Errorf("x: %w", ErrRole), fs.ErrPermission)
}
