package system

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Utimes names the open file by its link in /proc: that is the file whatever
// happens to its path, and other ways are too new for some kernels.
func (Kernel) Utimes(fd int, accessed, modified *time.Time) error {
	times := []unix.Timespec{timespec(accessed), timespec(modified)}
	return unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), times, 0)
}

func timespec(t *time.Time) unix.Timespec {
	if t == nil {
		return unix.Timespec{Nsec: unix.UTIME_OMIT}
	}
	return unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}
