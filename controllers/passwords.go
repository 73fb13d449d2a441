package controllers

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"maps"
	"sync"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
)

const (
	// hashWorkers bounds how many passwords the operator hashes at once: a hash
	// takes about 20 MiB and a core for some 30 ms.
	hashWorkers = 2
	// passwordReaders bounds how many Secrets a pass reads at once.
	passwordReaders = 8
)

// hashSource identifies what a hash was made of, and for which server, without
// holding the password or the key of the salts.
type hashSource struct {
	server          types.UID
	salt            [sha256.Size]byte // digest of the key
	secret          types.UID
	resourceVersion string
	key             string
}

type hashed struct {
	source  hashSource
	hash    string
	finding policy.Finding
}

// passwords remembers, for each server, the hash of each user's password, so
// that a reconcile that changes nothing reads and hashes nothing.
type passwords struct {
	workers chan struct{}

	mu   sync.Mutex
	kept map[client.ObjectKey]map[types.UID]hashed
}

func newPasswords() *passwords {
	return &passwords{
		workers: make(chan struct{}, hashWorkers),
		kept:    map[client.ObjectKey]map[types.UID]hashed{},
	}
}

// hash hashes a password as soon as a worker is free.
func (p *passwords) hash(password string, salt []byte) (string, error) {
	p.workers <- struct{}{}
	defer func() { <-p.workers }()
	return passhash.Hash(password, salt)
}

func (p *passwords) get(server client.ObjectKey, user types.UID) hashed {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept[server][user]
}

// replace keeps the hashes of the server's present users and of no others.
func (p *passwords) replace(server client.ObjectKey, all map[types.UID]hashed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(all) == 0 {
		delete(p.kept, server)
		return
	}
	p.kept[server] = all
}

// add keeps hashes beside those that are kept already.
func (p *passwords) add(server client.ObjectKey, some map[types.UID]hashed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := maps.Clone(p.kept[server]) // a scope may hold the one that is kept
	if all == nil {
		all = map[types.UID]hashed{}
	}
	maps.Copy(all, some)
	p.kept[server] = all
}

// hashPasswords fills in, for each user, whether its password can be used, and its
// hash. A Secret that cannot be read ends the pass once all others are read, so
// that the next one need not hash again.
func (r *FTPServerReconciler) hashPasswords(ctx context.Context, s *scope) error {
	var mu sync.Mutex
	all := map[types.UID]hashed{}
	var group errgroup.Group
	group.SetLimit(passwordReaders)
	for _, u := range s.users {
		group.Go(func() error {
			h, err := r.hashPassword(ctx, s, u)
			if err != nil {
				return fmt.Errorf("password of FTPUser %s: %w", u.Name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			all[u.UID] = h
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		r.passwords.add(client.ObjectKeyFromObject(s.server), all)
		return err
	}
	r.passwords.replace(client.ObjectKeyFromObject(s.server), all)
	s.passwords = all
	return nil
}

func (r *FTPServerReconciler) hashPassword(ctx context.Context, s *scope, u *v1alpha1.FTPUser) (hashed, error) {
	ref := passwordRef(u)
	m, err := r.secrets.metadata(ctx, s.key(ref.Name))
	if err != nil {
		return hashed{}, err
	}
	if m == nil && u.Spec.PasswordSecretRef == nil {
		return hashed{finding: policy.PasswordPending()}, nil
	}
	if m == nil || foreign(u, m) {
		return hashed{finding: policy.SecretMissing(ref)}, nil
	}
	source := hashSource{
		server: s.server.UID, salt: sha256.Sum256(s.credentials.salt),
		secret: m.UID, resourceVersion: m.ResourceVersion, key: ref.Key,
	}
	if kept := r.passwords.get(client.ObjectKeyFromObject(s.server), u.UID); kept.source == source {
		return kept, nil
	}
	found, err := r.secrets.content(ctx, s.key(ref.Name))
	if err != nil {
		return hashed{}, err
	}
	if found == nil {
		return hashed{finding: policy.SecretMissing(ref)}, nil
	}
	source.secret, source.resourceVersion = found.UID, found.ResourceVersion
	value, ok := found.Data[ref.Key]
	password, finding := policy.ReadPassword(ref, value, ok, passhash.Check)
	h := hashed{source: source, finding: finding, hash: password.Value}
	if finding.OK() && !password.IsHash {
		h.hash, err = r.passwords.hash(password.Value, contentSalt(s.credentials.salt, u.UID, password.Value))
	}
	return h, err
}

// foreign tells that the Secret stands where the user's generated password
// would be, and is somebody else's.
func foreign(u *v1alpha1.FTPUser, m *metav1.PartialObjectMetadata) bool {
	return u.Spec.PasswordSecretRef == nil && !metav1.IsControlledBy(m, u)
}

// contentSalt depends on the user and the password alone, so that only a new
// password makes a new hash, and two users of one password have different ones.
func contentSalt(key []byte, user types.UID, password string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(user))
	mac.Write([]byte{0})
	mac.Write([]byte(password))
	return mac.Sum(nil)
}
