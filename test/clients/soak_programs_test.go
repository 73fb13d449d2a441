package clients

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// soakClients are the programs: those that start quickly.
var soakClients = []ftpclient.Client{
	ftpclient.Curl{}, ftpclient.LFTP{}, ftpclient.FTPLib{}, ftpclient.FTPLib{Resume: true}, ftpclient.Wget{}, ftpclient.Rclone{}, ftpclient.NcFTP{}, ftpclient.TNFTP{},
}

// runPrograms has one client program after another transfer a file. Some are
// killed meanwhile.
func (w *soakWorker) runPrograms(load context.Context) {
	dir := w.t.TempDir()
	for load.Err() == nil {
		if err := w.program(load, dir); err != nil {
			w.fail(fmt.Errorf("%s: %w", w.name, err))
			return
		}
	}
}

// program runs one, if it can do what is asked of it.
func (w *soakWorker) program(load context.Context, dir string) error {
	target := w.server.target()
	target.User, target.Password = w.user, w.password(w.user)
	target.TLS = everyTLS[w.rng.IntN(len(everyTLS))]
	target.Mode = []ftpclient.Mode{ftpclient.EPSV, ftpclient.PASV, ftpclient.Active, ftpclient.Default}[w.rng.IntN(4)]
	c := ftpclient.Connection{Client: soakClients[w.rng.IntN(len(soakClients))], Target: target}
	name, f := w.file()
	op := ftpclient.Operation{Kind: ftpclient.Upload, Local: filepath.Join(dir, "local"), Remote: name}
	content, there := f.known()
	if there && w.rng.IntN(2) == 0 {
		op.Kind = ftpclient.Download
	} else {
		content = w.content()
	}
	killed := w.rng.IntN(4) == 0
	if slow := op; killed {
		if slow.Rate = 64 << 10; c.Client.Can(target, slow) == nil {
			op = slow
		}
	}
	if c.Client.Can(target, op) != nil {
		return nil
	}
	_ = os.Remove(op.Local)
	if op.Kind == ftpclient.Upload {
		if err := os.WriteFile(op.Local, content.bytes(), 0o600); err != nil {
			return err
		}
	}
	w.count("programs run", 1)
	err := w.runProgram(load, c, op, killed)
	w.doing = fmt.Sprintf("%s, TLS %s, %s", c.Client.Name(), target.TLS, target.Mode)
	return w.judgeProgram(f, op, content, killed, err)
}

// runProgram runs a client, or kills it at a random moment.
func (w *soakWorker) runProgram(load context.Context, c ftpclient.Connection, op ftpclient.Operation, killed bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*soakPatience)
	defer cancel()
	p, err := c.Start(ctx, op)
	if err != nil {
		return err
	}
	if killed {
		w.count("programs killed", 1)
		w.pause(load, time.Second)
		_ = p.Kill()
	}
	_, err = p.Wait()
	return err
}

// gaveUp tells of a client that has lost its patience, as each does after 20 s on a
// machine that is busy. One that ends its data connection then, without TLS's
// close_notify and with the control connection open, ends a file for all that a
// server can see.
func gaveUp(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "timeout\n") || strings.Contains(text, "timed out")
}

// judgeProgram takes note of what a program has done.
func (w *soakWorker) judgeProgram(f *soakFile, op ftpclient.Operation, content soakContent, killed bool, err error) error {
	what := "downloads"
	if op.Kind == ftpclient.Upload {
		what = "uploads"
	}
	switch {
	case err != nil && gaveUp(err):
		w.count("programs that gave up", 1)
		w.count(what+" in doubt", 1)
		if what == "uploads" {
			f.forget()
			w.notePartial(w.user, op.Remote)
		}
		return nil
	case err != nil && !killed:
		return fmt.Errorf("%s: %w", w.doing, err)
	case err != nil:
		w.count(what+" in doubt", 1)
		if what == "uploads" {
			f.maybe(content)
			w.notePartial(w.user, op.Remote)
		}
		return nil
	}
	w.count(what, 1)
	if what == "uploads" {
		f.is(content)
		return nil
	}
	data, err := os.ReadFile(op.Local)
	if err != nil {
		return err
	}
	return f.saw(op.Remote, data)
}
