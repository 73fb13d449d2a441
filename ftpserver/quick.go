package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// quickFlags make a configuration for a quick try: one user on one directory.
type quickFlags struct {
	root, user, passwordFile string
	listen, passivePorts     string
	tlsCert, tlsKey          string
	durability               string
	active                   bool
	logLevel, logFormat      string
}

func (q *quickFlags) add(f *pflag.FlagSet) {
	f.StringVar(&q.root, "root", "", "quick try: `DIR` to serve")
	f.StringVar(&q.user, "user", "", "quick try: login `NAME`")
	f.StringVar(&q.passwordFile, "password-file", "", "quick try: `FILE` whose first line is the password; absent: one is made and printed")
	f.StringVar(&q.listen, "listen", "127.0.0.1:2121", "quick try: `ADDRESS` of the control port")
	f.StringVar(&q.passivePorts, "passive-ports", "30000-30009", "quick try: `RANGE` of passive ports")
	f.StringVar(&q.tlsCert, "tls-cert", "", "quick try: PEM `FILE` with a certificate chain; clients may then use TLS")
	f.StringVar(&q.tlsKey, "tls-key", "", "quick try: PEM `FILE` with its private key")
	f.StringVar(&q.durability, "durability", "full", "quick try: full (uploads are on disk before they are acknowledged) or none")
	f.BoolVar(&q.active, "active", false, "quick try: allow active mode (PORT, EPRT)")
	f.StringVar(&q.logLevel, "log-level", "Info", "quick try: Debug, Info, Warn or Error")
	f.StringVar(&q.logFormat, "log-format", "JSON", "quick try: JSON or Text")
}

var durabilities = map[string]config.Durability{"full": config.DurabilityFull, "none": config.DurabilityNone}

// config builds and checks the configuration. A password that had to be made is
// printed to out.
func (q *quickFlags) config(out io.Writer) (*config.Config, error) {
	if q.user == "" {
		return nil, errors.New("--root needs --user NAME")
	}
	durability, ok := durabilities[strings.ToLower(q.durability)]
	if !ok {
		return nil, fmt.Errorf("--durability %q: give full or none", q.durability)
	}
	if (q.tlsCert == "") != (q.tlsKey == "") {
		return nil, errors.New("--tls-cert and --tls-key go together: give both or none")
	}
	hash, err := q.passwordHash(out)
	if err != nil {
		return nil, err
	}
	c := &config.Config{
		Listen:  q.listen,
		Passive: config.Passive{Range: q.passivePorts},
		Storage: config.Storage{Root: q.root, Durability: durability},
		Active:  q.active,
		Users:   []config.User{{Name: q.user, PasswordHash: hash, Home: "/"}},
		Log:     config.Log{Level: q.logLevel, Format: q.logFormat},
	}
	if q.tlsCert != "" {
		pair, err := q.certificate()
		if err != nil {
			return nil, err
		}
		c.TLS = config.TLS{Mode: config.TLSOptional, Certificates: []config.Certificate{pair}}
	}
	c.SetDefaults()
	return c, c.Validate()
}

// certificate names the files absolutely: a configuration without a file has no
// directory that they could be relative to.
func (q *quickFlags) certificate() (config.Certificate, error) {
	cert, err1 := filepath.Abs(q.tlsCert)
	key, err2 := filepath.Abs(q.tlsKey)
	return config.Certificate{CertFile: cert, KeyFile: key}, errors.Join(err1, err2)
}

func (q *quickFlags) passwordHash(out io.Writer) (string, error) {
	password := rand.Text()
	if q.passwordFile != "" {
		f, err := os.Open(q.passwordFile)
		if err != nil {
			return "", fmt.Errorf("--password-file: %w", err)
		}
		defer func() { _ = f.Close() }()
		if password, err = readPassword(f); err != nil {
			return "", fmt.Errorf("--password-file %s: %w", q.passwordFile, err)
		}
	} else if _, err := fmt.Fprintf(out, "Password of %s: %s\n", q.user, password); err != nil {
		return "", err
	}
	return passhash.New(password)
}
