// Package clients holds the server program against real clients, real kills and
// the real kernel: the promises that no test inside the process can keep.
package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// program is the server under test, built once.
var program string

func TestMain(m *testing.M) {
	os.Exit(build(m))
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ftpserver-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "ftpserver")
	args := []string{"build", "-o", program}
	if os.Getenv("RACE") == "1" {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "../../ftpserver")...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the server:", err)
		return 1
	}
	return m.Run()
}
