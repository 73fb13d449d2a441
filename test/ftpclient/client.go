// Package ftpclient drives real FTP clients: curl, lftp, Python's ftplib, and
// with fewer abilities ncftp, tnftp, wget, rclone, Node's basic-ftp and Java's
// commons-net.
// Tests use it to hold the server against what people run, on this machine or,
// with a prefix such as nsenter, from another network namespace.
//
// It never weakens a client: certificates are always verified, a data
// connection goes to the address that the server tells, and no password stands
// on a command line or in the environment. It knows nothing of our server.
package ftpclient

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Client is a program that speaks FTP.
type Client interface {
	// Name is what tests call it, such as curl, lftp or ftplib.
	Name() string
	// Program is the executable, and Package the Debian package that holds it.
	Program() string
	Package() string
	// Can says what the client can't do of this, in one run; else it is nil.
	Can(t Target, ops ...Operation) error
	// command prepares a run that carries out the operations one by one. What it
	// needs of files may be put into dir, which lasts as long as the run.
	command(t Target, ops []Operation, dir string) (command, error)
}

// All returns the clients that do every operation in every mode.
func All() []Client { return []Client{Curl{}, LFTP{}, FTPLib{}} }

// Others returns further clients. What each can do, Can tells.
func Others() []Client {
	return []Client{FTPLib{Resume: true}, NcFTP{}, TNFTP{}, Wget{}, Rclone{}, BasicFTP{}, CommonsNet{}, CommonsNet{Resume: true}}
}

// Missing is an error that says what to install where the client's program is
// not there; else it is nil.
func Missing(c Client) error {
	if _, err := exec.LookPath(c.Program()); err != nil {
		return fmt.Errorf("%s is not installed: apt-get install %s", c.Program(), c.Package())
	}
	return nil
}

// command is a program about to run. What is secret goes through its standard
// input, or a file that nobody else can read, where a client knows no other way.
type command struct {
	args  []string
	input string
	env   []string
	// judge looks for failures in what a client printed that always exits with 0.
	judge func(output string) error
	// after ends a run that went well.
	after func() error
}

// Connection is a client that works on one server as one user. Every operation
// is a run of the program of its own: connect, log in, work, quit.
type Connection struct {
	Client Client
	Target Target
}

// Do carries out an operation and returns what the client printed on its
// standard output. The error holds the client's output.
func (c Connection) Do(ctx context.Context, op Operation) (string, error) {
	return c.Session(ctx, op)
}

// Session carries out operations one by one in one run of the client: a client
// that can will do it on one control connection.
func (c Connection) Session(ctx context.Context, ops ...Operation) (string, error) {
	p, err := c.Start(ctx, ops...)
	if err != nil {
		return "", err
	}
	return p.Wait()
}

// Upload sends a local file to a remote path.
func (c Connection) Upload(ctx context.Context, local, remote string) error {
	return c.only(ctx, Operation{Kind: Upload, Local: local, Remote: remote})
}

// Download fetches a remote path into a local file.
func (c Connection) Download(ctx context.Context, remote, local string) error {
	return c.only(ctx, Operation{Kind: Download, Local: local, Remote: remote})
}

// ResumeUpload goes on with an upload that broke off, the client's own way: it
// asks the server for the size of what is there.
func (c Connection) ResumeUpload(ctx context.Context, local, remote string) error {
	return c.only(ctx, Operation{Kind: ResumeUpload, Local: local, Remote: remote})
}

// ResumeDownload goes on where the local file ends.
func (c Connection) ResumeDownload(ctx context.Context, remote, local string) error {
	return c.only(ctx, Operation{Kind: ResumeDownload, Local: local, Remote: remote})
}

// Rename gives a remote path another name.
func (c Connection) Rename(ctx context.Context, from, to string) error {
	return c.only(ctx, Operation{Kind: Rename, Remote: from, To: to})
}

// Delete removes a remote file.
func (c Connection) Delete(ctx context.Context, remote string) error {
	return c.only(ctx, Operation{Kind: Delete, Remote: remote})
}

// Mkdir makes a remote directory.
func (c Connection) Mkdir(ctx context.Context, remote string) error {
	return c.only(ctx, Operation{Kind: Mkdir, Remote: remote})
}

// Rmdir removes an empty remote directory.
func (c Connection) Rmdir(ctx context.Context, remote string) error {
	return c.only(ctx, Operation{Kind: Rmdir, Remote: remote})
}

// List returns the names in a remote directory. Each client asks in its own
// way: curl by NLST, lftp by LIST, ftplib by MLSD.
func (c Connection) List(ctx context.Context, remote string) ([]string, error) {
	out, err := c.Do(ctx, Operation{Kind: List, Remote: remote})
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(out) {
		if name := strings.TrimRight(line, "\r\n"); name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// MirrorUp makes a remote directory like a local one.
func (c Connection) MirrorUp(ctx context.Context, local, remote string) error {
	return c.only(ctx, Operation{Kind: MirrorUp, Local: local, Remote: remote})
}

// MirrorDown makes a local directory like a remote one.
func (c Connection) MirrorDown(ctx context.Context, remote, local string) error {
	return c.only(ctx, Operation{Kind: MirrorDown, Local: local, Remote: remote})
}

func (c Connection) only(ctx context.Context, op Operation) error {
	_, err := c.Do(ctx, op)
	return err
}
