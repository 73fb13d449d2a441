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

// DataSessions says whether data connections over TLS must resume the TLS session
// of their control connection, which proves whose they are.
type DataSessions string

// The ways to treat the TLS session of a data connection.
const (
	// DataSessionsAuto: one that resumes a session must resume one of the same
	// user. One that resumes none is served where the client's address can be
	// checked, and refused where it can't (Passive.ClientAddresses).
	DataSessionsAuto     DataSessions = "Auto"
	DataSessionsRequired DataSessions = "Required" // must resume one of the same user
	DataSessionsOptional DataSessions = "Optional" // is never judged by its session
)

// UploadEnd says when the end of an upload over TLS is the end of the file.
type UploadEnd string

// The ways to treat an upload that ends without TLS's close_notify. With each of
// them, the control connection must still be there.
const (
	// UploadEndAuto: believed of a session that has never sent close_notify.
	UploadEndAuto    UploadEnd = "Auto"
	UploadEndStrict  UploadEnd = "Strict"  // never believed
	UploadEndLenient UploadEnd = "Lenient" // believed
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
	// DataSessions is absent: Auto.
	DataSessions DataSessions `yaml:"dataSessions,omitempty"`
	// UploadEnd is absent: Auto.
	UploadEnd UploadEnd `yaml:"uploadEnd,omitempty"`
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
	setDefault(&t.DataSessions, DataSessionsAuto)
	setDefault(&t.UploadEnd, UploadEndAuto)
}

func (t *TLS) validate() error {
	errs := []error{
		oneOf("tls.mode", t.Mode, TLSRequired, TLSOptional, TLSDisabled),
		oneOf("tls.minVersion", t.MinVersion, "1.2", "1.3"),
		oneOf("tls.dataSessions", t.DataSessions, DataSessionsAuto, DataSessionsRequired, DataSessionsOptional),
		oneOf("tls.uploadEnd", t.UploadEnd, UploadEndAuto, UploadEndStrict, UploadEndLenient),
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
