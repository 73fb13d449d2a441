// Package passhash makes and checks hashes of passwords. It makes argon2id
// (RFC 9106) and verifies argon2id, bcrypt and SHA-512 crypt.
//
// It is a leaf that the operator and ftpserver share: it keeps nothing, opens
// nothing, and does not bound how many hashes run at once. That is for the
// caller, as each takes up to 64 MiB and a second of one processor.
package passhash

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
)

// MinSaltLength is the shortest salt that Hash takes, in bytes (RFC 9106 §3.1
// recommends 16).
const MinSaltLength = 16

// ErrUnknown says that a text is no hash of a kind that Verify knows.
var ErrUnknown = errors.New("not a password hash that is supported: use argon2id ($argon2id$…), bcrypt ($2a$…, $2b$…, $2y$…) or SHA-512 ($6$…)")

// New hashes a password under a random salt.
func New(password string) (string, error) {
	salt := make([]byte, MinSaltLength)
	// crypto/rand.Read never fails; it ends the program rather than return weak bytes.
	_, _ = rand.Read(salt)
	return Hash(password, salt)
}

// Hash hashes a password under the caller's salt: the same two always give the
// same hash, $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH. The salt is
// MinSaltLength to 64 bytes long and must not be guessable before the fact. An
// empty password is an error.
func Hash(password string, salt []byte) (string, error) {
	switch {
	case password == "":
		return "", errors.New("hash password: the password is empty: choose one")
	case len(salt) < MinSaltLength, len(salt) > maxSaltLength:
		return "", fmt.Errorf("hash password: the salt must be %d to %d bytes long, is %d", MinSaltLength, maxSaltLength, len(salt))
	}
	h := defaultArgon2id
	h.salt = salt
	h.sum = h.derive(password, argon2idSumLength)
	return h.String(), nil
}

// Check says why a hash can't be verified, or nil. It also refuses one that
// would take too much memory or time, so that whoever can choose a hash can't
// exhaust the server with it. The error quotes nothing of the hash.
func Check(hash string) error {
	switch {
	case strings.HasPrefix(hash, argon2idPrefix):
		_, err := parseArgon2id(hash)
		return err
	case strings.HasPrefix(hash, "$2"):
		return checkBcrypt(hash)
	case strings.HasPrefix(hash, sha512Prefix):
		_, err := parseSHA512(hash)
		return err
	}
	return ErrUnknown
}

// Cheap tells whether a hash takes clearly less time to verify than those of
// Hash, which take some 20 ms. It judges by the parameters. Of what is no hash
// it is false.
func Cheap(hash string) bool {
	switch {
	case strings.HasPrefix(hash, argon2idPrefix):
		h, err := parseArgon2id(hash)
		return err == nil && h.memory*h.passes < defaultArgon2id.memory*defaultArgon2id.passes
	case strings.HasPrefix(hash, "$2"):
		return checkBcrypt(hash) == nil && hash[4:6] < bcryptAsDear
	case strings.HasPrefix(hash, sha512Prefix):
		h, err := parseSHA512(hash)
		return err == nil && h.rounds < sha512AsDear
	}
	return false
}

// Verify tells whether the hash is one of the password. Sums are compared in
// constant time. The error is Check's; a wrong password is not an error.
func Verify(hash, password string) (bool, error) {
	switch {
	case strings.HasPrefix(hash, argon2idPrefix):
		h, err := parseArgon2id(hash)
		if err != nil {
			return false, err
		}
		return h.matches(password), nil
	case strings.HasPrefix(hash, "$2"):
		return verifyBcrypt(hash, password)
	case strings.HasPrefix(hash, sha512Prefix):
		h, err := parseSHA512(hash)
		if err != nil {
			return false, err
		}
		return h.matches(password), nil
	}
	return false, ErrUnknown
}
