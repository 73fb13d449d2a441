package ftpclient

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// CommonsNet is Apache Commons Net, a library of Java, driven by a small
// program. The program takes what to do, with the password, from standard input.
type CommonsNet struct {
	// Resume has data connections resume the control connection's TLS session,
	// by a subclass that reaches into Java's own cache of sessions.
	Resume bool
}

// Name is commons-net, or commons-net-resuming.
func (c CommonsNet) Name() string {
	if c.Resume {
		return "commons-net-resuming"
	}
	return "commons-net"
}

// Program is java. What it runs, CommonsNet.java, hack/tools/packages.sh compiles.
func (CommonsNet) Program() string { return "java" }

// Package is libcommons-net-java.
func (CommonsNet) Package() string { return "libcommons-net-java default-jdk-headless" }

// Can tells that commons-net mirrors nothing.
func (CommonsNet) Can(t Target, ops ...Operation) error {
	switch {
	case t.otherName():
		return errors.New("its program has no setting for the certificate's name")
	case t.Mode == Active && t.secured():
		return errors.New("its handshake on active connections is not driven here")
	}
	return lacks(ops, MirrorUp, MirrorDown)
}

const commonsNetJar = "/usr/share/java/commons-net.jar"

func (c CommonsNet) command(t Target, ops []Operation, _ string) (command, error) {
	if _, err := os.Stat(commonsNetJar); err != nil {
		return command{}, fmt.Errorf("commons-net: %w: apt-get install %s", err, c.Package())
	}
	class, err := installed("commons-net/CommonsNet.class")
	if err != nil {
		return command{}, err
	}
	var input strings.Builder
	line := func(name string, values ...any) {
		input.WriteString(name)
		for _, v := range values {
			input.WriteString(" " + base64.StdEncoding.EncodeToString(fmt.Append(nil, v)))
		}
		input.WriteString("\n")
	}
	line("host", t.Host)
	line("port", t.Port)
	line("user", t.User)
	line("password", t.Password)
	line("tls", t.TLS)
	line("implicit", t.Implicit)
	line("ca", t.CAFile)
	line("mode", t.Mode)
	line("resume", c.Resume)
	for _, op := range ops {
		line("op", op.Kind, op.Local, op.Remote, op.To, op.Rate)
	}
	return command{args: []string{
		c.Program(), "-XX:TieredStopAtLevel=1", "-cp", commonsNetJar + ":" + filepath.Dir(class),
		"--add-opens", "java.base/sun.security.ssl=ALL-UNNAMED", "--add-opens", "java.base/sun.security.util=ALL-UNNAMED",
		"CommonsNet",
	}, input: input.String()}, nil
}
