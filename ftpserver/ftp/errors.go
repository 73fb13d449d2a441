package ftp

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/ftp-operator/ftp-operator/ftpserver/passive"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// fileReplies are the replies to the errors of the storage (RFC 959 §4.2): 4xx
// where the same command may succeed later, 5xx where it won't. The first that
// fits counts: some errors are of a more general kind too.
var fileReplies = []struct {
	err  error
	code int
	text string
}{
	{vfs.ErrNoSpace, 452, "Not enough space"},
	{vfs.ErrQuota, 552, "Your quota is used up: delete something first"},
	{vfs.ErrCounting, 450, "Your files are still being counted: try again shortly"},
	{vfs.ErrChanged, 450, "The file was changed meanwhile: try again"},
	{vfs.ErrInterrupted, 554, "An upload of this file was interrupted: send the whole file with STOR"},
	{vfs.ErrRestart, 554, "This offset fits neither the file nor an interrupted upload of it"},
	{vfs.ErrBusy, 450, "Another session is writing this file: try again later"},
	{vfs.ErrTaken, 553, "There is a file of that name, and it may not be overwritten"},
	{vfs.ErrNameDenied, 553, "File name not allowed: this server takes no names like it"},
	{vfs.ErrNameNotAllowed, 553, "File name not allowed: it is not like any that this server takes"},
	{vfs.ErrName, 553, "File name not allowed"},
	{vfs.ErrRuled, 550, "A path rule is for this directory or for something below it: it can be neither renamed, removed nor replaced"},
	{vfs.ErrRole, 550, "Permission denied: your role does not allow this here"},
	{fs.ErrPermission, 550, "Permission denied"},
	{fs.ErrNotExist, 550, "No such file or directory"},
	{vfs.ErrNotEmpty, 550, "Directory is not empty"},
	{fs.ErrExist, 550, "There is a file or directory of that name already"},
	{vfs.ErrIsDir, 550, "This is a directory"},
	{vfs.ErrNotDir, 550, "Not a directory"},
	{vfs.ErrNotRegular, 550, "Not a regular file"},
	{vfs.ErrLinks, 550, "Too many symbolic links"},
	{vfs.ErrTwice, 553, "A file can be named only once"},
	{vfs.ErrManyParts, 553, "Too many files at once"},
	{fs.ErrInvalid, 553, "Not possible under this name"},
}

// fileReply is the reply to an error of the storage.
func fileReply(err error) (int, string) {
	err = vfs.Classify(err)
	for _, r := range fileReplies {
		if errors.Is(err, r.err) {
			return r.code, r.text
		}
	}
	return 451, "The storage has failed: try again later"
}

// transferReply is the last reply of a transfer; nil is success.
func transferReply(err error) (int, string) {
	var open *openError
	var ended *uploadError
	switch {
	case err == nil:
		return 226, "Transfer complete"
	case errors.Is(err, errAborted):
		return 426, "Transfer aborted"
	case errors.Is(err, errEnded), errors.Is(err, errClientGone):
		return 426, "Transfer ended by the server"
	case errors.As(err, &ended):
		return 426, ended.Error()
	case errors.Is(err, passive.ErrForeign), errors.Is(err, passive.ErrUnproven):
		return unprovenReply(err)
	case errors.Is(err, errHandshake):
		return 425, "The data connection could not be secured"
	case errors.Is(err, passive.ErrEnded):
		return 425, "No data connection came from your address in time"
	case errors.As(err, &open):
		return 425, "The data connection could not be opened"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 426, "No progress for too long"
	case isNetwork(err):
		return 426, "The data connection was lost"
	case errors.Is(err, errDamaged):
		return 451, capital(errDamaged.Error())
	case errors.Is(err, errTree):
		return 550, "The listing is not complete: it is too large for -R, list the directories below one by one"
	case errors.Is(err, errShrunk):
		return 451, capital(errShrunk.Error())
	}
	return fileReply(err)
}

// isConnectionErrno tells whether the system call failed for its socket.
func isConnectionErrno(err error) bool {
	for _, errno := range []syscall.Errno{syscall.ECONNRESET, syscall.EPIPE, syscall.ETIMEDOUT, syscall.ECONNABORTED, syscall.EHOSTUNREACH, syscall.ENETUNREACH} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
