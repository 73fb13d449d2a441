package clients

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

func asReply(err error) int {
	var reply *replyError
	if errors.As(err, &reply) {
		return reply.code
	}
	return 0
}

// stranger is who never logs in.
func (w *soakWorker) stranger(ctx context.Context) error {
	w.count("strangers", 1)
	w.doing = "a stranger"
	switch w.rng.IntN(7) {
	case 0: // gone before the greeting
		reset(w.wire.raw)
		return nil
	case 1:
		return w.silent(ctx)
	case 2:
		return w.halfHandshake(ctx)
	case 3: // another protocol
		if _, _, err := w.wire.expect("connect", 220); err != nil {
			return err
		}
		_, err := w.wire.do("GET / HTTP/1.1", 421)
		return err
	default:
		return w.wrongPassword()
	}
}

// silent waits for nothing, or until the server has had enough.
func (w *soakWorker) silent(ctx context.Context) error {
	if _, _, err := w.wire.expect("connect", 220); err != nil {
		return err
	}
	if !w.long || w.rng.IntN(10) > 0 {
		w.pause(ctx, 2*time.Second)
		return nil
	}
	stop := context.AfterFunc(ctx, func() { _ = w.wire.raw.CloseRead() })
	defer stop()
	_, _, err := w.wire.expect("silence", 421)
	if ctx.Err() != nil {
		return nil
	}
	w.count("ended for silence", 1)
	return err
}

func (w *soakWorker) halfHandshake(ctx context.Context) error {
	w.count("half handshakes", 1)
	if _, _, err := w.wire.expect("connect", 220); err != nil {
		return err
	}
	if _, err := w.wire.do("AUTH TLS", 234); err != nil {
		return err
	}
	return w.half(ctx, w.wire.raw)
}

// half sends a part of a handshake's first message, and breaks off.
func (w *soakWorker) half(ctx context.Context, c *net.TCPConn) error {
	hello := w.hello()
	if _, err := c.Write(hello[:w.rng.IntN(len(hello))]); err != nil {
		return err
	}
	w.pause(ctx, 500*time.Millisecond)
	if w.rng.IntN(2) == 0 {
		reset(c)
		return nil
	}
	return c.Close()
}

// hello is the first message of a TLS client.
func (w *soakWorker) hello() []byte {
	here, there := net.Pipe()
	go func() { _ = tls.Client(here, w.tls).Handshake() }()
	buf := make([]byte, 16<<10)
	n, _ := there.Read(buf)
	_, _ = here.Close(), there.Close()
	return buf[:n]
}

func (w *soakWorker) wrongPassword() error {
	if _, _, err := w.wire.expect("connect", 220); err != nil {
		return err
	}
	if err := w.secure(); err != nil {
		return err
	}
	name := []string{w.user, "nobody", fmt.Sprintf("nobody %d", w.rng.Uint32())}[w.rng.IntN(3)]
	for range 1 + w.rng.IntN(2) {
		in, err := w.wire.login(name, soakMark+"wrong")
		if err != nil {
			return err
		}
		w.count("wrong passwords", 1)
		if in {
			return errors.New("a wrong password was taken")
		}
	}
	return nil
}

// begin sends the first part of an upload of a file. What was sent is told; of a
// file whose content must not change by it.
func (w *soakWorker) begin(name string) (*soakData, soakContent, error) {
	content := w.content()
	sent := content.first(content.size() / 2)
	d, c, err := w.transfer("STOR " + name)
	if err != nil {
		return nil, nil, err
	}
	to, _ := d.writer(c)
	if _, err := to.Write(sent.bytes()); err != nil {
		d.close()
		return nil, nil, err
	}
	w.at(name).partial = true
	w.notePartial(w.user, name)
	return d, sent, nil
}

func (w *soakWorker) cutUpload(context.Context) error {
	name, _ := w.file()
	d, _, err := w.begin(name)
	if err != nil {
		return err
	}
	w.count("broken uploads", 1)
	d.reset()
	_, _, err = w.wire.expect("STOR, reset", 426, 425)
	return err
}

func (w *soakWorker) abortUpload(context.Context) error {
	name, _ := w.file()
	d, _, err := w.begin(name)
	if err != nil {
		return err
	}
	defer d.close()
	w.count("aborted", 1)
	if _, err := w.wire.do("ABOR", 426, 425); err != nil {
		return err
	}
	_, _, err = w.wire.expect("ABOR", 226)
	return err
}

// resume drops an upload of a new file, and goes on with it.
func (w *soakWorker) resume(ctx context.Context) error {
	if w.wire.packed { // what has arrived of a compressed stream is not for clients to know
		return nil
	}
	name := w.dir + "/resumed"
	f := w.at(name)
	if !f.gone() {
		if _, err := w.wire.do("DELE "+name, 250, 550); err != nil {
			f.maybe(nil)
			return err
		}
		f.is(nil)
	}
	d, sent, err := w.begin(name)
	if err != nil {
		return err
	}
	d.reset()
	w.count("broken uploads", 1)
	code, _, err := w.wire.expect("STOR, reset", 426, 425)
	if err != nil || code == 425 { // it has not begun, and what is kept is of another
		return err
	}
	var have int
	text, err := w.wire.do("SIZE "+name, 213, 550)
	if err != nil {
		return err
	}
	if _, err := fmt.Sscanf(text, "213 %d", &have); err != nil || have == 0 {
		return nil // the reset was quicker than the data
	}
	if _, err := w.wire.do(fmt.Sprintf("REST %d", have), 350); err != nil {
		return err
	}
	w.count("resumed", 1)
	more := w.content()
	return w.upload(ctx, "STOR "+name, f, more, sent.first(have).then(more))
}

func (w *soakWorker) abortDownload(context.Context) error {
	d, c, err := w.beginDownload()
	if err != nil || d == nil {
		return err
	}
	defer d.close()
	w.count("aborted", 1)
	if err := w.wire.send("ABOR"); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, c)
	if _, _, err := w.wire.expect("RETR, aborted", 426, 425, 226); err != nil {
		return err
	}
	_, _, err = w.wire.expect("ABOR", 226)
	return err
}

// beginDownload reads the first bytes of a file, if there is one.
func (w *soakWorker) beginDownload() (*soakData, net.Conn, error) {
	name, f := w.file()
	if _, ok := f.known(); !ok {
		return nil, nil, nil
	}
	d, c, err := w.transfer("RETR " + name)
	if err != nil {
		return nil, nil, err
	}
	w.count("downloads in doubt", 1)
	_, _ = io.CopyN(io.Discard, c, int64(w.rng.IntN(64<<10)))
	return d, c, nil
}

func (w *soakWorker) cutDownload(context.Context) error {
	d, _, err := w.beginDownload()
	if err != nil || d == nil {
		return err
	}
	w.count("broken downloads", 1)
	if w.rng.IntN(2) == 0 {
		d.reset()
	} else {
		d.close()
	}
	_, _, err = w.wire.expect("RETR, cut", 426, 425, 226)
	return err
}

func (w *soakWorker) cutListing(context.Context) error {
	d, _, err := w.transfer("LIST -R /")
	if err != nil {
		return err
	}
	w.count("broken listings", 1)
	d.reset()
	_, _, err = w.wire.expect("LIST, cut", 426, 425, 226)
	return err
}

// cutHandshake breaks off in the handshake of a data connection.
func (w *soakWorker) cutHandshake(ctx context.Context) error {
	if !w.wire.private {
		return nil
	}
	name, _ := w.file()
	d, err := w.wire.data(soakModes[w.rng.IntN(len(soakModes))])
	if err != nil {
		return err
	}
	defer d.close()
	if _, err := w.wire.do("STOR "+name, 150); err != nil {
		return err
	}
	w.count("half handshakes", 1)
	if err := d.arrive(); err != nil {
		return err
	}
	if err := w.half(ctx, d.tcp); err != nil {
		return err
	}
	_, _, err = w.wire.expect("STOR, half a handshake", 425, 426)
	return err
}

// die ends both connections, for the server the control connection first. A process that
// dies may end them in the other order, but within microseconds: on a busy machine a test can't, and
// the server waits for the second end no longer than the upload took. TestClientKilled
// kills processes.
func (w *soakWorker) die(d *soakData) {
	w.count("deaths", 1)
	w.closed = true
	if w.rng.IntN(2) == 0 {
		reset(w.wire.raw)
		d.reset()
		return
	}
	hangUp(w.wire.raw)
	d.close()
	_ = w.wire.raw.Close()
}

// hangUp ends what is sent, and waits until the server's kernel has the end: where a
// machine is busy, an end that is sent first can come last, by as long as a thread of
// the kernel waits for a processor.
func hangUp(c *net.TCPConn) {
	_ = c.CloseWrite()
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	for acknowledged, start := false, time.Now(); !acknowledged && time.Since(start) < soakPatience; {
		err = raw.Control(func(fd uintptr) {
			info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
			acknowledged = err != nil || info.State != unix.BPF_TCP_FIN_WAIT1
		})
		if err != nil {
			return
		}
		time.Sleep(100 * time.Microsecond) // nothing tells when it is
	}
}

func (w *soakWorker) dieUploading(context.Context) error {
	name, _ := w.file()
	d, _, err := w.begin(name)
	if err == nil {
		w.die(d)
	}
	return err
}

func (w *soakWorker) dieDownloading(context.Context) error {
	d, _, err := w.beginDownload()
	if err == nil && d != nil {
		w.die(d)
	}
	return err
}

// dieWaiting leaves a server that waits for the data connection.
func (w *soakWorker) dieWaiting(context.Context) error {
	if _, err := w.wire.passive(soakModes[w.rng.IntN(2)]); err != nil {
		return err
	}
	name, f := w.file()
	command := "STOR " + name
	if _, ok := f.known(); ok && w.rng.IntN(2) == 0 {
		command = "RETR " + name
	} else {
		f.partial = true // none, unless there was one
	}
	if _, err := w.wire.do(command, 150); err != nil {
		return err
	}
	w.die(&soakData{})
	return nil
}
