// Command peer is a small server on ftpserverlib, for the benchmark alone. It
// serves one user one directory.
package main

import (
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"

	ftpserver "github.com/fclairamb/ftpserverlib"
	"github.com/spf13/afero"
)

func main() {
	d := &driver{}
	var first, last int
	listen := flag.String("listen", "127.0.0.1:2121", "control `ADDRESS`")
	root := flag.String("root", ".", "`DIR` to serve")
	flag.StringVar(&d.user, "user", "", "login")
	flag.StringVar(&d.password, "password", "", "its password")
	cert := flag.String("cert", "", "PEM `FILE`; absent: no TLS")
	key := flag.String("key", "", "PEM `FILE`")
	ports := flag.String("ports", "30000-30999", "passive ports, `FIRST-LAST`")
	flag.Parse()
	if _, err := fmt.Sscanf(*ports, "%d-%d", &first, &last); err != nil {
		log.Fatalf("-ports: %v", err)
	}
	var err error
	if d.files.root, err = os.OpenRoot(*root); err != nil {
		log.Fatal(err)
	}
	d.files.Fs = afero.NewBasePathFs(afero.NewOsFs(), *root)
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			log.Fatal(err)
		}
		d.tls = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	d.settings = ftpserver.Settings{
		ListenAddr: *listen, IdleTimeout: 3600, ConnectionTimeout: 30, DisableActiveMode: true,
		PassiveTransferPortRange: ftpserver.PortRange{Start: first, End: last}, DefaultTransferType: ftpserver.TransferTypeBinary,
	}
	log.Fatal(ftpserver.NewFtpServer(d).ListenAndServe())
}

type driver struct {
	user, password string
	settings       ftpserver.Settings
	tls            *tls.Config
	files          files
}

func (d *driver) GetSettings() (*ftpserver.Settings, error) { return &d.settings, nil }

func (d *driver) ClientConnected(ftpserver.ClientContext) (string, error) { return "ready", nil }

func (d *driver) ClientDisconnected(ftpserver.ClientContext) {}

func (d *driver) AuthUser(_ ftpserver.ClientContext, user, password string) (ftpserver.ClientDriver, error) {
	if user != d.user || subtle.ConstantTimeCompare([]byte(password), []byte(d.password)) != 1 {
		return nil, errors.New("wrong user or password")
	}
	return &d.files, nil
}

func (d *driver) GetTLSConfig() (*tls.Config, error) {
	if d.tls == nil {
		return nil, errors.New("no TLS")
	}
	return d.tls, nil
}

// files gives transfers bare files: with a wrapper around them, plain ones would
// leave the kernel.
type files struct {
	afero.Fs
	root *os.Root
}

// GetHandle implements the library's extension for transfers.
func (f *files) GetHandle(name string, flags int, offset int64) (ftpserver.FileTransfer, error) {
	file, err := f.root.OpenFile(strings.TrimPrefix(name, "/"), flags, 0o644)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(offset, 0); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
