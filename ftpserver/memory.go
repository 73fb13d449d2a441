package main

import (
	"context"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// memoryCheck is how often it is looked whether the limit has changed, as it does
	// where a pod is resized in place.
	memoryCheck = 10 * time.Second
	// memoryShare of the limit is for what Go's runtime manages; the rest is for what
	// it does not know of, such as stacks of the system's threads.
	memoryShare = 0.9
)

// noMemoryLimit is the runtime's word for none.
const noMemoryLimit = math.MaxInt64

// memoryLimit has the runtime keep below the limit of the control group that the
// process runs in: near it, it collects garbage more often, rather than to be
// killed. It is what GOMEMLIMIT says where that is set.
type memoryLimit struct {
	system fs.FS       // the root of the file system
	set    func(int64) // debug.SetMemoryLimit
	env    func(string) string
	now    int64 // what was set last; 0: nothing was
}

func newMemoryLimit() *memoryLimit {
	return &memoryLimit{system: os.DirFS("/"), env: os.Getenv, set: func(n int64) { debug.SetMemoryLimit(n) }}
}

// follow sets the limit where it has changed, and tells whether it has; bytes are the
// runtime's share. It is noMemoryLimit where there was one, and there is none now.
func (m *memoryLimit) follow() (bytes int64, changed bool) {
	if m.env("GOMEMLIMIT") != "" {
		return 0, false
	}
	bytes = noMemoryLimit
	if of, ok := groupMemory(m.system); ok {
		bytes = int64(memoryShare * float64(of))
	}
	if bytes == m.now || bytes == noMemoryLimit && m.now == 0 {
		return bytes, false
	}
	m.now = bytes
	m.set(bytes)
	return bytes, true
}

// followMemory looks from time to time until ctx ends.
func (p *process) followMemory(ctx context.Context) {
	limit := newMemoryLimit()
	ticks := time.NewTicker(memoryCheck)
	defer ticks.Stop()
	for {
		if bytes, changed := limit.follow(); changed && bytes == noMemoryLimit {
			p.log.Info("Memory is not limited any more")
		} else if changed {
			p.log.Info("Memory limit set from the control group", "bytes", bytes)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// hierarchies are where control groups are mounted, and which file holds the limit
// of memory: of version 2, then of version 1. See cgroups(7),
// https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html.
var hierarchies = []struct{ controller, mount, file string }{
	{"", "sys/fs/cgroup", "memory.max"},
	{"memory", "sys/fs/cgroup/memory", "memory.limit_in_bytes"},
}

// groupMemory is the smallest limit, in bytes, of the process's group and of those
// that it is in; false where there is none.
func groupMemory(system fs.FS) (limit int64, ok bool) {
	limit = noMemoryLimit
	for _, h := range hierarchies {
		dir, found := groupOf(system, h.controller)
		for ; found; dir = path.Dir(dir) {
			limit = min(limit, readLimit(system, path.Join(h.mount, dir, h.file)))
			if dir == "/" {
				break
			}
		}
	}
	return limit, limit < unlimitedBytes
}

// unlimitedBytes: version 1 has a number for no limit, the greatest multiple of a page.
const unlimitedBytes = 1 << 62

// groupOf is the path of the process's group in the hierarchy of a controller: "" is
// version 2's. In a container, it is often one of the host, which is not there; what
// is mounted as the root is the container's own group then.
func groupOf(system fs.FS, controller string) (dir string, ok bool) {
	all, err := fs.ReadFile(system, "proc/self/cgroup")
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(all)) { // "4:memory:/a/b", "0::/a/b"
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && slices.Contains(strings.Split(fields[1], ","), controller) {
			return path.Clean("/" + fields[2]), true
		}
	}
	return "", false
}

// readLimit is noMemoryLimit where the file holds none, or is not there.
func readLimit(system fs.FS, file string) int64 {
	data, err := fs.ReadFile(system, file)
	if err != nil {
		return noMemoryLimit
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || n <= 0 { // "max"
		return noMemoryLimit
	}
	return n
}
