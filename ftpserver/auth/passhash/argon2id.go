package passhash

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

const (
	argon2idPrefix    = "$argon2id$"
	argon2idSumLength = 32
)

// What a hash may ask for. The bounds hold what password tools commonly make
// (64 MiB, 3 passes, 4 lanes) and keep a verification near a second at worst.
const (
	maxMemory     = 64 * 1024 // KiB
	maxPasses     = 10
	maxLanes      = 16
	minSalt       = 8 // RFC 9106 §3.1
	maxSaltLength = 64
	minSumLength  = 16
	maxSumLength  = 64
)

// defaultArgon2id holds the parameters of new hashes: 19 MiB and two passes,
// OWASP's choice for servers that verify while they serve.
var defaultArgon2id = argon2id{memory: 19 * 1024, passes: 2, lanes: 1}

var errArgon2idForm = errors.New("argon2id hash: the form is not $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH: make a new one with: ftpserver hash-password")

// argon2id is a parsed PHC string.
type argon2id struct {
	memory, passes uint32 // memory in KiB
	lanes          uint8
	salt, sum      []byte
}

func parseArgon2id(hash string) (argon2id, error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != "v=19" {
		return argon2id{}, errArgon2idForm
	}
	h, err := parseParameters(parts[3])
	if err != nil {
		return argon2id{}, err
	}
	if h.salt, err = decodeField("salt", parts[4], minSalt, maxSaltLength); err != nil {
		return argon2id{}, err
	}
	if h.sum, err = decodeField("hash", parts[5], minSumLength, maxSumLength); err != nil {
		return argon2id{}, err
	}
	return h, nil
}

// parseParameters reads "m=…,t=…,p=…", in this order (PHC string format).
func parseParameters(s string) (argon2id, error) {
	fields := strings.Split(s, ",")
	if len(fields) != 3 {
		return argon2id{}, errArgon2idForm
	}
	m, err1 := parameter(fields[0], "m", maxMemory)
	t, err2 := parameter(fields[1], "t", maxPasses)
	p, err3 := parameter(fields[2], "p", maxLanes)
	if err := errors.Join(err1, err2, err3); err != nil {
		return argon2id{}, err
	}
	if m < 8*p {
		return argon2id{}, fmt.Errorf("argon2id hash: m must be at least 8 times p (RFC 9106 §3.1), is %d for p=%d", m, p)
	}
	lanes := uint8(p) //nolint:gosec // at most maxLanes
	return argon2id{memory: m, passes: t, lanes: lanes}, nil
}

func parameter(field, name string, most uint32) (uint32, error) {
	text, ok := strings.CutPrefix(field, name+"=")
	if !ok || (len(text) > 1 && text[0] == '0') {
		return 0, errArgon2idForm
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, errArgon2idForm
	}
	if n < 1 || n > uint64(most) {
		return 0, fmt.Errorf("argon2id hash: %s must be between 1 and %d, is %d", name, most, n)
	}
	return uint32(n), nil
}

func decodeField(name, text string, least, most int) ([]byte, error) {
	if len(text) > base64.RawStdEncoding.EncodedLen(most) {
		return nil, fmt.Errorf("argon2id hash: the %s must be at most %d bytes long", name, most)
	}
	// The decoder would skip line breaks; a hash has none.
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("argon2id hash: the %s is not base64 without padding", name)
	}
	if len(b) < least {
		return nil, fmt.Errorf("argon2id hash: the %s must be at least %d bytes long, is %d", name, least, len(b))
	}
	return b, nil
}

func (h argon2id) derive(password string, length uint32) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, length)
}

func (h argon2id) matches(password string) bool {
	length := uint32(len(h.sum)) //nolint:gosec // at most maxSumLength
	return subtle.ConstantTimeCompare(h.derive(password, length), h.sum) == 1
}

// String is the PHC string.
func (h argon2id) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("%sv=%d$m=%d,t=%d,p=%d$%s$%s", argon2idPrefix, argon2.Version,
		h.memory, h.passes, h.lanes, b64(h.salt), b64(h.sum))
}
