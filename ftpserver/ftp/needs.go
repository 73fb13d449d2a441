package ftp

import "github.com/ftp-operator/ftp-operator/ftpserver/vfs"

// need is what a role must hold for a command, by what the path names. It is
// judged where that lies: the user's role, or that of a path rule.
type need struct {
	ops vfs.Operation
	of  object
	// refused: even who holds them is only told why the command can't be.
	refused bool
	// optional: who lacks them is answered too, with less.
	optional bool
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
	// Of MDTM with a time.
	fileTimed object = "a file, to set its time"
	// Of COMB, by its target.
	partsToNew  object = "files, to make a new one of"
	partsToFile object = "files, to add to another"
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
	toGoUp          = []need{enters, {ops: vfs.OpRead, of: directory, optional: true}} // its message
	toEnter         = []need{enters, {ops: vfs.OpRead, of: file, refused: true}}
	toList          = []need{lists, reads}
	toListFacts     = []need{lists, {ops: vfs.OpRead, of: file, refused: true}}
	toTellFacts     = []need{enters, reads, resumes}
	toTellSize      = []need{reads, resumes, {ops: vfs.OpEnter, of: directory, refused: true}}
	toTellOrSetTime = []need{enters, reads, {ops: vfs.OpAttributes, of: fileTimed}}
	toSet           = []need{{ops: vfs.OpAttributes, of: file}, {ops: vfs.OpAttributes, of: directory}}
	toTellSpace     = []need{{ops: vfs.OpEnter | vfs.OpList | vfs.OpCreate, of: directory}}
	toAllocate      = []need{{ops: vfs.OpEnter | vfs.OpList | vfs.OpCreate, of: directory, optional: true}}
	toStoreNew      = []need{{ops: vfs.OpCreate, of: newName}}
	toCombine       = []need{
		{ops: vfs.OpRead | vfs.OpDelete | vfs.OpCreate, of: partsToNew},
		{ops: vfs.OpRead | vfs.OpDelete | vfs.OpAppend, of: partsToFile},
	}
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
