package ftpclient

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Process is a client at work.
type Process struct {
	cmd            *exec.Cmd
	what           string
	dir            string
	run            command
	stdout, stderr bytes.Buffer
}

// Start begins a run of the client. The process must be ended by Wait; when ctx
// ends before, it is killed.
func (c Connection) Start(ctx context.Context, ops ...Operation) (*Process, error) {
	if err := Missing(c.Client); err != nil {
		return nil, err
	}
	t := c.Target.withDefaults()
	if err := t.validate(); err != nil {
		return nil, err
	}
	if err := c.Client.Can(t, ops...); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Client.Name(), err)
	}
	dir, err := os.MkdirTemp("", "ftpclient-")
	if err != nil {
		return nil, err
	}
	p, err := c.start(ctx, t, ops, dir)
	if err != nil {
		_ = os.RemoveAll(dir)
	}
	return p, err
}

func (c Connection) start(ctx context.Context, t Target, ops []Operation, dir string) (*Process, error) {
	run, err := c.Client.command(t, ops, dir)
	if err != nil {
		return nil, err
	}
	args := append(append([]string{}, t.Prefix...), run.args...)
	p := &Process{
		cmd:  exec.CommandContext(ctx, args[0], args[1:]...),
		what: fmt.Sprintf("%s: %s %s", c.Client.Name(), ops[0].Kind, ops[0].Remote),
		dir:  dir, run: run,
	}
	p.cmd.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8"), run.env...)
	p.cmd.Stdin = strings.NewReader(run.input)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	// A group of its own, so that Kill reaches what the prefix has started.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Cancel = p.Kill
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", p.what, err)
	}
	return p, nil
}

// Kill ends the client at once (SIGKILL), as a crash would.
func (p *Process) Kill() error { return syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// Wait waits for the client's end and returns its standard output. The error
// holds both outputs.
func (p *Process) Wait() (string, error) {
	defer func() { _ = os.RemoveAll(p.dir) }()
	err := p.cmd.Wait()
	if err == nil && p.run.judge != nil {
		err = p.run.judge(p.stderr.String() + p.stdout.String())
	}
	if err == nil && p.run.after != nil {
		err = p.run.after()
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", p.what, err, p.stderr.String(), p.stdout.String())
	}
	return p.stdout.String(), nil
}

// Replies are what the server said, in order, once Wait has returned. The Target
// must ask for the Dialogue.
func (p *Process) Replies() []Reply { return parseReplies(p.stderr.String()) }
