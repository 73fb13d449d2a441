package ftpclient

import (
	"errors"
	"fmt"
	"slices"
)

// Kind is what an Operation does.
type Kind string

// The kinds of operations.
const (
	Upload         Kind = "upload"
	Download       Kind = "download"
	ResumeUpload   Kind = "resume-upload"
	ResumeDownload Kind = "resume-download"
	Rename         Kind = "rename"
	Delete         Kind = "delete"
	Mkdir          Kind = "mkdir"
	Rmdir          Kind = "rmdir"
	List           Kind = "list"
	MirrorUp       Kind = "mirror-up"
	MirrorDown     Kind = "mirror-down"
)

// Operation is one thing that a client does.
type Operation struct {
	Kind Kind
	// Local is a file on the client's side, or a directory for the mirrors.
	Local string
	// Remote is an absolute path on the server; any character but CR, LF and
	// NUL may stand in it.
	Remote string
	// To is the new name, for Rename.
	To string
	// Rate bounds a transfer, in bytes per second. 0: no bound.
	Rate int
}

// commands are those of an operation that moves no data.
func (op Operation) commands() []string {
	switch op.Kind {
	case Rename:
		return []string{"RNFR " + op.Remote, "RNTO " + op.To}
	case Delete:
		return []string{"DELE " + op.Remote}
	case Mkdir:
		return []string{"MKD " + op.Remote}
	case Rmdir:
		return []string{"RMD " + op.Remote}
	}
	return nil
}

// lacks is an error where one of the operations is of these kinds.
func lacks(ops []Operation, kinds ...Kind) error {
	for _, op := range ops {
		if slices.Contains(kinds, op.Kind) {
			return fmt.Errorf("has no %s", op.Kind)
		}
	}
	return nil
}

// bounded is an error where one of the operations asks for a rate.
func bounded(ops []Operation) error {
	for _, op := range ops {
		if op.Rate > 0 {
			return errors.New("can't bound its rate")
		}
	}
	return nil
}
