package ftpclient

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// TLS is how the connection is secured: not at all, or by AUTH TLS with exactly
// this version on the control connection and every data connection.
type TLS string

// The ways of securing a connection.
const (
	TLSNone TLS = "none"
	TLS12   TLS = "1.2"
	TLS13   TLS = "1.3"
)

// Mode is how data connections are made; with Default as the client likes best.
type Mode string

// The modes. With Active the server connects to the client.
const (
	PASV   Mode = "PASV"
	EPSV   Mode = "EPSV"
	Active Mode = "Active"

	Default Mode = "Default"
)

// Target is a server, and how to be its client.
type Target struct {
	Host     string
	Port     int
	User     string
	Password string
	// TLS absent: none.
	TLS TLS
	// Implicit: the server's port speaks TLS from the first byte, without AUTH.
	Implicit bool
	// CAFile holds, in PEM, what the server's certificate is verified against.
	CAFile string
	// ServerName is the name that the certificate must be for, if other than
	// Host. lftp has no option for it: it then verifies the chain only.
	ServerName string
	// Mode absent: EPSV.
	Mode Mode
	// Patient leaves it to the client how often it tries again; else it does not.
	Patient bool
	// Dialogue has curl, lftp and ftplib keep what they say and hear, without the
	// password, for Process.Replies. The others keep nothing.
	Dialogue bool
	// Prefix is put in front of the client's command, such as nsenter with the
	// namespace to run it in.
	Prefix []string
}

func (t Target) withDefaults() Target {
	if t.TLS == "" {
		t.TLS = TLSNone
	}
	if t.Mode == "" {
		t.Mode = EPSV
	}
	if t.ServerName == "" {
		t.ServerName = t.Host
	}
	return t
}

func (t Target) validate() error {
	switch {
	case t.Host == "" || t.Port == 0 || t.User == "":
		return errors.New("target: give Host, Port and User")
	case t.TLS != TLSNone && t.TLS != TLS12 && t.TLS != TLS13:
		return fmt.Errorf("target: TLS %q is not one of none, 1.2, 1.3", t.TLS)
	case t.Mode != PASV && t.Mode != EPSV && t.Mode != Active && t.Mode != Default:
		return fmt.Errorf("target: Mode %q is not one of PASV, EPSV, Active, Default", t.Mode)
	case t.Implicit && t.TLS == TLSNone:
		return errors.New("target: Implicit needs TLS")
	case t.TLS != TLSNone && t.CAFile == "":
		return errors.New("target: TLS needs CAFile")
	}
	return nil
}

func (t Target) secured() bool { return t.TLS != TLSNone && t.TLS != "" }

// named is the address under the certificate's name.
func (t Target) named() string { return net.JoinHostPort(t.ServerName, strconv.Itoa(t.Port)) }

// scheme is that of URLs.
func (t Target) scheme() string {
	if t.Implicit {
		return "ftps"
	}
	return "ftp"
}

// otherName tells whether the certificate is for another name than Host.
func (t Target) otherName() bool { return t.withDefaults().ServerName != t.Host }
