package install

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

func randomFile(t *testing.T, n int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "random")
	data := make([]byte, n)
	_, _ = rand.Read(data)
	must(t, os.WriteFile(file, data, 0o600))
	return file
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	must(t, err)
	return data
}

// holds downloads a file and compares it.
func holds(t *testing.T, c ftpclient.Connection, remote, want string) {
	t.Helper()
	back := filepath.Join(t.TempDir(), "back")
	must(t, c.Download(soon(t), remote, back))
	if !bytes.Equal(read(t, want), read(t, back)) {
		t.Fatalf("%s is not what was uploaded", remote)
	}
}

// halves is a transfer that a test holds up in the middle: the client's local
// file is a pipe, of which the test has the other end.
type halves struct {
	process *ftpclient.Process
	half    chan struct{} // closed when half of it has gone through
	resume  chan struct{} // to be closed when the rest may follow
	ended   chan error    // what the test's end of the pipe met
	got     []byte        // by a download
}

// inHalves starts an upload of data, or a download of a file as long as that.
func inHalves(t *testing.T, c ftpclient.Connection, kind ftpclient.Kind, remote string, data []byte) *halves {
	t.Helper()
	pipe := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	h := &halves{half: make(chan struct{}), resume: make(chan struct{}), ended: make(chan error, 1)}
	// Both ways, so that opening does not wait for the client's end.
	end, err := os.OpenFile(pipe, os.O_RDWR, 0)
	must(t, err)
	if h.process, err = c.Start(t.Context(), ftpclient.Operation{Kind: kind, Remote: remote, Local: pipe}); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer func() { _ = end.Close() }()
		if kind == ftpclient.Download {
			h.got = make([]byte, len(data))
			h.ended <- h.move(func(from, to int) error { _, err := io.ReadFull(end, h.got[from:to]); return err }, len(data))
			return
		}
		h.ended <- h.move(func(from, to int) error { _, err := end.Write(data[from:to]); return err }, len(data))
	}()
	return h
}

func (h *halves) move(part func(from, to int) error, size int) error {
	if err := part(0, size/2); err != nil {
		return err
	}
	close(h.half)
	<-h.resume
	return part(size/2, size)
}

// halfway waits until half of it has gone through.
func (h *halves) halfway(t *testing.T) {
	t.Helper()
	select {
	case <-h.half:
	case <-soon(t).Done():
		_ = h.process.Kill()
		_, err := h.process.Wait()
		t.Fatalf("The transfer does not move: %v", err)
	}
}

// finish lets the rest follow and waits for the end.
func (h *halves) finish(t *testing.T) {
	t.Helper()
	close(h.resume)
	select {
	case err := <-h.ended:
		must(t, err)
	case <-soon(t).Done():
		_ = h.process.Kill()
	}
	if _, err := h.process.Wait(); err != nil {
		t.Errorf("The transfer was cut: %v", err)
	}
}
