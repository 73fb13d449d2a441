package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// hashPrefixes tell a hash from a password in clear.
var hashPrefixes = []string{"$argon2id$", "$2a$", "$2b$", "$2x$", "$2y$", "$6$"}

// maxPassword is the longest password in clear, in bytes.
const maxPassword = 512

// Password is the value of a password Secret.
type Password struct {
	Value string
	// IsHash tells that the value is a hash already.
	IsHash bool
}

// ReadPassword reads the value at the reference; found tells whether the Secret
// has the key. A line break at the end, as editors leave it, is not part of the
// password. check says why a hash is not supported, or nil. A finding that is
// not OK quotes nothing of the value.
func ReadPassword(ref v1alpha1.SecretKeyReference, data []byte, found bool, check func(hash string) error) (Password, Finding) {
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if !found || value == "" {
		return Password{}, no(v1alpha1.ReasonSecretKeyNotFound,
			fmt.Sprintf("The Secret %s has no value under the key %q: add it, or name another key in passwordSecretRef", ref.Name, ref.Key))
	}
	if slices.ContainsFunc(hashPrefixes, func(p string) bool { return strings.HasPrefix(value, p) }) {
		if err := check(value); err != nil {
			return Password{}, no(v1alpha1.ReasonInvalidPassword, fmt.Sprintf("The key %q of the Secret %s: %v", ref.Key, ref.Name, err))
		}
		return Password{Value: value, IsHash: true}, resolved
	}
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) || len(value) > maxPassword {
		return Password{}, no(v1alpha1.ReasonInvalidPassword,
			fmt.Sprintf("The key %q of the Secret %s is not a password that a client could send: use one line of UTF-8, at most %d bytes", ref.Key, ref.Name, maxPassword))
	}
	return Password{Value: value}, resolved
}

var resolved = yes(v1alpha1.ReasonResolvedRefs, "All that the spec refers to is there")

// RotationIgnored adds to a finding that the request for a new password has no
// effect, as the password is somebody else's to make.
func RotationIgnored(f Finding) Finding {
	f.Message += "; the annotation " + v1alpha1.AnnotationRotatePassword + " has no effect where passwordSecretRef is given: change the Secret"
	return f
}

// RotationRefused is the finding for a generated password that can't be made
// anew, as its Secret can't be changed.
func RotationRefused(secret string) Finding {
	return no(v1alpha1.ReasonChildRejected, fmt.Sprintf(
		"Kubernetes refuses a new password in the Secret %s, perhaps as it is immutable: delete it to have one made anew", secret))
}

// PasswordRefused is the finding for a Secret with a generated password that
// Kubernetes will not have; said is its answer, without the password.
func PasswordRefused(secret, said string) Finding {
	return no(v1alpha1.ReasonChildRejected, fmt.Sprintf(
		"Kubernetes refuses the Secret %s with the password: %s. It is tried again every half minute", secret, said))
}

// SecretMissing is the finding for a password Secret that is not there.
func SecretMissing(ref v1alpha1.SecretKeyReference) Finding {
	return no(v1alpha1.ReasonSecretNotFound,
		fmt.Sprintf("The Secret %s does not exist: create it with the key %q", ref.Name, ref.Key))
}

// PasswordPending is the finding for a password that the operator is about to
// make.
func PasswordPending() Finding {
	return unknown(v1alpha1.ReasonPending, "The operator is making a password")
}

// Resolved is the finding for references that are all there.
func Resolved() Finding { return resolved }

// ClaimMissing is the finding for an existing claim that does not exist.
func ClaimMissing(name string) Finding {
	return no(v1alpha1.ReasonClaimNotFound,
		fmt.Sprintf("The PersistentVolumeClaim %s does not exist: create it", name))
}

// NotJudged is the finding for references that nobody has looked at yet, as
// no server can need them.
func NotJudged() Finding {
	return unknown(v1alpha1.ReasonPending, "Looked at as soon as the server can take the user")
}
