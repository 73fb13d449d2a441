package cell

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/hack/bench/servers"
)

// enter makes the namespaces, which the starter has given this process, usable:
// loopback, /proc, a tmpfs with the served directory, the servers' programs.
func (c *cell) enter() error {
	if os.Getpid() != 1 {
		return fmt.Errorf("a cell is the first process of its namespaces, and not %d", os.Getpid())
	}
	steps := []struct {
		what string
		do   func() error
	}{
		{"private mounts", func() error { return unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, "") }},
		{"proc", func() error { return unix.Mount("proc", "/proc", "proc", 0, "") }},
		{"tmpfs", func() error { return unix.Mount("tmpfs", c.Work, "tmpfs", 0, "mode=755,size=16g") }},
		{"loopback", loopbackUp},
		{"directories", c.directories},
		{"programs", func() error { return overlay(c.Overlay, "/usr") }},
		{"users", func() error {
			etc := filepath.Join(c.Work, "etc")
			if err := servers.SystemFiles(etc, c.root); err != nil {
				return err
			}
			return overlay(etc, "/etc")
		}},
		{"descriptors", allDescriptors},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

func (c *cell) directories() error {
	c.dir, c.root = filepath.Join(c.Work, "server"), filepath.Join(c.Work, "root")
	if err := os.Mkdir(c.dir, 0o777); err != nil {
		return err
	}
	if err := os.Mkdir(c.root, 0o755); err != nil {
		return err
	}
	if c.Scenario == Durable {
		dir, err := os.MkdirTemp(c.Disk, "root-")
		if err != nil {
			return err
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(dir, c.root, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	return os.Chown(c.root, servers.UserID, servers.UserID)
}

// overlay shows what is in upper as if it were installed in place.
func overlay(upper, place string) error {
	return unix.Mount("overlay", place, "overlay", unix.MS_RDONLY, "lowerdir="+upper+":"+place)
}

// allDescriptors lets this process and the server have as many open files as the
// system allows.
func allDescriptors() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// Pinned runs f on a thread that may run on these processors only. What f
// starts is held to them as well.
func Pinned(cpus []int, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with f
		var set unix.CPUSet
		for _, cpu := range cpus {
			set.Set(cpu)
		}
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			done <- fmt.Errorf("processors %v: %w", cpus, err)
			return
		}
		done <- f()
	}()
	return <-done
}
