package ftp

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// The tests named TestAttack… are a catalogue: each is a class of attacks, and
// tells what the attacker gets. They end with goesOn or servesOn.

// servesOn fails unless somebody can still log in, store a file and fetch it, and
// nothing of what was tried is left in the storage under a hidden name.
func (b *bench) servesOn(user string) {
	b.t.Helper()
	b.serves(b.loginAs(user))
	b.nothingHidden()
}

// nothingHidden fails where the storage holds what no user sees.
func (b *bench) nothingHidden() {
	b.t.Helper()
	must(b.t, filepath.WalkDir(b.root, func(p string, _ fs.DirEntry, err error) error {
		if err == nil && config.ReservedName(filepath.Base(p)) {
			b.t.Errorf("left behind: %s", p)
		}
		return err
	}))
}

// addUsers adds logins with the password of all.
func addUsers(c *config.Config, users ...config.User) {
	for _, u := range users {
		u.PasswordHash = c.Users[0].PasswordHash
		c.Users = append(c.Users, u)
	}
}

// state is everything below a directory but one, with what can be told of it.
func state(t *testing.T, dir, but string) string {
	t.Helper()
	var out strings.Builder
	must(t, filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == but {
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "%s %v %d %v", p, fi.Mode(), fi.Size(), fi.ModTime())
		switch {
		case fi.Mode().IsRegular():
			data, err := os.ReadFile(p)
			must(t, err)
			fmt.Fprintf(&out, " %s", config.Hash(data))
		case fi.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(p)
			must(t, err)
			out.WriteString(" " + to)
		}
		out.WriteByte('\n')
		return nil
	}))
	return out.String()
}

// ask carries a command out, and returns all that came: replies and data.
func (c *client) ask(data bool, line string) (reply, content string) {
	c.t.Helper()
	if !data {
		c.send(line)
		return c.reply(), ""
	}
	conn := c.open()
	defer func() { _ = conn.Close() }()
	c.send(line)
	if reply = c.reply(); !strings.HasPrefix(reply, "150") {
		return reply, ""
	}
	if sends(line) {
		_, _ = conn.Write([]byte("more"))
		_ = conn.CloseWrite()
	}
	received, err := io.ReadAll(conn)
	if !sends(line) { // an upload that is refused may end in a reset
		must(c.t, err)
	}
	return reply + "\n" + c.reply(), string(received)
}

// sends tells whether it is the client that sends the data of a command.
func sends(line string) bool {
	verb, _, _ := strings.Cut(line, " ")
	return verb == "STOR" || verb == "STOU" || verb == "APPE"
}
