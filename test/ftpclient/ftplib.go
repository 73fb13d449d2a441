package ftpclient

import (
	_ "embed" // the script
	"encoding/json"
	"fmt"
	"os/exec"
)

// FTPLib is ftplib of Python's standard library, driven by a small script. The
// script takes what to do, with the password, from standard input.
type FTPLib struct{}

// Name is ftplib.
func (FTPLib) Name() string { return "ftplib" }

// Program is the system's python3, which starts without a version manager.
func (FTPLib) Program() string {
	const system = "/usr/bin/python3"
	if _, err := exec.LookPath(system); err == nil {
		return system
	}
	return "python3"
}

// Package is python3.
func (FTPLib) Package() string { return "python3" }

//go:embed ftplib.py
var ftplibScript string

func (f FTPLib) command(t Target, op Operation) (command, error) {
	input, err := json.Marshal(map[string]any{
		"host": t.Host, "port": t.Port, "user": t.User, "password": t.Password,
		"tls": t.TLS, "ca": t.CAFile, "name": t.ServerName, "mode": t.Mode,
		"kind": op.Kind, "local": op.Local, "remote": op.Remote, "to": op.To, "rate": op.Rate,
	})
	if err != nil {
		return command{}, fmt.Errorf("ftplib: %w", err)
	}
	// -I: neither the environment nor the directory changes what is imported.
	return command{args: []string{f.Program(), "-I", "-c", ftplibScript}, input: string(input)}, nil
}
