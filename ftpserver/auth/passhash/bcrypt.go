package passhash

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const (
	bcryptLength  = 60
	minBcryptCost = 4
	// maxBcryptCost keeps a verification near a second; each step doubles it.
	maxBcryptCost = 14
	// bcryptAsDear is the cost, in its two digits, from which on a verification
	// takes no less than one of Hash's.
	bcryptAsDear   = "09"
	bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

var bcryptKinds = []string{"$2a$", "$2b$", "$2y$"}

var errBcryptForm = errors.New("bcrypt hash: the form is not $2b$12$ and 53 characters: make a new one with: ftpserver hash-password")

// checkBcrypt refuses $2x$ as well: it marks hashes of an implementation that
// was wrong about characters beyond ASCII.
func checkBcrypt(hash string) error {
	if len(hash) != bcryptLength || !slices.Contains(bcryptKinds, hash[:4]) || hash[6] != '$' {
		return errBcryptForm
	}
	cost, err := strconv.ParseUint(hash[4:6], 10, 8)
	if err != nil || strings.Trim(hash[7:], bcryptAlphabet) != "" {
		return errBcryptForm
	}
	if cost < minBcryptCost || cost > maxBcryptCost {
		return fmt.Errorf("bcrypt hash: the cost must be between %d and %d, is %d", minBcryptCost, maxBcryptCost, cost)
	}
	return nil
}

func verifyBcrypt(hash, password string) (bool, error) {
	if err := checkBcrypt(hash); err != nil {
		return false, err
	}
	err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	}
	return false, errBcryptForm
}
