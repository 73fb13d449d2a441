package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

const (
	sysCloseRange     = 436 // the same number on every architecture
	closeRangeCloexec = 1 << 2
)

// daemon turns itself into the given command, cut loose from whoever started it.
//
// The order matters. The cgroup comes first: it is how `cluster down` knows its
// own processes, so nothing may run outside of it, not even for a moment. Every
// inherited descriptor is closed: a lock, a make jobserver or the pipe of a test
// that waits for end of file must not live as long as the cluster does.
func daemon(args []string) error {
	flags := flag.NewFlagSet("daemon", flag.ExitOnError)
	cgroup := flags.String("cgroup", "", "cgroup `directory` to join")
	logFile := flags.String("log", "", "`file` that standard output and error are appended to")
	pidFile := flags.String("pid", "", "`file` that the process ID is written to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("no command")
	}
	program, err := exec.LookPath(flags.Arg(0))
	if err != nil {
		return err
	}
	pid := strconv.Itoa(os.Getpid())
	if err := os.WriteFile(filepath.Join(*cgroup, "cgroup.procs"), []byte(pid), 0); err != nil {
		return err
	}
	// Fails only for the leader of a process group, which needs no new session.
	_, _ = syscall.Setsid()
	if err := redirect(*logFile); err != nil {
		return err
	}
	if err := replaceFile(*pidFile, pid); err != nil {
		return err
	}
	if _, _, errno := syscall.RawSyscall(sysCloseRange, 3, uintptr(^uint32(0)), closeRangeCloexec); errno != 0 {
		return fmt.Errorf("close_range: %w", errno)
	}
	return syscall.Exec(program, flags.Args(), os.Environ())
}

// redirect gives the process an empty input and the log as its output.
func redirect(logFile string) error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	for target, file := range []*os.File{null, log, log} {
		if err := syscall.Dup3(int(file.Fd()), target, 0); err != nil {
			return err
		}
	}
	return nil
}

// replaceFile writes a file so that a reader sees all of it or nothing.
func replaceFile(name, content string) error {
	if err := os.WriteFile(name+".new", []byte(content+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
