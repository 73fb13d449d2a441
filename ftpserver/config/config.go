// Package config is the one contract between the operator, which writes these
// files into Secrets, and ftpserver, which reads them from mounted directories:
// the configuration, the users, and the answer of the status endpoint.
//
// It holds types, decoding, defaults and validation. It opens no file, watches
// nothing and knows neither FTP nor Kubernetes.
package config

import (
	"time"
)

// Config is the configuration of an ftpserver. File names in it are relative to
// the directory that the configuration itself lies in.
type Config struct {
	// Listen is the address of the control port, host:port. The host may be
	// empty: every address of both families. Changing it takes a restart.
	Listen string `yaml:"listen"`
	// Banner is the text of the greeting (reply 220). Absent: "FTP server ready".
	Banner  string  `yaml:"banner,omitempty"`
	Passive Passive `yaml:"passive"`
	TLS     TLS     `yaml:"tls"`
	Storage Storage `yaml:"storage"`
	// Active allows PORT and EPRT, to the client's own address only.
	Active bool `yaml:"active,omitempty"`
	// Anonymous lets in whoever logs in as "anonymous" or "ftp", with any
	// password (RFC 1635). Absent: nobody without a login of their own.
	Anonymous *Anonymous `yaml:"anonymous,omitempty"`
	// UsersDir is a directory with files named by UsersFileName. Its users are
	// added to Users.
	UsersDir string `yaml:"usersDir,omitempty"`
	// Users are logins given in the configuration itself.
	Users  []User `yaml:"users,omitempty"`
	Limits Limits `yaml:"limits,omitempty"`
	Admin  Admin  `yaml:"admin,omitempty"`
	Log    Log    `yaml:"log,omitempty"`
}

// Passive configures the passive ports (RFC 959 PASV, RFC 2428 EPSV). Exactly
// one of Range and Ports is given.
type Passive struct {
	// Range is "first-last": ports that are listened on and announced under
	// the same number.
	Range string `yaml:"range,omitempty"`
	// Ports maps ports that are listened on to the numbers clients are told,
	// for each slot (replica) of the server.
	Ports []PassivePort `yaml:"ports,omitempty"`
	// Addresses are what PASV answers. The first whose ClientCIDRs hold the
	// client's address is taken. Absent: the address the client connected to.
	Addresses []PassiveAddress `yaml:"addresses,omitempty"`
	// AddressPending tells that the address clients reach is not known yet:
	// PASV is answered with 425 until it is. EPSV works meanwhile.
	AddressPending bool `yaml:"addressPending,omitempty"`
}

// PassivePort is one passive port of one slot.
type PassivePort struct {
	// Slot is the number of the replica that listens; every other one ignores
	// the entry.
	Slot int `yaml:"slot"`
	// Listen is the port that the process listens on.
	Listen int `yaml:"listen"`
	// Announce is the port that clients are told. Absent (0): Listen.
	Announce int `yaml:"announce,omitempty"`
}

// PassiveAddress is an address that PASV may answer.
type PassiveAddress struct {
	// Address is an IPv4 address, or a host name that the server resolves.
	Address string `yaml:"address"`
	// ClientCIDRs limit the entry to clients of these networks. Absent: all.
	ClientCIDRs []string `yaml:"clientCIDRs,omitempty"`
}

// TLSMode says whether clients must, may or cannot use TLS (RFC 4217).
type TLSMode string

// The TLS modes.
const (
	TLSRequired TLSMode = "Required" // login and data only over TLS
	TLSOptional TLSMode = "Optional" // the client decides
	TLSDisabled TLSMode = "Disabled" // no AUTH; plain FTP
)

// TLS configures explicit FTPS (RFC 4217).
type TLS struct {
	// Mode is absent: Required where certificates are given, else Disabled.
	Mode TLSMode `yaml:"mode,omitempty"`
	// MinVersion is the lowest version of TLS accepted: "1.2" (the default) or "1.3".
	MinVersion string `yaml:"minVersion,omitempty"`
	// Certificates are presented to clients, chosen by SNI; the first serves
	// clients that send none or an unknown one.
	Certificates []Certificate `yaml:"certificates,omitempty"`
}

// Certificate names the PEM files of a certificate chain and its private key.
type Certificate struct {
	CertFile string `yaml:"certFile"`
	KeyFile  string `yaml:"keyFile"`
}

// Durability says what an acknowledged upload (226) has survived.
type Durability string

// The kinds of durability.
const (
	// DurabilityFull: data, name and directory are on stable storage (fsync).
	DurabilityFull Durability = "Full"
	// DurabilityNone: a crash of the machine may lose an acknowledged upload; a
	// crash of the server alone loses none.
	DurabilityNone Durability = "None"
)

// Storage says where the files are.
type Storage struct {
	// Root is a directory. Users' homes are below it; no one gets out of it.
	// Changing it takes a restart.
	Root string `yaml:"root"`
	// Durability is absent: Full.
	Durability Durability `yaml:"durability,omitempty"`
}

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
}

// PathRule gives a user another role in a directory and all below it.
type PathRule struct {
	// Path is the directory as the user sees it: absolute, "/" being the home.
	Path string `yaml:"path"`
	Role Role   `yaml:"role"`
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
	AllowedCIDRs []string `yaml:"allowedCIDRs,omitempty"`
	// ExpiresAt is when the login ends: from then on it is refused, and running
	// sessions end as those of a suspended user. Absent: never.
	ExpiresAt time.Time `yaml:"expiresAt,omitempty"`
	// MaxSessions is how many sessions the user may have on the process at
	// once. Absent (0): no limit.
	MaxSessions int `yaml:"maxSessions,omitempty"`
}

// UsersFile is a file of users.
type UsersFile struct {
	Users []User `yaml:"users"`
}

// Limits bound what clients may use. A limit of 0 is none.
type Limits struct {
	// Sessions is how many control connections the process serves at once.
	Sessions int `yaml:"sessions,omitempty"`
	// SessionsPerAddress is how many of them one client address may hold.
	SessionsPerAddress int `yaml:"sessionsPerAddress,omitempty"`
	// IdleTimeout ends a session without a command. Absent: 5 minutes.
	IdleTimeout time.Duration `yaml:"idleTimeout,omitempty"`
	// LoginTimeout ends a session that has not logged in. Absent: 1 minute.
	LoginTimeout time.Duration `yaml:"loginTimeout,omitempty"`
	// StallTimeout ends a transfer without progress. Absent: 1 minute.
	StallTimeout time.Duration `yaml:"stallTimeout,omitempty"`
	// DrainTimeout is how long sessions may finish what they are at when the
	// process is asked to end (SIGTERM). Absent: 25 seconds.
	DrainTimeout time.Duration `yaml:"drainTimeout,omitempty"`
}

// Admin configures the endpoints for operators. An empty address switches an
// endpoint off. Changing an address takes a restart.
type Admin struct {
	// Listen serves /healthz, /readyz and /metrics over plain HTTP. Nothing
	// secret is told, nothing can be changed.
	Listen string `yaml:"listen,omitempty"`
	// Status serves /status over TLS to whoever has the token.
	Status StatusEndpoint `yaml:"status,omitempty"`
}

// StatusEndpoint configures /status.
type StatusEndpoint struct {
	Listen string `yaml:"listen,omitempty"`
	// CertFile and KeyFile are its certificate, TokenFile holds the bearer
	// token. All three are read anew when they change.
	CertFile  string `yaml:"certFile,omitempty"`
	KeyFile   string `yaml:"keyFile,omitempty"`
	TokenFile string `yaml:"tokenFile,omitempty"`
}

// Log configures the log on standard error.
type Log struct {
	// Level is Debug, Info, Warn or Error. Absent: Info.
	Level string `yaml:"level,omitempty"`
	// Format is JSON or Text. Absent: JSON. Changing it takes a restart.
	Format string `yaml:"format,omitempty"`
}
