package controllers

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf/pair"
)

// certificateSource identifies the content of the Secret that was judged, and
// for which server. A Secret that is not there has no UID.
type certificateSource struct {
	server          types.UID
	name            string
	secret          types.UID
	resourceVersion string
}

// givenCertificate is what came of a certificate that the spec gives.
type givenCertificate struct {
	source  certificateSource
	finding policy.Finding
	// pair is what clients are shown: what the Secret holds or, where that can't
	// be used, what it held before. leaf is nil where there is neither.
	pair pki.KeyPair
	leaf *x509.Certificate
}

// certificates remembers, for each server, the given certificates by name, so
// that a pass that changes nothing reads and judges nothing.
type certificates struct {
	mu   sync.Mutex
	kept map[client.ObjectKey]map[string]givenCertificate
}

func newCertificates() *certificates {
	return &certificates{kept: map[client.ObjectKey]map[string]givenCertificate{}}
}

// get is what is known of a certificate, unless that was an earlier server's of
// the same name.
func (c *certificates) get(server *v1alpha1.FTPServer, name string) (givenCertificate, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.kept[client.ObjectKeyFromObject(server)][name]
	return g, g.source.server == server.UID
}

// replace keeps the server's present certificates and no others.
func (c *certificates) replace(server client.ObjectKey, all map[string]givenCertificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(all) == 0 {
		delete(c.kept, server)
		return
	}
	c.kept[server] = all
}

// readCertificates fills in what is to be shown of each certificate that the
// spec gives, and what the conditions tell of them.
func (r *FTPServerReconciler) readCertificates(ctx context.Context, s *scope) error {
	all := map[string]givenCertificate{}
	var shown []policy.Certificate
	for _, spec := range s.server.Spec.TLS.Certificates {
		g, err := r.readCertificate(ctx, s, spec)
		if err != nil {
			return fmt.Errorf("certificate %s: %w", spec.Name, err)
		}
		all[spec.Name] = g
		s.references = append(s.references, g.finding)
		if g.leaf == nil {
			continue
		}
		s.certificates = append(s.certificates, render.Certificate{Name: spec.Name, Pair: g.pair})
		told := policy.Certificate{Name: spec.Name, NotBefore: g.leaf.NotBefore, NotAfter: g.leaf.NotAfter}
		if g.finding.OK() {
			told.Secret = spec.SecretRef.Name
		}
		shown = append(shown, told)
		s.credentials.ends[spec.Name] = g.leaf.NotAfter
	}
	r.certificates.replace(client.ObjectKeyFromObject(s.server), all)
	valid, next := policy.CertificatesValid(s.server.Spec.TLS.Mode, shown, r.Now())
	s.validity = valid
	s.credentials.due(next)
	return nil
}

func (r *FTPServerReconciler) readCertificate(ctx context.Context, s *scope, spec v1alpha1.TLSCertificate) (givenCertificate, error) {
	before, known := r.certificates.get(s.server, spec.Name)
	key := s.key(spec.SecretRef.Name)
	m, err := r.secrets.metadata(ctx, key)
	if err != nil {
		return givenCertificate{}, err
	}
	now := givenCertificate{source: certificateSource{server: s.server.UID, name: key.Name}}
	if m != nil {
		now.source.secret, now.source.resourceVersion = m.UID, m.ResourceVersion
	}
	if known && before.source == now.source {
		return before, nil
	}
	var found *corev1.Secret
	if m != nil {
		if found, err = r.secrets.content(ctx, key); err != nil {
			return givenCertificate{}, err
		}
	}
	problem := ""
	if found != nil {
		now.source.secret, now.source.resourceVersion = found.UID, found.ResourceVersion
		if problem = now.take(found); problem == "" {
			now.finding = policy.Resolved()
			return now, nil
		}
	}
	if err := r.keepCertificate(ctx, s, spec.Name, before, known, &now); err != nil {
		return givenCertificate{}, err
	}
	if found == nil {
		now.finding = policy.CertificateMissing(spec, now.leaf != nil)
	} else {
		now.finding = policy.InvalidCertificate(spec, problem, now.leaf != nil)
	}
	return now, nil
}

// take takes the pair that a Secret holds, or tells what is wrong with it.
func (g *givenCertificate) take(s *corev1.Secret) (problem string) {
	if c := metav1.GetControllerOf(s); c != nil && refersTo(c, v1alpha1.FTPServerKind) {
		return policy.OperatorsOwnSecret
	}
	return policy.CertificateProblem(s, func(cert, key []byte) error {
		return g.parse(pki.KeyPair{Cert: cert, Key: key})
	})
}

func (g *givenCertificate) parse(p pki.KeyPair) error {
	parsed, err := pair.Parse(pair.Names{Cert: corev1.TLSCertKey, Key: corev1.TLSPrivateKeyKey}, p.Cert, p.Key)
	if err == nil {
		g.pair, g.leaf = p, parsed.Leaf
	}
	return err
}

// keepCertificate goes on with what was shown before: by memory or, in a new
// process, by the copy. That is read from the API server, as the cache may not
// know yet of one that was just written, and it would be lost.
func (r *FTPServerReconciler) keepCertificate(ctx context.Context, s *scope, name string, before givenCertificate, known bool, now *givenCertificate) error {
	if known {
		now.pair, now.leaf = before.pair, before.leaf
		return nil
	}
	copies, err := r.secrets.content(ctx, s.key(render.TLSSecretName(s.server.Name)))
	if err != nil || copies == nil || !metav1.IsControlledBy(copies, s.server) {
		return err
	}
	_ = now.parse(pairOf(copies, render.GivenCertKey(name), render.GivenKeyKey(name))) // none, or none that can be used
	return nil
}
