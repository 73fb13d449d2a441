package ftpclient

import (
	_ "embed" // the script
	"encoding/json"
	"fmt"
	"os/exec"
)

// FTPLib is ftplib of Python's standard library, driven by a small script. The
// script takes what to do, with the password, from standard input.
type FTPLib struct {
	// Resume has data connections resume the control connection's TLS session,
	// by a subclass. ftplib itself does not.
	Resume bool
}

// Name is ftplib, or ftplib-resuming.
func (f FTPLib) Name() string {
	if f.Resume {
		return "ftplib-resuming"
	}
	return "ftplib"
}

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

// Can tells that ftplib mirrors nothing.
func (FTPLib) Can(_ Target, ops ...Operation) error { return lacks(ops, MirrorUp, MirrorDown) }

func (f FTPLib) command(t Target, ops []Operation, _ string) (command, error) {
	j := newJob(t, ops)
	j.Resume = f.Resume
	input, err := json.Marshal(j)
	if err != nil {
		return command{}, fmt.Errorf("ftplib: %w", err)
	}
	// -I: neither the environment nor the directory changes what is imported.
	return command{args: []string{f.Program(), "-I", "-c", ftplibScript}, input: string(input)}, nil
}

// job is what the scripts that drive libraries read from standard input.
type job struct {
	Host     string   `json:"host"`
	Port     int      `json:"port"`
	User     string   `json:"user"`
	Password string   `json:"password"`
	TLS      TLS      `json:"tls"`
	Implicit bool     `json:"implicit"`
	CA       string   `json:"ca"`
	Name     string   `json:"name"`
	Mode     Mode     `json:"mode"`
	Resume   bool     `json:"resume"`
	Dialogue bool     `json:"dialogue"`
	Ops      []jobOps `json:"ops"`
}

type jobOps struct {
	Kind   Kind   `json:"kind"`
	Local  string `json:"local"`
	Remote string `json:"remote"`
	To     string `json:"to"`
	Rate   int    `json:"rate"`
}

func newJob(t Target, ops []Operation) job {
	j := job{
		Host: t.Host, Port: t.Port, User: t.User, Password: t.Password,
		TLS: t.TLS, Implicit: t.Implicit, CA: t.CAFile, Name: t.ServerName, Mode: t.Mode, Dialogue: t.Dialogue,
	}
	for _, op := range ops {
		j.Ops = append(j.Ops, jobOps(op))
	}
	return j
}
