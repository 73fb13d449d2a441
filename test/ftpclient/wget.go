package ftpclient

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Wget is GNU wget. It only downloads. It takes its configuration, with the
// password, from a file that nobody else can read.
type Wget struct{}

// Name is wget.
func (Wget) Name() string { return "wget" }

// Program is wget.
func (Wget) Program() string { return "wget" }

// Package is wget.
func (Wget) Package() string { return "wget" }

// Can tells that wget only downloads, and uses EPSV over IPv6 alone.
func (Wget) Can(t Target, ops ...Operation) error {
	six := strings.Contains(t.Host, ":")
	switch {
	case t.Mode == EPSV && !six:
		return errors.New("knows EPSV over IPv6 only")
	case t.otherName():
		return errors.New("has no option for the certificate's name")
	case len(ops) > 1 && mixed(ops):
		return errors.New("does several downloads in one run and nothing else")
	}
	return lacks(ops, Upload, ResumeUpload, Rename, Delete, Mkdir, Rmdir, List, MirrorUp)
}

// mixed tells whether there is anything but whole downloads.
func mixed(ops []Operation) bool {
	for _, op := range ops {
		if op.Kind != Download {
			return true
		}
	}
	return false
}

func (Wget) command(t Target, ops []Operation, dir string) (command, error) {
	config := filepath.Join(dir, "wgetrc")
	if err := os.WriteFile(config, []byte(wgetConfig(t, ops[0])), 0o600); err != nil {
		return command{}, err
	}
	c := command{args: []string{"wget", "--config=" + config}, env: []string{"HOME=" + dir}}
	switch ops[0].Kind {
	case ResumeDownload:
		// wget goes on only with what has the file's own name.
		own := filepath.Join(dir, path.Base(ops[0].Remote))
		if err := moveFile(ops[0].Local, own); err != nil {
			return command{}, err
		}
		c.after = func() error { return moveFile(own, ops[0].Local) }
		c.args = append(c.args, "--continue", "-P", dir)
	case MirrorDown:
		depth := strings.Count(strings.Trim(ops[0].Remote, "/"), "/") + 1
		c.args = append(c.args, "--mirror", "-nH", fmt.Sprintf("--cut-dirs=%d", depth), "-P", ops[0].Local)
	default:
		c.args = append(c.args, "-P", dir)
		c.after = func() error {
			for _, op := range ops {
				if err := moveFile(wgetFile(dir, op, len(ops)), op.Local); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for _, op := range ops {
		c.args = append(c.args, wgetURL(t, op))
	}
	return c, nil
}

// wgetFile is where a download went. Of odd characters in names wget makes
// others: what is the only file is it.
func wgetFile(dir string, op Operation, count int) string {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err == nil && count == 1 {
		for _, file := range files {
			if filepath.Base(file) != "wgetrc" {
				return file
			}
		}
	}
	return filepath.Join(dir, path.Base(op.Remote))
}

func wgetConfig(t Target, op Operation) string {
	lines := []string{"ftp_user = " + t.User, "ftp_password = " + t.Password, "timeout = 20"}
	if !t.Patient {
		lines = append(lines, "tries = 1")
	}
	if op.Rate > 0 {
		lines = append(lines, fmt.Sprintf("limit_rate = %d", op.Rate))
	}
	if t.Mode == Active {
		lines = append(lines, "passive_ftp = off")
	}
	if t.secured() {
		lines = append(lines, "ca_certificate = "+t.CAFile, "secure_protocol = "+map[TLS]string{TLS12: "TLSv1_2", TLS13: "TLSv1_3"}[t.TLS])
	}
	if t.Implicit {
		lines = append(lines, "ftps_implicit = on")
	}
	return strings.Join(lines, "\n") + "\n"
}

// wgetURL names what is fetched. With wget, ftps: is TLS, by AUTH unless
// ftps_implicit is set.
func wgetURL(t Target, op Operation) string {
	scheme := "ftp"
	if t.secured() {
		scheme = "ftps"
	}
	url := scheme + "://" + net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) + "/" + strings.TrimPrefix(curlPath(op.Remote), "%2F")
	if op.Kind == MirrorDown {
		url = strings.TrimSuffix(url, "/") + "/"
	}
	return url
}

// moveFile gives a file another name, on another file system too.
func moveFile(from, to string) error {
	if err := os.Rename(from, to); err == nil {
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}
