package ftp

import "github.com/ftp-operator/ftp-operator/ftpserver/vfs"

// need is what a role must hold for a command, by what the path names. It is
// judged where that lies: the user's role, or that of a path rule.
type need struct {
	ops vfs.Operation
	of  object
	// refused: even who holds them is only told why the command can't be.
	refused bool
}

// object is what the path of a command names.
type object string

const (
	directory   object = "a directory"
	file        object = "a file"
	newName     object = "a new name"
	interrupted object = "an interrupted upload of one's own"
	// Of RNTO, which is judged by what is renamed too.
	fileToNew  object = "a new name, for a file"
	dirToNew   object = "a new name, for a directory"
	fileToFile object = "a file, for a file"
)

var (
	enters = need{ops: vfs.OpEnter, of: directory}
	lists  = need{ops: vfs.OpEnter | vfs.OpList, of: directory}
	reads  = need{ops: vfs.OpRead, of: file}
	// resumes is for a client to go on with an upload, and to know where.
	resumes = need{ops: vfs.OpCreate, of: interrupted}
)

// What the commands need. This is the one place that says it: a handler can ask
// the storage for nothing else.
var (
	toGoUp      = []need{enters}
	toEnter     = []need{enters, {ops: vfs.OpRead, of: file, refused: true}}
	toList      = []need{lists, reads}
	toListFacts = []need{lists, {ops: vfs.OpRead, of: file, refused: true}}
	toTellFacts = []need{enters, reads, resumes}
	toTellSize  = []need{reads, resumes, {ops: vfs.OpEnter, of: directory, refused: true}}
	toTellTime  = []need{enters, reads}
	toRead      = []need{reads}
	toStore     = []need{{ops: vfs.OpCreate, of: newName}, {ops: vfs.OpOverwrite, of: file}, resumes}
	toAppend    = []need{{ops: vfs.OpCreate, of: newName}, {ops: vfs.OpAppend, of: file}, resumes}
	toDelete    = []need{{ops: vfs.OpDelete, of: file}}
	toRemoveDir = []need{{ops: vfs.OpDelete, of: directory}}
	toMakeDir   = []need{{ops: vfs.OpMakeDir, of: newName}}
	toRename    = []need{{ops: vfs.OpRename, of: file}, {ops: vfs.OpRename, of: directory}}
	// toRenameTo is what RNTO needs where the name is to be; where it was, it
	// needs OpRename once more.
	toRenameTo = []need{
		{ops: vfs.OpCreate, of: fileToNew}, {ops: vfs.OpMakeDir, of: dirToNew}, {ops: vfs.OpOverwrite, of: fileToFile},
		{ops: vfs.OpRename, of: file, refused: true},
	}
)

// operations are all that a command can ask the storage for.
func (c *command) operations() vfs.Operation {
	var all vfs.Operation
	for _, n := range c.needs {
		all |= n.ops
	}
	return all
}
