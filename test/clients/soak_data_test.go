package clients

import (
	"compress/zlib"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// soakMode is how a data connection is made.
type soakMode string

var soakModes = []soakMode{"EPSV", "PASV", "PORT", "EPRT"}

// soakData is a data connection that was asked for.
type soakData struct {
	wire     *soakWire
	tcp      *net.TCPConn     // of a passive one
	listener *net.TCPListener // of an active one
	secured  *tls.Conn
	moved    int64 // bytes as they go over the connection, without TLS
}

// data asks for one; a passive one is connected at once.
func (w *soakWire) data(mode soakMode) (*soakData, error) {
	d := &soakData{wire: w}
	if mode == "PORT" || mode == "EPRT" {
		return d, d.listen(mode)
	}
	port, err := w.passive(mode)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(w.addr)
	d.tcp, err = soakTCP(net.JoinHostPort(host, fmt.Sprint(port)), w.from)
	if err != nil {
		return nil, fmt.Errorf("data connection: %w", err)
	}
	return d, nil
}

// passive asks for a passive port.
func (w *soakWire) passive(mode soakMode) (port int, err error) {
	var h [4]int
	var high, low int
	if mode == "PASV" {
		text, err := w.do("PASV", 227)
		if err != nil {
			return 0, err
		}
		_, err = fmt.Sscanf(text[strings.IndexByte(text, '(')+1:], "%d,%d,%d,%d,%d,%d", &h[0], &h[1], &h[2], &h[3], &high, &low)
		return high<<8 | low, err
	}
	text, err := w.do("EPSV", 229)
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscanf(text[strings.IndexByte(text, '(')+1:], "|||%d|", &port)
	return port, err
}

func (d *soakData) listen(mode soakMode) error {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: d.wire.from})
	if err != nil {
		return err
	}
	d.listener = l
	port := l.Addr().(*net.TCPAddr).Port
	line := fmt.Sprintf("EPRT |1|%s|%d|", d.wire.from, port)
	if mode == "PORT" {
		line = fmt.Sprintf("PORT %s,%d,%d", strings.ReplaceAll(d.wire.from.String(), ".", ","), port>>8, port&0xff)
	}
	_, err = d.wire.do(line, 200)
	return err
}

// open returns the connection, once the server has answered 150.
func (d *soakData) open() (net.Conn, error) {
	if err := d.arrive(); err != nil || !d.wire.private {
		return d.tcp, err
	}
	d.secured = tls.Client(d.tcp, d.wire.config)
	if err := d.secured.Handshake(); err != nil {
		return nil, fmt.Errorf("handshake of the data connection: %w", err)
	}
	return d.secured, nil
}

// arrive waits for a connection that the server makes.
func (d *soakData) arrive() error {
	if d.listener != nil {
		_ = d.listener.SetDeadline(time.Now().Add(soakPatience))
		conn, err := d.listener.AcceptTCP()
		if err != nil {
			return fmt.Errorf("active data connection: %w", err)
		}
		d.tcp = conn
	}
	return d.tcp.SetDeadline(time.Now().Add(soakPatience))
}

// close drops what there is.
func (d *soakData) close() {
	if d.listener != nil {
		_ = d.listener.Close()
	}
	if d.tcp != nil {
		_ = d.tcp.Close()
	}
}

// reset has the server see the connection break.
func (d *soakData) reset() {
	if d.listener != nil {
		_ = d.listener.Close()
	}
	if d.tcp != nil {
		reset(d.tcp)
	}
}

// end ends what was sent, waits for the server's end, and closes: to close with
// something unread would reset the connection. Whether all has arrived, the
// reply tells; a server that has waited long enough may be gone by now.
func (d *soakData) end() {
	if d.secured != nil {
		_ = d.secured.CloseWrite()
	}
	_ = d.tcp.CloseWrite()
	_, _ = io.Copy(io.Discard, d.tcp)
	d.close()
}

// counting counts what is written and read.
type counting struct {
	net.Conn
	n *int64
}

func (c counting) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	*c.n += int64(n)
	return n, err
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	*c.n += int64(n)
	return n, err
}

// writer is what an upload is written to; close ends its stream.
func (d *soakData) writer(c net.Conn) (w io.Writer, finish func() error) {
	counted := counting{c, &d.moved}
	if !d.wire.packed {
		return counted, func() error { return nil }
	}
	z := zlib.NewWriter(counted)
	return z, z.Close
}

// readAll is what a download brings.
func (d *soakData) readAll(c net.Conn) ([]byte, error) {
	counted := counting{c, &d.moved}
	if !d.wire.packed {
		return io.ReadAll(counted)
	}
	z, err := zlib.NewReader(counted)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(z)
	_, _ = io.Copy(io.Discard, c)
	return data, err
}
