package config

import "time"

// StatusPath is where a server answers with a Status, over TLS, to a request
// that carries the bearer token. With the query "users=all" the answer tells
// each user's digest, with "sessions=N" also what N sessions are at; "sessions=all"
// is MaxSessionList of them.
const StatusPath = "/status"

// MaxSessionList is the most sessions that one answer describes.
const MaxSessionList = 1000

// Status is what a running server says of itself.
type Status struct {
	// Version is the program's version.
	Version string `json:"version"`
	// Contract is the highest version of the contract that the program knows.
	// Absent (0): the one before the field came, 1.
	Contract int `json:"contract,omitempty"`
	// Slot is the number of the replica.
	Slot int `json:"slot"`
	// BootID differs for each start of the process.
	BootID string `json:"bootID"`
	// Draining tells that the process was asked to end and takes no new sessions.
	Draining bool `json:"draining"`
	// Files tells of each file of the configuration what is in force.
	Files []FileStatus `json:"files"`
	// UserCount is how many users are loaded.
	UserCount int `json:"userCount"`
	// Users maps each loaded user to User.Digest. Only on request.
	Users map[string]string `json:"users,omitempty"`
	// Sessions counts the control connections by state.
	Sessions map[string]int `json:"sessions"`
	// SessionList describes sessions, those that came first first. Only on
	// request, and no more than was asked for: Sessions tells how many there are.
	SessionList []SessionStatus `json:"sessionList,omitempty"`
	// Certificates are those that clients are shown.
	Certificates []CertificateStatus `json:"certificates,omitempty"`
	// FreeBytes is the space left where files are stored; -1 if it is not known.
	FreeBytes int64 `json:"freeBytes"`
	// NotOpen are ports of the configuration that could not be opened when it was
	// loaded, as "passive 30000" or "implicit TLS 0.0.0.0:990". They are tried again.
	NotOpen []string `json:"notOpen,omitempty"`
}

// SessionStatus describes a control connection. Nothing in it is secret, but for
// whom it concerns.
type SessionStatus struct {
	// Number is the "session" of the log's lines.
	Number uint64 `json:"number"`
	// State is one of those that Sessions counts, or closed.
	State string `json:"state"`
	// User is who has logged in. Empty: nobody.
	User string `json:"user,omitempty"`
	// Client is address and port of the client.
	Client string `json:"client"`
	// Since is when the connection came.
	Since time.Time `json:"since"`
	// LastActivity is when the last command came; during a transfer, now.
	LastActivity time.Time `json:"lastActivity"`
	// TLS is the version that secures the control connection, such as "TLS 1.3".
	// Empty: it is in clear.
	TLS string `json:"tls,omitempty"`
	// Transfer is the one that runs. Absent: none does.
	Transfer *TransferStatus `json:"transfer,omitempty"`
}

// TransferStatus describes a transfer that runs.
type TransferStatus struct {
	// Verb is the command, and Direction upload, download or listing.
	Verb      string `json:"verb"`
	Direction string `json:"direction"`
	// Path is as the user sees it.
	Path string `json:"path"`
	// Since is when the command was accepted.
	Since time.Time `json:"since"`
	// Bytes are those that went over the data connection so far; in clear, they
	// are counted as every 4 MiB are done.
	Bytes int64 `json:"bytes"`
}

// FileStatus tells which content of a file is in force.
type FileStatus struct {
	// Name is relative to the directory of the configuration.
	Name string `json:"name"`
	// Hash is the Hash of the content in force. Empty: none was ever loaded.
	Hash string `json:"hash"`
	// Error says why newer content was refused. Empty: the newest is in force.
	Error string `json:"error,omitempty"`
}

// Expected is the content of a file that a server is to have in force.
type Expected struct {
	// Hash is that of the file of the current version of the contract.
	Hash string
	// Previous are name and hash of the file of the version before. Empty: the
	// file has no versions.
	Previous FileStatus
}

// Compare returns what the server says of a file, in the version of the contract
// that it knows, and the hash that it should say.
func (s *Status) Compare(name string, e Expected) (is FileStatus, want string) {
	if !s.Current() && e.Previous.Name != "" {
		name, e.Hash = e.Previous.Name, e.Previous.Hash
	}
	is, _ = s.File(name)
	return is, e.Hash
}

// Current tells whether the server knows the current version of the contract.
func (s *Status) Current() bool { return s.Contract >= Version }

// CertificateStatus describes a certificate in use.
type CertificateStatus struct {
	File     string    `json:"file"`
	NotAfter time.Time `json:"notAfter"`
	DNSNames []string  `json:"dnsNames,omitempty"`
}

// File returns what the server says of the file of that name.
func (s *Status) File(name string) (FileStatus, bool) {
	for _, f := range s.Files {
		if f.Name == name {
			return f, true
		}
	}
	return FileStatus{}, false
}
