package vfs

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestKilledBetweenSteps kills the process at the entry of each system call of an
// upload. Under the name is the old file or the new one, whole; and after a sweep
// of the next start nothing is left besides.
func TestKilledBetweenSteps(t *testing.T) {
	needTracer(t)
	const temporary, home = ".ftpserver-tmp-0-b-1", ""
	for _, c := range []struct {
		scenario, call, of, name string
		published                bool
	}{
		{"replace", "write", temporary, "old", false},
		{"replace", "fsync", temporary, "old", false},
		{"replace", "renameat", home, "old", false},
		{"replace", "unlinkat", home, "old", true}, // of a partial upload
		{"replace", "fsync", home, "old", true},
		{"store", "renameat", home, "new", false},
		{"store", "fsync", home, "new", true},
		{"append", "renameat", home, "old", false},
		{"append", "fsync", home, "old", true},
		{"drop box", "linkat", home, "new", false},
		{"drop box", "unlinkat", home, "new", true}, // two names, for the sweep
		{"drop box", "fsync", home, "new", true},
	} {
		t.Run(c.scenario+"/"+c.call+" of "+map[string]string{temporary: "the temporary", home: "the home"}[c.of], func(t *testing.T) {
			d := newHome(t)
			of := c.of
			if of == temporary {
				of = d.replacing(c.name)
			}
			d.killed(c.scenario, c.call, d.path(of))
			want := map[bool]string{true: "data"}[c.published]
			if c.name == "old" {
				want = map[bool]string{true: want, false: "0123456789"}[c.published]
				if c.scenario == "append" && c.published {
					want = "0123456789data"
				}
				d.wantFile("old", want)
			} else if c.published {
				d.wantFile(c.name, want)
			} else {
				d.wantAbsent(c.name)
			}
			next := openDisk(t, d.root, Options{BootID: "c"})
			if _, err := next.store.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			names := []string{"dir", "empty", "old"}
			if c.name == "new" && c.published {
				names = append(names, "new")
			}
			d.wantNames("", names...)
			store(t, next.user("u", config.RoleReadWrite), "/"+c.name, CreateTruncate, 0, "again")
			d.wantFile(c.name, "again")
		})
	}
}

// replacing is the first temporary of an upload to a file that is there.
func (d *disk) replacing(name string) string {
	return ".ftpserver-tmp-0-b-1-" + d.user("u", config.RoleReadWrite).targetHash(name)
}

// killed runs a scenario in a process that is killed at a system call on a path.
func (d *disk) killed(scenario, call, path string) {
	d.t.Helper()
	self, err := os.Executable()
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace="+call, "-P", strings.TrimSuffix(path, "/"), "-e", "inject="+call+":signal=KILL", self)
	cmd.Env = append(os.Environ(), "VFS_SCENARIO="+scenario+":"+d.root)
	text, err := cmd.CombinedOutput()
	exit := new(exec.ExitError)
	if !errors.As(err, &exit) || len(text) > 0 {
		d.t.Fatalf("the process was not killed: %v\n%s", err, text)
	}
}
