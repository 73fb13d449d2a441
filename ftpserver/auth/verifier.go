// Package auth decides whether a password is a user's. It bounds what that may
// cost, and remembers what it has seen succeed.
//
// It knows no users and no sessions: the caller says which hash counts, and
// what a failure is answered.
package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
)

// Defaults of Options.
const (
	DefaultWorkers   = 2
	DefaultCacheSize = 1024
	DefaultCacheTTL  = time.Hour
)

// Options bound a Verifier. A value of 0 or less stands for the default.
type Options struct {
	// Workers is how many passwords are hashed at once. Each takes up to 64 MiB.
	Workers int
	// CacheSize is how many verified logins are remembered.
	CacheSize int
	// CacheTTL is how long one is remembered after it was verified.
	CacheTTL time.Duration
}

// Verifier checks passwords. It is safe for concurrent use.
type Verifier struct {
	workers chan struct{}
	key     [sha256.Size]byte
	cache   *cache
	// dummy is a hash that no password is known for.
	dummy string
	// verify is passhash.Verify.
	verify func(hash, password string) (bool, error)
}

// NewVerifier returns a Verifier under a key of its own: what it remembers
// means nothing to any other process.
func NewVerifier(o Options) *Verifier {
	v := &Verifier{
		verify:  passhash.Verify,
		workers: make(chan struct{}, positive(o.Workers, DefaultWorkers)),
		cache:   newCache(positive(o.CacheSize, DefaultCacheSize), positive(o.CacheTTL, DefaultCacheTTL)),
	}
	_, _ = rand.Read(v.key[:]) // never fails
	// An error is only for an empty password.
	v.dummy, _ = passhash.New(rand.Text())
	return v
}

// Verify tells whether the hash is one of the password. It waits for a worker
// as long as ctx allows. A login that it remembers costs no hashing: the memory
// is keyed by an HMAC over hash and password, so that a changed hash is
// forgotten by itself. A hash that can't be verified is an error.
func (v *Verifier) Verify(ctx context.Context, passwordHash, password string) (bool, error) {
	key := v.cacheKey(passwordHash, password)
	if v.cache.has(key) {
		return true, nil
	}
	if err := v.acquire(ctx); err != nil {
		return false, err
	}
	defer v.release()
	// Clients log in several times at once: the first has done the work for
	// those that waited behind it.
	if v.cache.has(key) {
		return true, nil
	}
	ok, err := v.verify(passwordHash, password)
	switch {
	case ok:
		v.cache.add(key)
	case err == nil:
		v.level(passwordHash, password)
	}
	return ok, err
}

// level adds what a hash was cheaper than the dummy is, so that a login that is
// refused takes no less time where there is such a user than where there is
// none. It is called with a worker taken.
func (v *Verifier) level(passwordHash, password string) {
	if passhash.Cheap(passwordHash) {
		_, _ = v.verify(v.dummy, password) // only the time counts
	}
}

// VerifyAnew is Verify without the memory: it takes as long for a right password
// as for a wrong one. It is for logins that are refused in any case.
func (v *Verifier) VerifyAnew(ctx context.Context, passwordHash, password string) (bool, error) {
	if err := v.acquire(ctx); err != nil {
		return false, err
	}
	defer v.release()
	ok, err := v.verify(passwordHash, password)
	if err == nil {
		v.level(passwordHash, password)
	}
	return ok, err
}

// Dummy costs what Verify costs for a wrong password, for a user that does not
// exist, so that time does not tell the two apart. Hashes that are cheaper than
// those of passhash.Hash cost the dummy as well; one that was brought along and
// is about as dear, or dearer, takes its own time. The error is that of ctx.
func (v *Verifier) Dummy(ctx context.Context, password string) error {
	_, err := v.Verify(ctx, v.dummy, password)
	return err
}

func (v *Verifier) acquire(ctx context.Context) error {
	// A select with both ready picks either; a caller that is gone gets no worker.
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("verify password: %w", err)
	}
	select {
	case v.workers <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("verify password: waiting for a worker: %w", ctx.Err())
	}
}

func (v *Verifier) release() { <-v.workers }

// cacheKey takes the length of the hash first, so that no other pair has the
// same bytes.
func (v *Verifier) cacheKey(hash, password string) [sha256.Size]byte {
	mac := hmac.New(sha256.New, v.key[:])
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(hash)))
	mac.Write(length[:])
	mac.Write([]byte(hash))
	mac.Write([]byte(password))
	return [sha256.Size]byte(mac.Sum(nil))
}

func positive[T int | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}
