// Package config is the one contract between the operator, which writes these
// files into Secrets, and ftpserver, which reads them from mounted directories:
// the configuration, the users, and the answer of the status endpoint.
//
// It holds types, decoding, defaults and validation. It opens no file, watches
// nothing and knows neither FTP nor Kubernetes.
package config

// Config is the configuration of an ftpserver. File names in it are relative to
// the directory that the configuration itself lies in.
type Config struct {
	// Listen is the address of the control port, host:port. The host may be
	// empty: every address of both families. Changing it takes a restart.
	Listen string `yaml:"listen"`
	// Banner is the text of the greeting (reply 220). Absent: "FTP server ready".
	Banner string `yaml:"banner,omitempty"`
	// Welcome is told after a login (reply 230), in as many lines as it has.
	// Absent: nothing beside "Logged in".
	Welcome string `yaml:"welcome,omitempty"`
	// DirectoryMessage is the name of a file, such as .message, whose beginning
	// is told to who changes into its directory, once in a session. Absent: none is.
	DirectoryMessage string `yaml:"directoryMessage,omitempty"`

	Passive Passive `yaml:"passive"`
	// ProxyProtocol is absent: the address of a client is that of its connection.
	ProxyProtocol ProxyProtocol `yaml:"proxyProtocol,omitempty"`
	TLS           TLS           `yaml:"tls"`
	Storage       Storage       `yaml:"storage"`
	// Hosts are the names that clients may give with HOST (RFC 7151): host names,
	// also with *. in front, and addresses. Absent: those of the certificates, and
	// the address that the client has connected to; without TLS, every one.
	Hosts []string `yaml:"hosts,omitempty"`
	// Active allows PORT and EPRT, to the client's own address only.
	Active bool `yaml:"active,omitempty"`
	// ModeZ says whether clients may have transfers compressed. Absent: Deny.
	ModeZ ModeZ `yaml:"modeZ,omitempty"`
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
