package vfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestMain runs a scenario instead of the tests where a test has started this
// binary again under a tracer of system calls.
func TestMain(m *testing.M) {
	name, root, traced := strings.Cut(os.Getenv("VFS_SCENARIO"), ":")
	if !traced {
		os.Exit(m.Run())
	}
	if err := runScenario(name, root); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A scenario works on a home that holds the file "old", 10 bytes, and the
// directories "dir" and "empty". Its error ends the process with a failure.
var scenarios = map[string]struct {
	role       config.Role
	durability config.Durability
	run        func(f *FS) error
}{
	"store":           {config.RoleReadWrite, config.DurabilityFull, storing("/new", CreateTruncate)},
	"replace":         {config.RoleReadWrite, config.DurabilityFull, storing("/old", CreateTruncate)},
	"append":          {config.RoleReadWrite, config.DurabilityFull, storing("/old", CreateAppend)},
	"careless":        {config.RoleReadWrite, config.DurabilityNone, storing("/new", CreateTruncate)},
	"drop box":        {config.RoleWriteOnly, config.DurabilityFull, storing("/new", CreateTruncate)},
	"make":            {config.RoleReadWrite, config.DurabilityFull, func(f *FS) error { return f.Mkdir("/made") }},
	"delete":          {config.RoleReadWrite, config.DurabilityFull, func(f *FS) error { return f.Remove("/old") }},
	"clear":           {config.RoleReadWrite, config.DurabilityFull, func(f *FS) error { return f.Rmdir("/empty") }},
	"move":            {config.RoleReadWrite, config.DurabilityFull, func(f *FS) error { return f.Rename("/old", "/dir/new") }},
	"rename":          {config.RoleReadWrite, config.DurabilityFull, func(f *FS) error { return f.Rename("/old", "/new") }},
	"combine":         {config.RoleReadWrite, config.DurabilityFull, combining("/new", "/old", "/dir/part", "/other")},
	"attribute":       {config.RoleReadWrite, config.DurabilityFull, settingTime},
	"unique":          {config.RoleReadWrite, config.DurabilityFull, storingUnique},
	"download":        {config.RoleReadWrite, config.DurabilityFull, download},
	"upload":          {config.RoleReadWrite, config.DurabilityNone, upload},
	"flushed":         {config.RoleReadWrite, config.DurabilityFull, flushing("/new")},
	"flushed, bad":    {config.RoleReadWrite, config.DurabilityFull, wantEIO(flushing("/old"))},
	"bad disk":        {config.RoleReadWrite, config.DurabilityFull, wantEIO(storing("/old", CreateTruncate))},
	"direct":          {config.RoleReadWrite, config.DurabilityFull, storing("/new", CreateTruncate)},
	"direct append":   {config.RoleReadWrite, config.DurabilityFull, storing("/old", CreateAppend)},
	"direct drop box": {config.RoleWriteOnly, config.DurabilityFull, storing("/new", CreateTruncate)},
	"direct careless": {config.RoleReadWrite, config.DurabilityNone, storing("/new", CreateTruncate)},
	"direct bad disk": {config.RoleReadWrite, config.DurabilityFull, wantEIO(storing("/old", CreateAppend))},
	"direct upload":   {config.RoleReadWrite, config.DurabilityNone, upload},
	"full at link":    {config.RoleWriteOnly, config.DurabilityFull, wantNoSpace(storing("/new", CreateTruncate))},
	"umask":           {config.RoleReadWrite, config.DurabilityFull, wantEIO(storing("/new", CreateTruncate))},
	"direct umask":    {config.RoleReadWrite, config.DurabilityFull, wantEIO(storing("/new", CreateTruncate))},
	"umask make":      {config.RoleReadWrite, config.DurabilityFull, wantEIO(func(f *FS) error { return f.Mkdir("/made") })},
	"full disk":       {config.RoleReadWrite, config.DurabilityFull, wantNoSpace(storing("/old", CreateTruncate))},
}

func runScenario(name, root string) error {
	c := scenarios[name]
	s, err := OpenStore(root, Options{BootID: "b", Durability: c.durability})
	if err != nil {
		return err
	}
	f, err := s.FS(config.User{Name: "u", Home: "/home", Role: c.role})
	if err != nil {
		return err
	}
	set := config.Storage{Durability: c.durability}
	if strings.HasPrefix(name, "direct") {
		set.Uploads = config.UploadsDirect
	}
	if strings.Contains(name, "umask") {
		set.Umask = "000"
	}
	if err := s.Configure(set); err != nil {
		return err
	}
	return c.run(f)
}

func combining(target string, sources ...string) func(f *FS) error {
	return func(f *FS) error {
		_, left, err := f.Combine(context.Background(), target, sources, nil)
		if err == nil && left > 0 {
			err = errors.New("sources are left")
		}
		return err
	}
}

func settingTime(f *FS) error {
	_, err := f.SetAttributes("/old", Attributes{Modified: new(time.Unix(1, 0))})
	return err
}

func storingUnique(f *FS) error {
	u, err := f.CreateUnique("/new")
	if err == nil {
		err = u.Prepare(context.Background())
	}
	if err == nil {
		_, err = u.Commit()
	}
	return err
}

func storing(p string, mode CreateMode) func(f *FS) error {
	return func(f *FS) error {
		u, err := f.Create(p, mode, 0)
		if err != nil {
			return err
		}
		if err := u.Prepare(context.Background()); err != nil {
			return errors.Join(err, u.Discard())
		}
		if _, err := u.File().WriteString("data"); err != nil {
			return errors.Join(Classify(err), u.Discard())
		}
		_, err = u.Commit()
		return err
	}
}

// flushing is storing for who has something to do between flush and name.
func flushing(p string) func(f *FS) error {
	return func(f *FS) error {
		u, err := f.Create(p, CreateTruncate, 0)
		if err == nil {
			err = u.Prepare(context.Background())
		}
		if err == nil {
			_, err = u.File().WriteString("data")
		}
		if err != nil {
			return err
		}
		u.Flush()
		_, err = u.Commit()
		return err
	}
}

func wantEIO(do func(f *FS) error) func(f *FS) error {
	return func(f *FS) error {
		if err := do(f); !errors.Is(err, syscall.EIO) {
			return fmt.Errorf("error is %w, want EIO", err)
		}
		return nil
	}
}

func wantNoSpace(do func(f *FS) error) func(f *FS) error {
	return func(f *FS) error {
		if err := do(f); !errors.Is(err, ErrNoSpace) {
			return fmt.Errorf("error is %w, want ErrNoSpace", err)
		}
		return nil
	}
}

func download(f *FS) error {
	file, i, err := f.Open("/old")
	if err != nil {
		return err
	}
	here, there, err := connection()
	if err != nil {
		return err
	}
	if n, err := io.Copy(here, file); err != nil || n != i.Size {
		return fmt.Errorf("%d bytes sent: %w", n, err)
	}
	return errors.Join(here.Close(), file.Close(), there.Close())
}

func upload(f *FS) error {
	u, err := f.Create("/new", CreateTruncate, 0)
	if err == nil {
		err = u.Prepare(context.Background())
	}
	if err != nil {
		return err
	}
	here, there, err := connection()
	if err != nil {
		return err
	}
	if _, err := there.Write([]byte("data")); err != nil {
		return err
	}
	if err := there.Close(); err != nil {
		return err
	}
	if n, err := io.Copy(u.File(), here); err != nil || n != 4 {
		return fmt.Errorf("%d bytes received: %w", n, err)
	}
	_, err = u.Commit()
	return errors.Join(err, here.Close())
}

// connection is both ends of a TCP connection on loopback.
func connection() (here, there net.Conn, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = l.Close() }()
	if there, err = net.Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	here, err = l.Accept()
	return here, there, err
}
