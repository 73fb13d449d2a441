package ftpclient

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
)

// Operation is one thing that a client does.
type Operation struct {
	Kind Kind
	// Local is a file on the client's side.
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
