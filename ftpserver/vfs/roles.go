package vfs

import (
	"errors"
	"io/fs"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Operation is something that a role may or may not allow.
type Operation uint

// The operations.
const (
	OpEnter      Operation = 1 << iota // tell that a directory is there: CWD
	OpList                             // read a directory
	OpRead                             // read a file, or tell its size and time
	OpCreate                           // store a file where there is none
	OpOverwrite                        // replace a file, or what comes after an offset
	OpAppend                           // add to a file
	OpRename                           // give another name, or another directory
	OpDelete                           // remove files and directories
	OpMakeDir                          // make a directory
	OpAttributes                       // set the time or the mode of what is there
)

const (
	mayLook   = OpEnter | OpList | OpRead
	mayChange = OpCreate | OpOverwrite | OpAppend | OpRename | OpDelete | OpMakeDir | OpAttributes
	// everything is also what an FS is limited to before Only says otherwise.
	everything = mayLook | mayChange
)

// What settings say of a place stands beside what the role holds there.
const (
	opReplace Operation = 1 << 16 << iota // what is there may be replaced
	opDirect                              // uploads go into the visible file
	anything  = everything | opReplace | opDirect
)

// overwrites tells whether role and settings let a file be replaced.
func (held Operation) overwrites() bool { return held.has(OpOverwrite | opReplace) }

// told is what a user is told to hold.
func (held Operation) told() Operation {
	if !held.has(opReplace) {
		held &^= OpOverwrite
	}
	return held & everything
}

// roles is the one place that says who may do what. A drop box may create, and
// with that go on with its own partial uploads and learn their size; what it
// has delivered, it sees no more.
var roles = map[config.Role]Operation{
	config.RoleReadOnly:  mayLook,
	config.RoleReadWrite: everything,
	config.RoleWriteOnly: OpEnter | OpCreate,
	config.RoleAdmin:     everything,
}

// RoleAllows tells whether a role holds every one of the operations.
func RoleAllows(r config.Role, ops Operation) bool { return roles[r].has(ops) }

func (held Operation) has(ops Operation) bool { return held&ops == ops }

// untold makes an error that tells which names there are in a directory that
// of a refusal, where the role may read no files there: a drop box answers the
// same for a file that is there and for one that is not.
func (held Operation) untold(err error) error {
	if held.has(OpRead) {
		return err
	}
	for _, telling := range []error{fs.ErrNotExist, fs.ErrPermission, ErrNotDir, ErrLinks} {
		if errors.Is(Classify(err), telling) {
			return ErrRole
		}
	}
	return err
}

// Only is the same view for a command that needs these operations and no
// others: whatever else it would come to ask for is refused. It is closed with
// the view that it was made of.
func (f *FS) Only(ops Operation) *FS {
	return &FS{f.scope, ops}
}

// need is ErrRole where an operation is not held at the place in question.
func (f *FS) need(held, op Operation) error {
	if !(held & f.only).has(op) {
		return ErrRole
	}
	return nil
}
