package config

import (
	"errors"
	"fmt"
)

// TLSMode says whether clients must, may or cannot use TLS (RFC 4217).
type TLSMode string

// The TLS modes.
const (
	TLSRequired TLSMode = "Required" // login and data only over TLS
	TLSOptional TLSMode = "Optional" // the client decides
	TLSDisabled TLSMode = "Disabled" // no AUTH; plain FTP
)

// TLS configures explicit FTPS (RFC 4217).
type TLS struct {
	// Mode is absent: Required where certificates are given, else Disabled.
	Mode TLSMode `yaml:"mode,omitempty"`
	// MinVersion is the lowest version of TLS accepted: "1.2" (the default) or "1.3".
	MinVersion string `yaml:"minVersion,omitempty"`
	// Certificates are presented to clients, chosen by SNI; the first serves
	// clients that send none or an unknown one.
	Certificates []Certificate `yaml:"certificates,omitempty"`
}

// Certificate names the PEM files of a certificate chain and its private key.
type Certificate struct {
	CertFile string `yaml:"certFile"`
	KeyFile  string `yaml:"keyFile"`
}

func (t *TLS) setDefaults() {
	mode := TLSDisabled
	if len(t.Certificates) > 0 {
		mode = TLSRequired
	}
	setDefault(&t.Mode, mode)
	setDefault(&t.MinVersion, "1.2")
}

func (t *TLS) validate() error {
	errs := []error{
		oneOf("tls.mode", t.Mode, TLSRequired, TLSOptional, TLSDisabled),
		oneOf("tls.minVersion", t.MinVersion, "1.2", "1.3"),
	}
	if t.Mode != TLSDisabled && len(t.Certificates) == 0 {
		errs = append(errs, fmt.Errorf("tls.certificates: mode %s needs at least one", t.Mode))
	}
	for i, c := range t.Certificates {
		if c.CertFile == "" || c.KeyFile == "" {
			errs = append(errs, fmt.Errorf("tls.certificates[%d]: give certFile and keyFile", i))
		}
	}
	return errors.Join(errs...)
}
