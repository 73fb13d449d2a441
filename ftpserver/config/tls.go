package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// TLSMode says whether clients must, may or cannot use TLS (RFC 4217).
type TLSMode string

// The TLS modes.
const (
	TLSRequired TLSMode = "Required" // login and data only over TLS
	TLSOptional TLSMode = "Optional" // the client decides
	TLSDisabled TLSMode = "Disabled" // no AUTH; plain FTP
)

// DataProtection says whether data connections of a session over TLS must be
// over TLS too.
type DataProtection string

// The kinds of data protection.
const (
	DataProtectionRequired DataProtection = "Required" // PROT P only
	DataProtectionOptional DataProtection = "Optional" // the client decides by PROT C and P
)

// Stapling says whether the server asks for the state of its certificates.
type Stapling string

// The states of stapling.
const (
	StaplingEnabled  Stapling = "Enabled"
	StaplingDisabled Stapling = "Disabled"
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

// TLS configures FTPS: explicit (RFC 4217), and implicit on a port of its own.
type TLS struct {
	// Mode is absent: Required where certificates are given, else Disabled.
	Mode TLSMode `yaml:"mode,omitempty"`
	// MinVersion is the lowest version of TLS accepted: "1.2" (the default) or "1.3".
	MinVersion string `yaml:"minVersion,omitempty"`
	// Certificates are presented to clients, chosen by SNI; the first serves
	// clients that send none or an unknown one.
	Certificates []Certificate `yaml:"certificates,omitempty"`
	// DataProtection holds for sessions over TLS; those in clear, where Mode lets
	// them in, are not touched by it. Absent: Required where Mode is, else
	// Optional.
	DataProtection DataProtection `yaml:"dataProtection,omitempty"`
	// Implicit is absent: AUTH TLS is the only way to TLS.
	Implicit ImplicitTLS `yaml:"implicit,omitempty"`
	// ClientCertificates is absent: clients are asked for none.
	ClientCertificates ClientCertificates `yaml:"clientCertificates,omitempty"`
	// OCSPStapling has the server fetch, from the address that a certificate
	// names, the signed answer that it is not revoked, and show it to clients
	// (RFC 6066 §8, RFC 6960). Absent: Disabled, as it opens connections to
	// elsewhere. A certificate without such an address has none in any case.
	OCSPStapling Stapling `yaml:"ocspStapling,omitempty"`
	// DataSessions is absent: Auto.
	DataSessions DataSessions `yaml:"dataSessions,omitempty"`
	// UploadEnd is absent: Auto.
	UploadEnd UploadEnd `yaml:"uploadEnd,omitempty"`
}

// ImplicitTLS is a second control port, where TLS comes before the greeting.
type ImplicitTLS struct {
	// Listen is host:port. The host is that of the configuration's listen, as
	// passive ports are opened there. It follows a reload, unless that changes
	// listen as well. Empty: there is none.
	Listen string `yaml:"listen,omitempty"`
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
	protection := DataProtectionOptional
	if t.Mode == TLSRequired {
		protection = DataProtectionRequired
	}
	setDefault(&t.DataProtection, protection)
	setDefault(&t.OCSPStapling, StaplingDisabled)
	setDefault(&t.DataSessions, DataSessionsAuto)
	setDefault(&t.UploadEnd, UploadEndAuto)
}

func (t *TLS) validate(listen string) error {
	errs := []error{
		oneOf("tls.mode", t.Mode, TLSRequired, TLSOptional, TLSDisabled),
		oneOf("tls.minVersion", t.MinVersion, "1.2", "1.3"),
		oneOf("tls.dataProtection", t.DataProtection, DataProtectionRequired, DataProtectionOptional),
		oneOf("tls.ocspStapling", t.OCSPStapling, StaplingEnabled, StaplingDisabled),
		t.Implicit.validate(t.Mode, listen),
		t.ClientCertificates.validate(t.Mode),
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

func (i *ImplicitTLS) validate(mode TLSMode, listen string) error {
	if i.Listen == "" {
		return nil
	}
	if err := listenAddress("tls.implicit.listen", i.Listen, true); err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(i.Listen)
	other, taken, err := net.SplitHostPort(listen)
	switch {
	case mode == TLSDisabled:
		return errors.New("tls.implicit: needs TLS: give tls.certificates, and a mode other than Disabled")
	case err != nil: // told of listen
		return nil
	case host != other && !unspecified(other):
		return fmt.Errorf("tls.implicit.listen: must be on %q as listen is, where the passive ports are opened: is on %q", other, host)
	case port == taken && port != "0":
		return fmt.Errorf("tls.implicit.listen: port %s is that of listen: choose another, such as 990", port)
	}
	return nil
}

func unspecified(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "" || err == nil && a.IsUnspecified()
}
