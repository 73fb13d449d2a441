// Package freeport gives tests TCP ports to listen on that nobody else gets: not
// another test, not another test's process, and not the kernel for a connection
// that goes out.
package freeport

import (
	"fmt"
	"net"
	"strconv"
	"sync"
)

// The ports lie below those that Linux takes for outgoing connections by default
// (net.ipv4.ip_local_port_range). Each process has a block of them.
const (
	first, last = 10000, 31999
	blockSize   = 1000
)

var (
	mu    sync.Mutex
	claim net.Listener // on the first port of the block, as long as the process lives
	base  int
	next  int
)

// Take returns n distinct ports of 127.0.0.1 that nobody listens on. They are
// not given again before all others of the block were.
func Take(n int) ([]int, error) {
	mu.Lock()
	defer mu.Unlock()
	if err := claimBlock(); err != nil {
		return nil, err
	}
	out := make([]int, 0, n)
	for range blockSize {
		if len(out) == n {
			return out, nil
		}
		next = next%(blockSize-1) + 1
		if port := base + next; free(port) {
			out = append(out, port)
		}
	}
	return nil, fmt.Errorf("%d free ports are not to be had of %d", n, blockSize)
}

func claimBlock() error {
	for b := first; claim == nil && b+blockSize <= last+1; b += blockSize {
		if l, err := listen(b); err == nil {
			claim, base = l, b
		}
	}
	if claim == nil {
		return fmt.Errorf("all blocks of ports from %d to %d are taken", first, last)
	}
	return nil
}

func free(port int) bool {
	l, err := listen(port)
	if err == nil {
		_ = l.Close()
	}
	return err == nil
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}
