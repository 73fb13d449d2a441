package vfs

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// faultCase is an operation of which each call is to fail.
type faultCase struct {
	role    config.Role
	durable config.Durability
	set     config.Storage
	paths   []config.PathRule
	before  func(d *disk, f *FS) // makes what it needs beyond newHome
	run     func(f *FS) error
	// between are states that are neither before nor after, and all right.
	between func(state map[string]string, lost bool) bool
}

// faultCases are the scenarios of the trace, and those that have no trace.
func faultCases() map[string]faultCase {
	cases := map[string]faultCase{}
	for name, run := range map[string]func(f *FS) error{
		"store": uploading("/new", CreateTruncate, 0), "replace": uploading("/old", CreateTruncate, 0), "append": uploading("/old", CreateAppend, 0),
		"careless": uploading("/new", CreateTruncate, 0), "drop box": uploading("/new", CreateTruncate, 0), "unique": uploadingUnique,
		"direct": uploading("/new", CreateTruncate, 0), "direct append": uploading("/old", CreateAppend, 0), "direct drop box": uploading("/new", CreateTruncate, 0),
		"umask": uploading("/new", CreateTruncate, 0), "direct umask": uploading("/new", CreateTruncate, 0),
		"umask make": func(f *FS) error { return f.Mkdir("/made") },
		"make":       nil, "delete": nil, "clear": nil, "move": nil, "rename": nil, "attribute": nil,
	} {
		s := scenarios[name]
		c := faultCase{role: s.role, durable: s.durability, run: run}
		if run == nil {
			c.run = s.run
		}
		if strings.HasPrefix(name, "direct") {
			c.set.Uploads, c.between = config.UploadsDirect, directStates
		}
		if strings.Contains(name, "umask") {
			c.set.Umask = "000"
		}
		cases[name] = c
	}
	full := faultCase{role: config.RoleReadWrite, durable: config.DurabilityFull}
	with := func(run func(f *FS) error, edit func(c *faultCase)) faultCase {
		c := full
		c.run = run
		if edit != nil {
			edit(&c)
		}
		return c
	}
	cases["combine"] = with(combining("/new", "/old", "/dir/part", "/other"), func(c *faultCase) {
		c.before, c.between = partsOfACombination, combinedInPart
	})
	cases["resume"] = with(uploading("/half", CreateAt, 2), func(c *faultCase) { c.before = halfUploaded })
	cases["append to partial"] = with(uploading("/half", CreateAppend, 0), func(c *faultCase) { c.before = halfUploaded })
	cases["store over partial"] = with(uploading("/half", CreateTruncate, 0), func(c *faultCase) { c.before = halfUploaded })
	cases["break off"] = with(breakingOff, nil)
	cases["give up"] = with(givingUp, nil)
	cases["break off directly"] = with(breakingOff, func(c *faultCase) { c.set.Uploads, c.between = config.UploadsDirect, directStates })
	cases["stat"] = with(func(f *FS) error { _, err := f.Stat("/dir"); return err }, nil)
	cases["read"] = with(reading, nil)
	cases["list"] = with(listing, nil)
	cases["space"] = with(func(f *FS) error { _, err := f.Available("/dir"); return err }, nil)
	cases["rename into a drop box"] = with(func(f *FS) error { return f.Rename("/old", "/dir/new") }, func(c *faultCase) {
		c.paths = []config.PathRule{{Path: "/dir", Role: config.RoleWriteOnly}}
		c.between = func(state map[string]string, lost bool) bool { return lost && state["old"] == state["dir/new"] } // neither name could be removed
	})
	cases["store under a rule"] = with(uploading("/dir/new", CreateTruncate, 0), ruled)
	cases["list under a rule"] = with(listing, ruled)
	cases["clear leftovers"] = with(func(f *FS) error { return f.Rmdir("/empty") }, func(c *faultCase) {
		c.before = func(d *disk, f *FS) { interrupt(d.t, f, "/empty/half", "half") }
	})
	return cases
}

func ruled(c *faultCase) {
	c.paths = []config.PathRule{{Path: "/dir", Role: config.RoleReadWrite}, {Path: "/empty", Role: config.RoleReadOnly}}
}

// directStates: a Direct upload shows what has come so far.
func directStates(state map[string]string, _ bool) bool {
	fresh, there := state["new"]
	old := state["old"]
	return (!there || strings.HasPrefix("data", fresh)) && strings.HasPrefix("0123456789data", old) && len(old) >= 10
}

func partsOfACombination(d *disk, _ *FS) {
	d.write("dir/part", "abc")
	d.write("other", "xyz")
}

// combinedInPart: all is in the target, and some sources are still there too.
func combinedInPart(state map[string]string, _ bool) bool { return state["new"] == "0123456789abcxyz" }

func halfUploaded(d *disk, f *FS) { interrupt(d.t, f, "/half", "half") }

func uploading(p string, mode CreateMode, offset int64) func(f *FS) error {
	return func(f *FS) error {
		u, err := f.Create(p, mode, offset)
		if err != nil {
			return err
		}
		return finishing(u)
	}
}

func uploadingUnique(f *FS) error {
	u, err := f.CreateUnique("/new")
	if err != nil {
		return err
	}
	return finishing(u)
}

// finishing does what a session does with an upload that it has begun.
func finishing(u *Upload) error {
	if err := sending(u); err != nil {
		return errors.Join(err, u.Interrupt())
	}
	_, err := u.Commit()
	return err
}

func sending(u *Upload) error {
	err := u.Prepare(context.Background())
	if err == nil {
		err = u.Add(4)
	}
	if err == nil {
		_, err = u.File().WriteString("data")
	}
	return err
}

func breakingOff(f *FS) error {
	u, err := f.Create("/new", CreateTruncate, 0)
	if err != nil {
		return err
	}
	return errors.Join(sending(u), u.Interrupt())
}

func givingUp(f *FS) error {
	u, err := f.Create("/new", CreateTruncate, 0)
	if err != nil {
		return err
	}
	return errors.Join(sending(u), u.Discard())
}

func reading(f *FS) error {
	file, _, err := f.Open("/old")
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	_, err = io.Copy(io.Discard, file)
	return err
}

func listing(f *FS) error {
	d, err := f.OpenDir("/dir")
	if err != nil {
		return err
	}
	for err == nil {
		_, err = d.Next(10)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	_ = d.Close()
	return err
}
