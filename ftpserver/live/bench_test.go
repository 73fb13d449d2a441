package live

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// BenchmarkReload is what the server itself adds between the change of a file
// and the snapshot in force: 8 files of 2,000 users each, of which none, one
// user of one, or all have changed.
func BenchmarkReload(b *testing.B) {
	shards := make([][]string, config.UserShards)
	for n := 0; ; n++ {
		name := fmt.Sprintf("user-%d", n)
		shard := config.Shard(name)
		if len(shards[shard]) < 2000 {
			shards[shard] = append(shards[shard], fmt.Sprintf("{name: %s, uid: 5f0c3f0e-0000-4000-8000-%012d, passwordHash: %s, home: /partners/%s, role: ReadWrite, login: Enabled}", name, n, hashA, name))
		}
		full := true
		for _, s := range shards {
			full = full && len(s) == 2000
		}
		if full {
			break
		}
	}
	for _, c := range []struct {
		name    string
		changed int
	}{{"nothing", 0}, {"one file", 1}, {"all files", config.UserShards}} {
		b.Run(c.name, func(b *testing.B) {
			d := &dir{t: new(testing.T), root: b.TempDir()}
			d.write(config.FileName, configured("usersDir: users\n"))
			write := func(n, generation int) {
				extra := fmt.Sprintf("{name: changing-%d, passwordHash: %s, home: /generation-%d}", n, hashA, generation)
				d.write(filepath.Join("users", config.UsersFileName(n)), "users:\n- "+strings.Join(append(shards[n], extra), "\n- ")+"\n")
			}
			for n := range config.UserShards {
				write(n, 0)
			}
			s, err := Open(d.root, config.Lenient, d.logger())
			if err != nil {
				b.Fatal(err)
			}
			for generation := 1; b.Loop(); generation++ {
				b.StopTimer()
				for n := range c.changed {
					write(n, generation)
				}
				b.StartTimer()
				if err := s.Reload(); err != nil {
					b.Fatal(err)
				}
			}
			if len(s.Current().Users) != config.UserShards*2001 {
				b.Fatal(len(s.Current().Users), " users")
			}
		})
	}
}

// BenchmarkVolumeSwap is the time from the kubelet's replacing of ..data to the
// snapshot in force, with few users: what is left are the watch and the reading.
func BenchmarkVolumeSwap(b *testing.B) {
	d := &dir{t: new(testing.T), root: b.TempDir()}
	files := func(generation int) map[string]string {
		return map[string]string{config.FileName: configured(fmt.Sprintf("banner: b%d\n", generation))}
	}
	d.volume("etc", 1, files(1))
	s, err := Open(d.path("etc"), config.Lenient, d.logger())
	if err != nil {
		b.Fatal(err)
	}
	swapped := make(chan struct{})
	s.Subscribe(func(_, _ *Snapshot) { swapped <- struct{}{} })
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	generation := 1
	for b.Loop() {
		b.StopTimer()
		d.remove(fmt.Sprintf("etc/..2026_%d", generation-1))
		generation++
		b.StartTimer()
		d.swap("etc", generation, files(generation))
		<-swapped
	}
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
