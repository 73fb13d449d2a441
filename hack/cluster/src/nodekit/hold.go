package main

import (
	"os"
	"os/signal"
	"syscall"
)

// hold keeps the namespaces alive that it was started in, and as the first
// process of a PID namespace reaps the orphans. SIGTERM or SIGINT ends it.
func hold([]string) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for s := range signals {
		if s != syscall.SIGCHLD {
			return nil
		}
		reap()
	}
	return nil
}

// reap collects every child that has ended: one SIGCHLD may stand for several.
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 || err != nil {
			return
		}
	}
}
