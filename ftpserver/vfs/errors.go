package vfs

import (
	"errors"
	"io/fs"
	"syscall"
)

// The errors of this package, beside fs.ErrNotExist, fs.ErrExist,
// fs.ErrPermission and fs.ErrClosed. All are to be tested with errors.Is.
var (
	// ErrRole: the user's role does not hold the operation. It is an
	// fs.ErrPermission too.
	ErrRole error = &sentinel{"your role does not allow this", fs.ErrPermission}
	// ErrDenied: the system does not let the server do it, whoever asks: for what
	// the owner and mode of a file say, or as the storage is read-only. It is an
	// fs.ErrPermission too.
	ErrDenied error = &sentinel{"permission denied", fs.ErrPermission}
	// ErrRuled: to rename, remove or replace this would carry a directory away that
	// a path rule is for, lift the rule, or leave no place for its directory. It is an fs.ErrPermission too.
	ErrRuled error = &sentinel{"a path rule is for this, or for something below it", fs.ErrPermission}
	// ErrTaken: the name is another file's, which may not be overwritten: not by
	// this role, or by nobody.
	ErrTaken error = &sentinel{"there is a file of that name, which may not be overwritten", errors.Join(ErrRole, fs.ErrExist)}
	// ErrBusy: another session writes the file directly. It will be free later.
	ErrBusy = errors.New("is being written by another session")
	// ErrNameDenied and ErrNameNotAllowed: settings say that no file is to be
	// called so. They are an ErrName too.
	ErrNameDenied     error = &sentinel{"name matches a pattern of names that are denied", ErrName}
	ErrNameNotAllowed error = &sentinel{"name matches none of the patterns of names that are allowed", ErrName}
	// ErrIsDir: the operation is for files, the path names a directory.
	ErrIsDir = errors.New("is a directory")
	// ErrNotDir: the operation is for directories, the path names none.
	ErrNotDir = errors.New("is not a directory")
	// ErrNotEmpty: the directory holds something, or an upload into it runs.
	ErrNotEmpty = errors.New("directory is not empty")
	// ErrNotRegular: neither file nor directory, such as a device or a FIFO;
	// or, as the target of an upload, a symbolic link.
	ErrNotRegular = errors.New("is not a regular file")
	// ErrNoSpace: the disk or a quota of the file system is full.
	ErrNoSpace = errors.New("no space left")
	// ErrQuota: the user's own quota is used up.
	ErrQuota = errors.New("quota is used up")
	// ErrCounting: what the home holds is not counted yet. It will be, soon.
	ErrCounting = errors.New("the home is still being counted for its quota")
	// ErrRestart: an upload cannot go on as was asked for. It can start anew.
	ErrRestart = errors.New("offset fits neither a partial upload nor the file")
	// ErrInterrupted is the ErrRestart of a file to which an upload was
	// interrupted, where the client may mean either. A plain upload of the whole
	// file is the way out.
	ErrInterrupted error = &sentinel{"an upload of this file was interrupted; store the whole file", ErrRestart}
	// ErrChanged: the file under the name is not the one that the upload was
	// built on. The same may succeed at the next try.
	ErrChanged = errors.New("was changed meanwhile; try again")
	// ErrLinks: the path leads through too many symbolic links, or in a circle.
	ErrLinks = errors.New("too many symbolic links")
	// ErrTwice: of files to be combined, two are one. It is an fs.ErrInvalid too.
	ErrTwice error = &sentinel{"a file can be named only once", fs.ErrInvalid}
	// ErrManyParts: more than MaxParts files to be combined at once. It is an
	// fs.ErrInvalid too.
	ErrManyParts error = &sentinel{"too many files at once", fs.ErrInvalid}
	// ErrName: no file can have this name.
	ErrName = errors.New("bad name")
)

// What more there is to say of some of them.
var (
	errReserved error = &sentinel{"names that begin with " + hiddenPrefix + " are reserved; choose another", ErrName}
	errTooLong  error = &sentinel{"name is longer than 255 bytes", ErrName}
	errTooDeep  error = &sentinel{"directories are nested too deeply", ErrName}
	errNUL      error = &sentinel{"name holds a NUL", ErrName}
	errEscapes  error = &sentinel{"leads out of your home", fs.ErrPermission}
	errReadOnly error = &sentinel{"storage is read-only", ErrDenied}
	// errDiskQuota is not the user's own, but that of the server on the file system.
	errDiskQuota error = &sentinel{"disk quota exceeded", ErrNoSpace}
	errTheHome   error = &sentinel{"the top directory can be neither renamed nor removed", fs.ErrPermission}
	errIntoSelf  error = &sentinel{"a directory cannot be moved into itself", fs.ErrInvalid}
	errDevice    error = &sentinel{"cannot be moved to another volume", fs.ErrInvalid}
	errEnded     error = &sentinel{"upload has already ended", fs.ErrClosed}

	// errStays: what was made, and is not as it was to be, could not be removed.
	errStays = errors.New("stays, as it could not be removed")

	errUnprepared error = &sentinel{"upload was not prepared", fs.ErrInvalid}
)

var errnos = map[syscall.Errno]error{
	syscall.ENOENT:       fs.ErrNotExist,
	syscall.EEXIST:       fs.ErrExist,
	syscall.EACCES:       ErrDenied,
	syscall.EPERM:        ErrDenied,
	syscall.EROFS:        errReadOnly,
	syscall.EISDIR:       ErrIsDir,
	syscall.ENOTDIR:      ErrNotDir,
	syscall.ENOTEMPTY:    ErrNotEmpty,
	syscall.ENXIO:        ErrNotRegular,
	syscall.ENOSPC:       ErrNoSpace,
	syscall.EDQUOT:       errDiskQuota,
	syscall.ENAMETOOLONG: errTooLong,
	syscall.EXDEV:        errDevice,
	syscall.ELOOP:        ErrLinks,
}

// sentinel is an error that is also of a more general kind.
type sentinel struct {
	text string
	kind error
}

func (s *sentinel) Error() string { return s.text }
func (s *sentinel) Unwrap() error { return s.kind }

// Classify puts an error of reading or writing a file of this package into the
// package's terms, and drops the path from its text. Errors of other origin
// come back as they are.
func Classify(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) && errnos[errno] != nil {
		return errnos[errno]
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// walkError is Classify for errors of os.Root, whose error for a path that
// leads out of it has no name: it is the one that is no system call's.
func walkError(err error) error {
	if _, ok := errors.AsType[syscall.Errno](err); ok || errors.Is(err, fs.ErrClosed) {
		return Classify(err)
	}
	return errEscapes
}

// fail tells what could not be done to which virtual path.
func fail(op, virtual string, err error) error {
	return &fs.PathError{Op: op, Path: virtual, Err: Classify(err)}
}
