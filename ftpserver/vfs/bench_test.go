package vfs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

var block = bytes.Repeat([]byte("0123456789abcdef"), 256) // 4 KiB

// BenchmarkUpload is Create, 4 KiB and Commit of a new file. BenchmarkRaw is
// what package os needs for the same promise, as a limit to compare with.
func BenchmarkUpload(b *testing.B) {
	for _, d := range []config.Durability{config.DurabilityFull, config.DurabilityNone} {
		b.Run(string(d), func(b *testing.B) {
			f := benchFS(b, d)
			for i := 0; b.Loop(); i++ {
				benchUpload(b, f, fmt.Sprintf("/f%d", i))
			}
		})
		b.Run(string(d)+"/Parallel", func(b *testing.B) {
			f := benchFS(b, d)
			var n atomic.Int64
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					benchUpload(b, f, fmt.Sprintf("/f%d", n.Add(1)))
				}
			})
		})
	}
}

func BenchmarkRaw(b *testing.B) {
	for _, durable := range []bool{true, false} {
		name := map[bool]string{true: "Full", false: "None"}[durable]
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			for i := 0; b.Loop(); i++ {
				rawUpload(b, dir, fmt.Sprintf("f%d", i), durable)
			}
		})
		b.Run(name+"/Parallel", func(b *testing.B) {
			dir := b.TempDir()
			var n atomic.Int64
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					rawUpload(b, dir, fmt.Sprintf("f%d", n.Add(1)), durable)
				}
			})
		})
	}
}

func benchFS(b *testing.B, d config.Durability) *FS {
	s, err := OpenStore(b.TempDir(), Options{BootID: "bench", Durability: d})
	if err != nil {
		b.Fatal(err)
	}
	f, err := s.FS(config.User{Name: "b", Home: "/b", Role: config.RoleReadWrite})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _ = f.Close(), s.Close() })
	return f
}

func benchUpload(b *testing.B, f *FS, path string) {
	u, err := f.Create(path, CreateTruncate, 0)
	if err == nil {
		err = u.Prepare(b.Context())
	}
	if err != nil {
		b.Error(err)
		return
	}
	if _, err := u.File().Write(block); err != nil {
		b.Error(err)
	}
	if _, err := u.Commit(); err != nil {
		b.Error(err)
	}
}

func rawUpload(b *testing.B, dir, name string, durable bool) {
	if err := rawWrite(dir, name, durable); err != nil {
		b.Error(err)
	}
}

func rawWrite(dir, name string, durable bool) error {
	tmp := filepath.Join(dir, ".tmp-"+name)
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	if _, err := f.Write(block); err != nil {
		return err
	}
	if durable {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil || !durable {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

// BenchmarkListing goes through a directory of 10,000 entries.
func BenchmarkListing(b *testing.B) {
	f := benchFS(b, config.DurabilityNone)
	for i := range 10_000 {
		u, err := f.Create(fmt.Sprintf("/a-file-of-some-length-%d", i), CreateTruncate, 0)
		if err := publish(u, err); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		d, err := f.OpenDir("/")
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = d.Next(256)
		}
		_ = d.Close()
	}
}

// BenchmarkPathRules is what rules cost each operation.
func BenchmarkPathRules(b *testing.B) {
	root := b.TempDir()
	s, err := OpenStore(root, Options{BootID: "b", Durability: config.DurabilityNone})
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{0, 1, 16} {
		u := config.User{Name: "u", Home: "/home", Role: config.RoleReadWrite}
		for i := range n {
			u.Paths = append(u.Paths, config.PathRule{Path: fmt.Sprintf("/a/rule/%d", i), Role: config.RoleReadOnly})
		}
		f, err := s.FS(u)
		if err != nil {
			b.Fatal(err)
		}
		_ = f.Mkdir("/a")
		_ = f.Mkdir("/a/dir")
		if err := publish(f.Create("/a/dir/file", CreateTruncate, 0)); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("stat/rules=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := f.Stat("/a/dir/file"); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("store/rules=%d", n), func(b *testing.B) {
			for b.Loop() {
				u, err := f.Create("/a/dir/file", CreateTruncate, 0)
				if err == nil {
					err = u.Prepare(context.Background())
				}
				if err == nil {
					_, err = u.Commit()
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		_ = f.Close()
	}
}
