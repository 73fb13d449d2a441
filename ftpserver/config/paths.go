package config

import (
	"fmt"
	"path"
	"strings"
)

const (
	// ReservedPrefix begins the names of the server's own files, which no user
	// sees.
	ReservedPrefix = ".ftpserver-"
	// MaxPaths is how many path rules a user may have: each is looked at anew for
	// every command.
	MaxPaths = 32
	// maxName is NAME_MAX of every file system that Linux has.
	maxName = 255
)

// ReservedName tells whether a name is one that users can't use. File systems
// may fold case, so it does too.
func ReservedName(name string) bool {
	return len(name) >= len(ReservedPrefix) && strings.EqualFold(name[:len(ReservedPrefix)], ReservedPrefix)
}

// directory says why a path can't be that of a home or of a path rule, or nil.
func directory(field, p string) error {
	if !path.IsAbs(p) || path.Clean(p) != p || strings.ContainsRune(p, 0) {
		return fmt.Errorf("%s: %q must be an absolute path without . or .. in it", field, p)
	}
	for name := range strings.SplitSeq(p, "/") {
		switch {
		case len(name) > maxName:
			return fmt.Errorf("%s: no name in it may be longer than %d bytes, one is %d", field, maxName, len(name))
		case ReservedName(name):
			return fmt.Errorf("%s: %q holds a name that begins with %s, which is reserved: choose another", field, p, ReservedPrefix)
		}
	}
	return nil
}
