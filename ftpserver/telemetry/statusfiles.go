package telemetry

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/readfile"
	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf"
)

// maxTokenSize bounds what is read of a token file, in bytes.
const maxTokenSize = 4096

// statusFiles are the certificate and the token of /status. Both are read anew
// whenever they are needed: requests are few, and what was rotated counts at
// once.
type statusFiles struct {
	dir    string
	config config.StatusEndpoint
	log    *slog.Logger

	mu   sync.Mutex
	pair *tlsconf.Pair     // the last that could be used
	told map[string]string // by file: the problem that was logged last
}

func openStatusFiles(dir string, c config.StatusEndpoint, log *slog.Logger) (*statusFiles, error) {
	f := &statusFiles{dir: dir, config: c, log: log, told: map[string]string{}}
	pair, err := f.loadPair()
	if err != nil {
		return nil, fmt.Errorf("admin.status: %w", err)
	}
	f.pair = pair
	if _, err := f.readToken(); err != nil {
		return nil, fmt.Errorf("admin.status.tokenFile: %w", err)
	}
	return f, nil
}

// token returns the token in force. An error has been logged.
func (f *statusFiles) token() (string, error) {
	token, err := f.readToken()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report(f.config.TokenFile, err)
	return token, err
}

// tlsConfig serves the newest certificate, or the last good one.
func (f *statusFiles) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return f.certificate(), nil
		},
	}
}

func (f *statusFiles) certificate() *tls.Certificate {
	pair, err := f.loadPair()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.pair = pair
	}
	f.report(f.config.CertFile, err)
	return f.pair.Certificate()
}

func (f *statusFiles) loadPair() (*tlsconf.Pair, error) {
	return tlsconf.LoadPair(f.dir, config.Certificate{CertFile: f.config.CertFile, KeyFile: f.config.KeyFile})
}

// readToken reads at most maxTokenSize bytes. An empty token would let
// everyone in, so it is an error.
func (f *statusFiles) readToken() (string, error) {
	data, err := readfile.Regular(config.Resolve(f.dir, f.config.TokenFile), maxTokenSize)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", errors.New("must hold a token")
	}
	return token, nil
}

// report logs a problem once, not on every request. The caller holds mu.
func (f *statusFiles) report(file string, err error) {
	if err == nil {
		delete(f.told, file)
		return
	}
	if f.told[file] != err.Error() {
		f.told[file] = err.Error()
		f.log.Warn("File of the status endpoint refused", "file", file, "error", err)
	}
}
