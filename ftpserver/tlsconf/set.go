package tlsconf

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Set is the certificates of one snapshot, with the lowest version of TLS they
// are served under. It is immutable; a nil Set serves nobody.
type Set struct {
	settings
	pairs []*Pair
	// Of control connections, and of data connections whose session has shown no
	// certificate of its client, or has.
	control, data, dataOfClient *tls.Config
}

// settings are what there is beside the certificates.
type settings struct {
	minVersion uint16
	clients    *clientCAs
	stapling   bool
}

// LoadSet reads the certificates that a configuration names, dir being the
// directory it lies in, and tells of each what is in force, even where an error
// comes back. The error joins what is wrong with each pair. The Set is nil if
// there is an error, or if TLS is switched off.
func LoadSet(dir string, t config.TLS) (*Set, []config.FileStatus, error) {
	s, files := (*Set)(nil).Reload(dir, t)
	var errs []error
	for _, f := range files {
		if f.Error != "" {
			errs = append(errs, fmt.Errorf("%s: %s", f.Name, f.Error))
		}
	}
	if len(errs) > 0 {
		return nil, files, errors.Join(errs...)
	}
	return s, files, nil
}

// Reload reads the certificates anew. A pair that can't be used now keeps the
// content that s has for it, and is left out where s has none; its FileStatus
// says why. The authorities of clients are kept likewise. The result is s itself
// if nothing changed, and nil if TLS is switched off, no pair is left, or clients
// are to be asked for certificates and there are no authorities.
func (s *Set) Reload(dir string, t config.TLS) (*Set, []config.FileStatus) {
	if t.Mode == config.TLSDisabled {
		return nil, nil
	}
	var pairs []*Pair
	files := make([]config.FileStatus, 0, len(t.Certificates)+1)
	for _, c := range t.Certificates {
		status := config.FileStatus{Name: config.NameOf(dir, c.CertFile)}
		pair, err := LoadPair(dir, c)
		if err != nil {
			status.Error = strings.TrimPrefix(err.Error(), status.Name+": ")
			pair = s.pair(status.Name)
		} else if old := s.pair(status.Name); old != nil && old.identity == pair.identity {
			pair = old // with its staple
		}
		if pair != nil {
			status.Hash = pair.hash
			pairs = append(pairs, pair)
		}
		files = append(files, status)
	}
	clients, status := s.reloadClients(dir, t.ClientCertificates)
	if status != nil {
		files = append(files, *status)
		if clients == nil {
			return nil, files
		}
	}
	return s.with(pairs, settings{
		minVersion: version(t.MinVersion), clients: clients, stapling: t.OCSPStapling == config.StaplingEnabled,
	}), files
}

// Statuses describes the certificates, in the order of the configuration.
func (s *Set) Statuses() []config.CertificateStatus {
	if s == nil {
		return nil
	}
	out := make([]config.CertificateStatus, len(s.pairs))
	for i, p := range s.pairs {
		out[i] = p.status()
	}
	return out
}

func (s *Set) pair(name string) *Pair {
	if s == nil {
		return nil
	}
	i := slices.IndexFunc(s.pairs, func(p *Pair) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	return s.pairs[i]
}

func (s *Set) with(pairs []*Pair, with settings) *Set {
	if len(pairs) == 0 {
		return nil
	}
	same := func(a, b *Pair) bool { return a.name == b.name && a.identity == b.identity }
	if s != nil && s.settings == with && slices.EqualFunc(s.pairs, pairs, same) {
		return s
	}
	return newSet(pairs, with)
}

func version(v string) uint16 {
	if v == "1.3" {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}
