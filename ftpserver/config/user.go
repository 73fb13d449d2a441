package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxUsernameLength is the longest login name, in bytes.
const MaxUsernameLength = 128

// Role is what a user may do.
type Role string

// The roles.
const (
	// RoleReadOnly lists and downloads.
	RoleReadOnly Role = "ReadOnly"
	// RoleReadWrite also uploads, overwrites, renames and deletes.
	RoleReadWrite Role = "ReadWrite"
	// RoleWriteOnly is a drop box: uploads new files, and neither lists nor
	// downloads, overwrites, renames or deletes.
	RoleWriteOnly Role = "WriteOnly"
	// RoleAdmin is ReadWrite on the whole root, whatever the home.
	RoleAdmin Role = "Admin"
)

// Anonymous is what a client without a login of its own sees and may do.
type Anonymous struct {
	// Home is the directory, below the root, that it sees as "/". Absent: /pub.
	Home string `yaml:"home,omitempty"`
	// Role is ReadOnly (absent) or WriteOnly.
	Role Role `yaml:"role,omitempty"`
	// Quota limits what all guests together may store.
	Quota Quota `yaml:"quota,omitempty"`
	// Rates go before those of Limits, for each guest's session.
	Rates `yaml:",inline"`
}

// PathRule gives a user another role in a directory and all below it.
type PathRule struct {
	// Path is the directory as the user sees it: absolute, "/" being the home.
	Path string `yaml:"path"`
	Role Role   `yaml:"role"`
	// Uploads and Overwrite are absent: the server's.
	Uploads   Uploads   `yaml:"uploads,omitempty"`
	Overwrite Overwrite `yaml:"overwrite,omitempty"`
}

// Quota limits what a home may hold, whoever put it there. A limit of 0 is none.
type Quota struct {
	// Bytes is the sum of the sizes of all files.
	Bytes int64 `yaml:"bytes,omitempty"`
	// Files is the number of names: of files, links and directories.
	Files int64 `yaml:"files,omitempty"`
}

func (q Quota) validate(at string) error {
	var errs []error
	if q.Bytes < 0 {
		errs = append(errs, fmt.Errorf("%s.bytes: must be 0 (none) or more, is %d", at, q.Bytes))
	}
	if q.Files < 0 {
		errs = append(errs, fmt.Errorf("%s.files: must be 0 (none) or more, is %d", at, q.Files))
	}
	return errors.Join(errs...)
}

// Login says whether a user may log in.
type Login string

// The states of a login.
const (
	LoginEnabled   Login = "Enabled"
	LoginSuspended Login = "Suspended"
)

// User is one login.
type User struct {
	// Name is what the client sends with USER.
	Name string `yaml:"name"`
	// UID tells a user from an earlier one of the same name. Optional.
	UID string `yaml:"uid,omitempty"`
	// PasswordHash is a hash of the password: $argon2id$…, $2…$ (bcrypt) or
	// $6$… (SHA-512 crypt).
	PasswordHash string `yaml:"passwordHash"`
	// Home is the directory, below the root, that the user sees as "/".
	// Absent: "/" and the name.
	Home string `yaml:"home,omitempty"`
	// Role is absent: ReadWrite.
	Role Role `yaml:"role,omitempty"`
	// Login is absent: Enabled. A suspended user's sessions end at once.
	Login Login `yaml:"login,omitempty"`
	// Paths give other roles below some directories. Of those that a path lies
	// in, the longest counts; outside of all, Role does.
	Paths []PathRule `yaml:"paths,omitempty"`
	// AllowedCIDRs are the networks that the user may log in from. Absent: all.
	// An address that is hidden (Passive.ClientAddresses) is in none.
	AllowedCIDRs []string `yaml:"allowedCIDRs,omitempty"`
	// ExpiresAt is when the login ends: from then on it is refused, and running
	// sessions end as those of a suspended user. Absent: never.
	ExpiresAt time.Time `yaml:"expiresAt,omitempty"`
	// MaxSessions is how many sessions the user may have on the process at
	// once. Absent (0): no limit.
	MaxSessions int `yaml:"maxSessions,omitempty"`
	// ClientCertificates are those that the user logs in with: without one of
	// them, no login. Absent: none is needed; where a client shows one
	// nevertheless, its common name must be Name.
	ClientCertificates []ClientCertificate `yaml:"clientCertificates,omitempty"`
	// CertificateLogin is absent: WithPassword.
	CertificateLogin CertificateLogin `yaml:"certificateLogin,omitempty"`
	// Quota limits what the user's home may hold. An Admin has none.
	Quota Quota `yaml:"quota,omitempty"`
	// Rates go before those of Limits, where they are given.
	Rates `yaml:",inline"`
}

// UsersFile is a file of users.
type UsersFile struct {
	Users []User `yaml:"users"`
}

func setUserDefaults(users []User) {
	for i := range users {
		u := &users[i]
		setDefault(&u.Home, path.Join("/", u.Name))
		setDefault(&u.Role, RoleReadWrite)
		setDefault(&u.Login, LoginEnabled)
	}
}

func validateUsers(field string, users []User) []error {
	var errs []error
	seen := map[string]bool{}
	for i, u := range users {
		at := fmt.Sprintf("%s[%d]", field, i)
		if err := UsernameProblem(u.Name); err != nil {
			errs = append(errs, fmt.Errorf("%s.name: %w", at, err))
		}
		if seen[u.Name] {
			errs = append(errs, fmt.Errorf("%s.name: %q is there twice", at, u.Name))
		}
		seen[u.Name] = true
		if !slices.ContainsFunc(hashPrefixes, func(p string) bool { return strings.HasPrefix(u.PasswordHash, p) }) {
			errs = append(errs, fmt.Errorf("%s.passwordHash: must be a hash that starts with %s; make one with: ftpserver hash-password", at, strings.Join(hashPrefixes, " or ")))
		}
		errs = append(errs,
			directory(at+".home", u.Home),
			oneOf(at+".role", u.Role, RoleReadOnly, RoleReadWrite, RoleWriteOnly, RoleAdmin),
			oneOf(at+".login", u.Login, LoginEnabled, LoginSuspended),
			u.validateNarrowing(at),
			u.validateCertificates(at))
	}
	return errs
}

// validateNarrowing checks what limits a login beyond its role.
func (u *User) validateNarrowing(at string) error {
	var errs []error
	if n := len(u.Paths); n > MaxPaths {
		errs = append(errs, fmt.Errorf("%s.paths: must be at most %d, are %d", at, MaxPaths, n))
	}
	seen := map[string]bool{}
	for i, p := range u.Paths {
		field := fmt.Sprintf("%s.paths[%d]", at, i)
		errs = append(errs, directory(field+".path", p.Path), oneOf(field+".role", p.Role, RoleReadOnly, RoleReadWrite, RoleWriteOnly),
			absentOr(field+".uploads", p.Uploads, UploadsAtomic, UploadsDirect), absentOr(field+".overwrite", p.Overwrite, OverwriteAllow, OverwriteDeny))
		if seen[p.Path] {
			errs = append(errs, fmt.Errorf("%s.path: %q is there twice", field, p.Path))
		}
		seen[p.Path] = true
	}
	for _, c := range u.AllowedCIDRs {
		if _, err := netip.ParsePrefix(c); err != nil {
			errs = append(errs, fmt.Errorf("%s.allowedCIDRs: %q is not a network such as 10.0.0.0/8", at, c))
		}
	}
	if year := u.ExpiresAt.UTC().Year(); year < 1 || year > 9999 {
		errs = append(errs, fmt.Errorf("%s.expiresAt: must be before the year 10000 (RFC 3339): leave it out for a login that never ends", at))
	}
	if u.MaxSessions < 0 {
		errs = append(errs, fmt.Errorf("%s.maxSessions: must be 0 (none) or more, is %d", at, u.MaxSessions))
	}
	errs = append(errs, u.Quota.validate(at+".quota"), u.Rates.validate(at))
	if u.Role == RoleAdmin && u.Quota != (Quota{}) {
		errs = append(errs, fmt.Errorf("%s.quota: an Admin works on all of the server's files and has none: leave it out, or choose another role", at))
	}
	return errors.Join(errs...)
}

func (a *Anonymous) validate() error {
	if a == nil {
		return nil
	}
	return errors.Join(directory("anonymous.home", a.Home), oneOf("anonymous.role", a.Role, RoleReadOnly, RoleWriteOnly), a.Quota.validate("anonymous.quota"), a.Rates.validate("anonymous"))
}

// Problem says what a server would refuse about the user, or nil. The hash of
// the password is not judged.
func (u User) Problem() error {
	u.PasswordHash = hashPrefixes[0]
	users := []User{u}
	setUserDefaults(users)
	return Brief(validateUsers("user", users))
}

var hashPrefixes = []string{"$argon2id$", "$2", "$6$"}

// UsernameProblem says what is wrong with a login name, or nil.
func UsernameProblem(name string) error {
	switch {
	case name == "":
		return errors.New("must not be empty")
	case len(name) > MaxUsernameLength:
		return fmt.Errorf("must be at most %d bytes long, is %d", MaxUsernameLength, len(name))
	case !utf8.ValidString(name):
		return errors.New("must be UTF-8")
	case strings.ContainsAny(name, "/"), name == ".", name == "..":
		return fmt.Errorf("%q must not contain a slash, nor be one dot or two", name)
	case strings.TrimSpace(name) != name, strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%q must not begin or end with a space or hold control characters", name)
	}
	return nil
}
