package main

import (
	"slices"
	"testing"
	"testing/fstest"
)

// TestGroupMemory: the smallest limit on the way from the process's own group to the
// root of what is mounted.
func TestGroupMemory(t *testing.T) {
	const v1None = "9223372036854771712"
	for name, test := range map[string]struct {
		files map[string]string
		want  int64 // 0: none
	}{
		"none at all":             {nil, 0},
		"container, version 2":    {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "268435456\n"}, 256 << 20},
		"no limit, version 2":     {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 0},
		"nested, own is smallest": {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "300\n", "sys/fs/cgroup/a/b/memory.max": "200\n"}, 200},
		"nested, parent's":        {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "100\n", "sys/fs/cgroup/a/b/memory.max": "max\n"}, 100},
		"nested, root's":          {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/memory.max": "50\n", "sys/fs/cgroup/a/b/memory.max": "200\n"}, 50},
		"path of the host":        {map[string]string{"proc/self/cgroup": "0::/../../kubepods/x\n", "sys/fs/cgroup/memory.max": "70\n"}, 70},
		"version 1":               {map[string]string{"proc/self/cgroup": "3:cpu,cpuacct:/x\n2:memory:/kubepods/x\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "90\n"}, 90},
		"no limit, version 1":     {map[string]string{"proc/self/cgroup": "2:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": v1None}, 0},
		"both versions":           {map[string]string{"proc/self/cgroup": "2:memory:/a\n0::/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "90\n", "sys/fs/cgroup/unified/x": ""}, 90},
		"nonsense":                {map[string]string{"proc/self/cgroup": "memory\n::\n0::/a:b\n", "sys/fs/cgroup/a:b/memory.max": "many"}, 0},
		"more than there can be":  {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "99999999999999999999"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := groupMemory(system(test.files))
			if ok != (test.want > 0) || ok && got != test.want {
				t.Errorf("%d, %t", got, ok)
			}
		})
	}
}

func system(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, content := range files {
		out[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return out
}

// TestMemoryLimitFollows: a limit that changes is followed, and set once; one that the
// environment gives is left alone.
func TestMemoryLimitFollows(t *testing.T) {
	files, env, set := system(map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max"}), "", []int64(nil)
	m := &memoryLimit{system: files, env: func(string) string { return env }, set: func(n int64) { set = append(set, n) }}
	for _, now := range []string{"max", "1000", "1000", "2000", "max", "max"} {
		files["sys/fs/cgroup/memory.max"].Data = []byte(now)
		m.follow()
	}
	if want := []int64{900, 1800, noMemoryLimit}; !slices.Equal(set, want) {
		t.Errorf("set to %d, want %d", set, want)
	}
	env = "1GiB"
	files["sys/fs/cgroup/memory.max"].Data = []byte("3000")
	if _, changed := m.follow(); changed || len(set) != 3 {
		t.Errorf("GOMEMLIMIT is overridden: %d", set)
	}
}
