package ftpclient

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Rclone is rclone. It takes its configuration from a file that nobody else can
// read.
type Rclone struct{}

// Name is rclone.
func (Rclone) Name() string { return "rclone" }

// Program is rclone.
func (Rclone) Program() string { return "rclone" }

// Package is rclone.
func (Rclone) Package() string { return "rclone" }

// Can tells that rclone does one thing in a run, goes on with nothing, and
// knows no active connections.
func (Rclone) Can(t Target, ops ...Operation) error {
	switch {
	case len(ops) > 1:
		return errors.New("does one thing in a run")
	case t.Mode == Active:
		return errors.New("knows no active connections")
	case t.otherName():
		return errors.New("has no option for the certificate's name")
	}
	return lacks(ops, ResumeUpload, ResumeDownload)
}

func (Rclone) command(t Target, ops []Operation, dir string) (command, error) {
	file := filepath.Join(dir, "rclone.conf")
	if err := rcloneConfig(t, file); err != nil {
		return command{}, err
	}
	op := ops[0]
	c := command{
		// By default it fetches a large file by several streams and closes each at
		// the end of its part. Then 1.60 takes the 426 that it has brought about for
		// a failure, whatever server it is.
		args: []string{"rclone", "--config", file, "--timeout", "30s", "--multi-thread-streams", "0"},
		env:  []string{"HOME=" + dir},
	}
	if !t.Patient {
		c.args = append(c.args, "--retries", "1", "--low-level-retries", "1")
	}
	if t.secured() {
		c.env = append(c.env, "SSL_CERT_FILE="+t.CAFile, "SSL_CERT_DIR="+filepath.Join(dir, "none"))
	}
	if op.Rate > 0 {
		c.args = append(c.args, "--bwlimit", fmt.Sprintf("%dB", op.Rate))
	}
	remote := "server:" + op.Remote
	switch op.Kind {
	case Upload:
		c.args = append(c.args, "copyto", "--ignore-times", op.Local, remote)
	case Download:
		c.args = append(c.args, "copyto", "--ignore-times", remote, op.Local)
	case MirrorUp:
		c.args = append(c.args, "sync", "--create-empty-src-dirs", "--transfers", "1", op.Local, remote)
	case MirrorDown:
		c.args = append(c.args, "sync", "--create-empty-src-dirs", "--transfers", "1", remote, op.Local)
	case Rename:
		c.args = append(c.args, "moveto", remote, "server:"+op.To)
	case Delete:
		c.args = append(c.args, "deletefile", remote)
	case Mkdir:
		c.args = append(c.args, "mkdir", remote)
	case Rmdir:
		c.args = append(c.args, "rmdir", remote)
	case List:
		c.args = append(c.args, "lsf", remote)
	}
	return c, nil
}

func rcloneConfig(t Target, file string) error {
	obscure := exec.Command("rclone", "obscure", "-")
	obscure.Stdin = strings.NewReader(t.Password)
	pass, err := obscure.Output()
	if err != nil {
		return fmt.Errorf("rclone obscure: %w", err)
	}
	host := t.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // 1.60 puts the port behind as it is
	}
	text := fmt.Sprintf("[server]\ntype = ftp\nhost = %s\nport = %d\nuser = %s\npass = %s\ndisable_epsv = %t\n",
		host, t.Port, t.User, bytes.TrimSpace(pass), t.Mode == PASV)
	if t.secured() {
		text += fmt.Sprintf("explicit_tls = %t\ntls = %t\ndisable_tls13 = %t\n", !t.Implicit, t.Implicit, t.TLS == TLS12)
	}
	return os.WriteFile(file, []byte(text), 0o600)
}
