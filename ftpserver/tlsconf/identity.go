package tlsconf

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"strings"
)

// sameEmail compares the domain in any case, and what stands before it in the
// same one (RFC 5280 §7.5).
func sameEmail(a, b string) bool {
	i, j := strings.LastIndexByte(a, '@'), strings.LastIndexByte(b, '@')
	return i > 0 && j > 0 && a[:i] == b[:j] && strings.EqualFold(a[i:], b[j:])
}

func sameFingerprint(sum []byte, c *x509.Certificate) bool {
	is := sha256.Sum256(c.Raw)
	return len(sum) == len(is) && bytes.Equal(sum, is[:])
}
