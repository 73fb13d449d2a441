package vfs

import "github.com/ftp-operator/ftp-operator/ftpserver/config"

// Operation is something that a role may or may not allow.
type Operation uint

// The operations.
const (
	OpEnter     Operation = 1 << iota // tell that a directory is there: CWD
	OpList                            // read a directory
	OpRead                            // read a file, or tell its size and time
	OpCreate                          // store a file where there is none
	OpOverwrite                       // replace a file, or what comes after an offset
	OpAppend                          // add to a file
	OpRename                          // give another name, or another directory
	OpDelete                          // remove files and directories
	OpMakeDir                         // make a directory
)

const (
	mayLook   = OpEnter | OpList | OpRead
	mayChange = OpCreate | OpOverwrite | OpAppend | OpRename | OpDelete | OpMakeDir
)

// roles is the one place that says who may do what. A drop box may create, and
// with that go on with its own partial uploads and learn their size; what it
// has delivered, it sees no more.
var roles = map[config.Role]Operation{
	config.RoleReadOnly:  mayLook,
	config.RoleReadWrite: mayLook | mayChange,
	config.RoleWriteOnly: OpEnter | OpCreate,
	config.RoleAdmin:     mayLook | mayChange,
}

// Allows tells whether the user's role holds every one of the operations.
func (f *FS) Allows(op Operation) bool { return f.role&op == op }

// need is ErrRole where the user's role does not hold the operation.
func (f *FS) need(op Operation) error {
	if !f.Allows(op) {
		return ErrRole
	}
	return nil
}
