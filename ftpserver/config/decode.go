package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Strictness says what happens to a field that this version does not know.
type Strictness bool

const (
	// Strict refuses unknown fields: for files that a person wrote.
	Strict Strictness = true
	// Lenient ignores them: for files that a newer operator may have written.
	// Values are checked all the same.
	Lenient Strictness = false
)

// Decode reads a configuration, fills in the defaults and validates it. The
// error names every field that is wrong and what it may be.
func Decode(data []byte, s Strictness) (*Config, error) {
	var c Config
	if err := decode(data, s, &c); err != nil {
		return nil, err
	}
	c.SetDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &c, nil
}

// DecodeUsers reads a file of users, fills in the defaults and validates each.
func DecodeUsers(data []byte, s Strictness) ([]User, error) {
	var f UsersFile
	if err := decode(data, s, &f); err != nil {
		return nil, err
	}
	setUserDefaults(f.Users)
	if err := Brief(validateUsers("users", f.Users)); err != nil {
		return nil, err
	}
	return f.Users, nil
}

// Encode writes a configuration or a file of users in a stable order.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	if err := e.Close(); err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	return b.Bytes(), nil
}

// Hash identifies the content of a file: SHA-256 in hexadecimal.
func Hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Digest identifies what a server has loaded for the user: it changes whenever
// anything about the user changes, and tells nothing of the password.
func (u User) Digest() (string, error) {
	users := []User{u}
	setUserDefaults(users)
	data, err := Encode(users[0])
	if err != nil {
		return "", err
	}
	return Hash(data), nil
}
