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
	stdout, stderr bytes.Buffer
}

// Start begins an operation. The process must be ended by Wait; when ctx ends
// before, it is killed.
func (c Connection) Start(ctx context.Context, op Operation) (*Process, error) {
	if err := Missing(c.Client); err != nil {
		return nil, err
	}
	t := c.Target.withDefaults()
	if err := t.validate(); err != nil {
		return nil, err
	}
	run, err := c.Client.command(t, op)
	if err != nil {
		return nil, err
	}
	args := append(append([]string{}, t.Prefix...), run.args...)
	p := &Process{
		cmd:  exec.CommandContext(ctx, args[0], args[1:]...),
		what: fmt.Sprintf("%s: %s %s", c.Client.Name(), op.Kind, op.Remote),
	}
	p.cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
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
	if err := p.cmd.Wait(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", p.what, err, p.stderr.String(), p.stdout.String())
	}
	return p.stdout.String(), nil
}
