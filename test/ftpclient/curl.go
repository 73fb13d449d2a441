package ftpclient

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Curl is the curl command. It takes its options, with the password, as a
// configuration from standard input.
type Curl struct {
	// Current is the curl of bin/clients, newer than that of Debian's release:
	// hack/tools/packages.sh curl-current.
	Current bool
}

// Name is curl, or curl-current.
func (c Curl) Name() string {
	if c.Current {
		return "curl-current"
	}
	return "curl"
}

// Program is curl.
func (c Curl) Program() string {
	if !c.Current {
		return "curl"
	}
	path, err := installed("curl-current/curl")
	if err != nil {
		return "curl-current"
	}
	return path
}

// Package is curl.
func (Curl) Package() string { return "curl" }

// Can tells that curl mirrors nothing, and that it sends on active connections
// in clear, PROT P or not (7.88).
func (Curl) Can(t Target, ops ...Operation) error {
	if t.Mode == Active && t.secured() {
		return errors.New("sends in clear on active connections")
	}
	return lacks(ops, MirrorUp, MirrorDown)
}

func (c Curl) command(t Target, ops []Operation, _ string) (command, error) {
	all := &curlConfig{}
	for i, op := range ops {
		if i > 0 {
			all.flag("next") // which ends what was set
		}
		all.connection(t)
		all.operation(op)
		all.set("url", curlURL(t, op))
	}
	// -q: whoever runs the tests may have a configuration too.
	return command{args: []string{c.Program(), "-q", "--config", "-"}, input: all.String()}, nil
}

// curlConfig is a file of options; see curl(1), --config.
type curlConfig struct{ strings.Builder }

func (c *curlConfig) flag(name string) { c.WriteString(name + "\n") }

func (c *curlConfig) set(name, value string) {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	fmt.Fprintf(c, "%s = \"%s\"\n", name, quote.Replace(value))
}

func (c *curlConfig) connection(t Target) {
	c.flag("silent")
	c.flag("show-error")
	c.flag("verbose") // the dialogue, for errors
	c.flag("globoff")
	c.set("connect-timeout", "20")
	c.set("user", t.User+":"+t.Password)
	if t.ServerName != t.Host {
		c.set("connect-to", t.named()+":"+net.JoinHostPort(t.Host, strconv.Itoa(t.Port)))
	}
	switch t.Mode {
	case PASV:
		c.flag("disable-epsv")
		c.flag("no-ftp-skip-pasv-ip")
	case Active:
		c.set("ftp-port", "-")
	}
	if !t.secured() {
		return
	}
	c.flag("ssl-reqd")
	c.set("cacert", t.CAFile)
	c.flag("tlsv" + string(t.TLS))
	c.set("tls-max", string(t.TLS))
}

func (c *curlConfig) operation(op Operation) {
	if op.Rate > 0 {
		c.set("limit-rate", fmt.Sprint(op.Rate))
	}
	switch op.Kind {
	case Upload, ResumeUpload:
		c.set("upload-file", op.Local)
	case Download, ResumeDownload:
		c.set("output", op.Local)
	case List:
		c.flag("list-only")
	default:
		c.flag("head") // no transfer: the commands are all
		for _, line := range op.commands() {
			c.set("quote", line)
		}
	}
	if op.Kind == ResumeUpload || op.Kind == ResumeDownload {
		c.set("continue-at", "-")
	}
}

// curlURL names what is transferred. An absolute path begins with an encoded
// slash (RFC 1738 §3.2.2).
func curlURL(t Target, op Operation) string {
	path := ""
	switch op.Kind {
	case Upload, ResumeUpload, Download, ResumeDownload:
		path = curlPath(op.Remote)
	case List:
		path = curlPath(strings.TrimSuffix(op.Remote, "/")) + "/"
	}
	return t.scheme() + "://" + t.named() + "/" + path
}

func curlPath(remote string) string {
	names := strings.Split(strings.TrimPrefix(remote, "/"), "/")
	for i, name := range names {
		names[i] = url.PathEscape(name)
	}
	return "%2F" + strings.Join(names, "/")
}
