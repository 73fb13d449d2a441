package passhash

import (
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-crypt/x/crypt"
)

const (
	sha512Prefix    = "$6$"
	sha512RoundsKey = "rounds="
	sha512SumLength = 86 // characters
	sha512MaxSalt   = 16 // characters; crypt(3) cuts longer ones

	sha512DefaultRounds = 5000
	sha512MinRounds     = 1000
	// sha512MaxRounds and sha512MaxPassword together keep a verification below a
	// second: its time grows with both. At both it takes about 0.6 s. Most tools
	// make 5,000 to 200,000 rounds; some make 656,000, which are refused.
	sha512MaxRounds = 400_000
	// sha512AsDear is from how many rounds on a verification takes no less than
	// one of Hash's, also of a short password.
	sha512AsDear = 100_000
	// sha512MaxPassword is the longest password, in bytes, that crypt(3) hashes.
	sha512MaxPassword = 511

	cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// sha512LastChars may end a sum: its last character holds two bits.
	sha512LastChars = "./01"
)

var errSHA512Form = errors.New("SHA-512 hash: the form is not $6$SALT$ and 86 characters, or $6$rounds=N$SALT$ and 86 characters: make a new one with: ftpserver hash-password")

// sha512Crypt is a parsed hash of crypt(3)'s SHA-512 method.
type sha512Crypt struct {
	rounds    int
	salt, sum string
}

func parseSHA512(hash string) (sha512Crypt, error) {
	h := sha512Crypt{rounds: sha512DefaultRounds}
	rest := strings.TrimPrefix(hash, sha512Prefix)
	if text, ok := strings.CutPrefix(rest, sha512RoundsKey); ok {
		var number string
		if number, rest, ok = strings.Cut(text, "$"); !ok {
			return h, errSHA512Form
		}
		var err error
		if h.rounds, err = parseRounds(number); err != nil {
			return h, err
		}
	}
	var ok bool
	if h.salt, h.sum, ok = strings.Cut(rest, "$"); !ok {
		return h, errSHA512Form
	}
	if len(h.salt) > sha512MaxSalt {
		return h, fmt.Errorf("SHA-512 hash: the salt must be at most %d characters long", sha512MaxSalt)
	}
	if strings.ContainsFunc(h.salt, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }) ||
		len(h.sum) != sha512SumLength || strings.Trim(h.sum, cryptAlphabet) != "" ||
		!strings.Contains(sha512LastChars, h.sum[sha512SumLength-1:]) {
		return h, errSHA512Form
	}
	return h, nil
}

func parseRounds(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || text[0] == '0' {
		return 0, errSHA512Form
	}
	if n < sha512MinRounds || n > sha512MaxRounds {
		return 0, fmt.Errorf("SHA-512 hash: rounds must be between %d and %d, is %d: make a new one with: ftpserver hash-password", sha512MinRounds, sha512MaxRounds, n)
	}
	return int(n), nil
}

// matches takes a longer password than crypt(3) does for a wrong one.
func (h sha512Crypt) matches(password string) bool {
	sum := h.derive(hashed(password))
	return subtle.ConstantTimeCompare([]byte(sum), []byte(h.sum)) == 1 && len(password) <= sha512MaxPassword
}

// hashed is as much of a password as is hashed: the client chooses its length.
func hashed(password string) string { return password[:min(len(password), sha512MaxPassword)] }

func (h sha512Crypt) derive(password string) string {
	return string(crypt.KeySHACrypt(sha512.New, []byte(password), []byte(h.salt), h.rounds))
}
