// Package servers says how each server that is compared is configured and
// started. All serve the same directory to the same user, write no log of
// transfers, and have the same certificate. Nothing here measures.
package servers

import (
	"fmt"
	"os"
	"path/filepath"
)

// What a client logs in with, and where.
const (
	User     = "bench"
	Password = "bench-password"
	Port     = 2121
	// UserID owns the files; servers that can run without root run as it.
	UserID = 2000
	// Sessions is how many at once the servers must be content with.
	Sessions = 20000
)

// cryptHash is Password's, by crypt(3): SHA-512 with the smallest number of
// rounds. Servers that verify a password at every login get a cheap one.
const cryptHash = "$6$rounds=1000$ftpbenchmark$f2lHX47zJd4eGlO/STc358Sloe2rsfvkDSBX/Q6zjt2Hkrf1yWzZoLogCQSgykjlwxguz7Xy1kAdH8oGZoYgz."

// Passive ports of the servers that choose one for each transfer. They lie below
// those of the kernel's own choice.
const passiveFirst, passiveLast = 10000, 29999

// Env is what a server is started in.
type Env struct {
	Dir        string // for its configuration
	Root       string // what the user sees as "/"
	Bin        string // programs that were built for the benchmark
	TLS        bool   // offer TLS
	Cert, Key  string // PEM files
	Both       string // both in one PEM file
	Hash       string // Password's, as our server makes it
	Durability string // of our server: None or Full
	Rate       int64  // of our server: each session's, both ways, in bytes per second; 0: none
}

// write puts a file of configuration into Dir and returns its path.
func (e *Env) write(name, content string) (string, error) {
	path := filepath.Join(e.Dir, name)
	return path, os.WriteFile(path, []byte(content), 0o644)
}

// Server is one of those that are compared.
type Server struct {
	Name string
	// Version is asked of the program itself or of its package.
	Version string
	Go      bool // written in Go
	MLSD    bool // knows MLSD
	// PerSession is that each session costs processes: 10,000 are more than a
	// machine of this size holds.
	PerSession bool
	// AsUser is that it runs without root, as UserID.
	AsUser bool
	// Limit is that it is a limit and no server of FTP.
	Limit bool
	// Command writes the configuration and returns the program with its
	// arguments.
	Command func(e *Env) ([]string, error)
}

// Limit is the program without FTP that shows what the machine can do.
const Limit = "limit"

// Ours is the name of the server that all others are compared with.
const Ours = "ours"

// All are in the order of the tables.
var All = []*Server{
	{Name: Ours, Version: "this tree", Go: true, MLSD: true, AsUser: true, Command: ours},
	{Name: "vsftpd", Version: "3.0.3-13+b2", PerSession: true, Command: vsftpd},
	{Name: "proftpd", Version: "1.3.8+dfsg-4+deb12u5", MLSD: true, PerSession: true, Command: proftpd},
	{Name: "pure-ftpd", Version: "1.0.50-2.1+b2", MLSD: true, PerSession: true, Command: pureftpd},
	{Name: "pyftpdlib", Version: "1.5.7-3", MLSD: true, AsUser: true, Command: pyftpdlib},
	{Name: "ftpserverlib", Version: "v0.32.1", Go: true, MLSD: true, AsUser: true, Command: ftpserverlib},
	{Name: Limit, AsUser: true, Limit: true, Command: limit},
}

// Named finds a server.
func Named(name string) (*Server, error) {
	for _, s := range All {
		if s.Name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("there is no server %q", name)
}
