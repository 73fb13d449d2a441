package ftpclient

import (
	_ "embed" // the script
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// BasicFTP is basic-ftp, a library of Node.js, driven by a small script. The
// script takes what to do, with the password, from standard input.
type BasicFTP struct{}

// Name is basic-ftp.
func (BasicFTP) Name() string { return "basic-ftp" }

// Program is node.
func (BasicFTP) Program() string { return "node" }

// Package is nodejs; the library is installed by hack/tools/packages.sh.
func (BasicFTP) Package() string { return "nodejs" }

// Can tells that basic-ftp knows no active connections.
func (BasicFTP) Can(t Target, _ ...Operation) error {
	if t.Mode == Active {
		return fmt.Errorf("knows no active connections")
	}
	return nil
}

//go:embed basicftp.js
var basicFTPScript string

func (b BasicFTP) command(t Target, ops []Operation, _ string) (command, error) {
	modules, err := installed("node_modules/basic-ftp/package.json")
	if err != nil {
		return command{}, err
	}
	input, err := json.Marshal(newJob(t, ops))
	if err != nil {
		return command{}, fmt.Errorf("basic-ftp: %w", err)
	}
	return command{
		args:  []string{b.Program(), "-e", basicFTPScript},
		input: string(input),
		env:   []string{"NODE_PATH=" + filepath.Dir(filepath.Dir(modules)), "NODE_OPTIONS="},
	}, nil
}

// installed finds what hack/tools/packages.sh has put into bin/clients of the
// module that the test belongs to.
func installed(name string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for root := dir; ; root = filepath.Dir(root) {
		path := filepath.Join(root, "bin", "clients", name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if root == filepath.Dir(root) {
			return "", fmt.Errorf("bin/clients/%s is not there: run hack/tools/packages.sh clients", name)
		}
	}
}
