package config

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// The version of the contract is a part of the files' names. A change that an
// older ftpserver could misread gets a new number. The operator writes the files
// of both versions side by side, and a server reads, of each file, the highest
// version it knows: so either of the two can be replaced first.
//
// Version 2 brought what narrows a login (paths, allowedCIDRs, expiresAt,
// maxSessions, quota) or all of them (see Config.UnknownInPrevious), anonymous logins and $6$ hashes: a server of version 1 would let
// in whom it should not, or refuse the file.
const (
	// Version is the highest version that this program knows.
	Version = 2
	// FileName is the key of the configuration in its Secret and the name of its
	// file.
	FileName = "config.v2.yaml"
	// PreviousFileName is that of the version before.
	PreviousFileName = "config.v1.yaml"
)

// UserShards is the number of files over which a server's users are spread, so
// that none of them comes near the size limit of a Secret.
const UserShards = 8

// UsersFileName is the name of the file that holds the users of a shard.
func UsersFileName(shard int) string { return fmt.Sprintf("users-%d.v2.yaml", shard) }

// PreviousUsersFileName is that of the version before.
func PreviousUsersFileName(shard int) string { return fmt.Sprintf("users-%d.v1.yaml", shard) }

// Shard tells which of the UserShards files a login is stored in.
func Shard(username string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(username))
	return int(h.Sum32() % UserShards)
}

// Previous is the configuration as a server of the version before can read it.
// What is in it beyond that, such a server ignores; see UnknownInPrevious.
func (c Config) Previous() Config {
	_, narrow := c.UnknownInPrevious()
	c.Anonymous, c.Users = nil, PreviousUsers(c.Users, len(narrow) > 0)
	return c
}

// UnknownInPrevious names the settings in use that a server of the version before
// does not know, as the operator's users know them, and of these, those that
// narrow what every user may do. As such a server would not, it is to let nobody
// in where there are any (PreviousUsers).
func (c Config) UnknownInPrevious() (names, narrow []string) {
	tls, files, failed := c.TLS, c.Storage, c.Limits.FailedLogins
	for _, setting := range []struct {
		name          string
		used, narrows bool
	}{
		{"anonymous", c.Anonymous != nil, false},
		{"limits.failedLogins", failed.LockoutAfter != 0 || failed.LockoutFor != 0, false},
		{"limits.downloadRatePerSession", c.Limits.DownloadRatePerSession != 0, false},
		{"limits.uploadRatePerSession", c.Limits.UploadRatePerSession != 0, false},
		{"files.uploads", files.Uploads == UploadsDirect, false},
		{"files.overwrite", files.Overwrite == OverwriteDeny, true},
		{"files.umask", files.Umask != "", false},
		{"files.hidden", files.HiddenFiles == HiddenFilesHide, false},
		{"files.names", !files.Names.free(), true},
		// It would take a header for commands, or store it as the beginning of a file.
		{"service.proxyProtocol", len(c.ProxyProtocol.Trusted) > 0, true},
		{"tls.implicit", tls.Implicit.Listen != "", false},
		{"tls.dataProtection", tls.DataProtection == DataProtectionOptional && tls.Mode == TLSRequired, false},
		{"tls.dataProtection", tls.DataProtection == DataProtectionRequired && tls.Mode == TLSOptional, true},
		{"tls.dataSessions", tls.DataSessions == DataSessionsOptional, false},
		{"tls.dataSessions", tls.DataSessions == DataSessionsRequired, true},
		// It would take any data connection that comes from the node or balancer
		// which the client seems to come from for the client's.
		{"hidden client addresses", c.Passive.ClientAddresses == ClientAddressesHidden, true},
		{"tls.uploadEnd", tls.UploadEnd == UploadEndStrict || tls.UploadEnd == UploadEndLenient, false},
	} {
		if setting.used {
			names = append(names, setting.name)
		}
		if setting.used && setting.narrows {
			narrow = append(narrow, setting.name)
		}
	}
	return names, narrow
}

// PreviousUsers are those users, as a server of the version before can read
// them (see User.Previous), all of them suspended where the configuration has
// narrowed what they may do.
func PreviousUsers(users []User, narrow bool) []User {
	out := make([]User, 0, len(users))
	for _, u := range users {
		if narrow {
			u.Login = LoginSuspended
		}
		if p, ok := u.Previous(); ok {
			out = append(out, p)
		}
	}
	return out
}

// Previous is the user as a server of the version before can read it. It fails
// closed: a user who is narrowed by something that such a server does not know
// is suspended there. How fast a user may transfer narrows nothing: such a server
// is as fast as it can be. It is not ok where that server would refuse the whole
// file: of the hash it knows nothing.
func (u User) Previous() (User, bool) {
	if strings.HasPrefix(u.PasswordHash, "$6$") {
		return User{}, false
	}
	if u.narrowed() {
		u.Login = LoginSuspended
	}
	u.Paths, u.AllowedCIDRs, u.ExpiresAt, u.MaxSessions = nil, nil, time.Time{}, 0
	u.ClientCertificates, u.CertificateLogin = nil, ""
	u.Quota, u.Rates = Quota{}, Rates{}
	return u, true
}

// UnknownInPrevious names what a server of the version before does not know of
// the user, and tells whether the user is refused there for it; it is empty where
// the server does just as it should, which is to refuse whoever is suspended.
func (u User) UnknownInPrevious() (what string, refused bool) {
	switch {
	case u.Login == LoginSuspended:
		return "", false
	case strings.HasPrefix(u.PasswordHash, "$6$"):
		return "the kind of hash that the password is kept as", true
	case u.narrowed():
		return "what narrows the login (paths, allowedCIDRs, expiresAt, limits, quota)", true
	case u.Rates != (Rates{}):
		return "how fast the user may transfer (limits)", false
	}
	return "", false
}

func (u User) narrowed() bool {
	return len(u.Paths) > 0 || len(u.AllowedCIDRs) > 0 || !u.ExpiresAt.IsZero() || u.MaxSessions > 0 || len(u.ClientCertificates) > 0 || u.Quota != (Quota{})
}
