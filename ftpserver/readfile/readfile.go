// Package readfile reads files that an administrator has named: they may turn out
// to be anything. It knows nothing of what is in them.
package readfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Regular reads a regular file of at most limit bytes. A pipe would block, a
// device may do something when it is opened, and some files of /proc have no
// end, whatever size they tell. Errors of the system are *os.PathError; the
// others name no path.
func Regular(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path) // before it is opened
	if err == nil {
		err = judge(info, limit)
	}
	if err != nil {
		return nil, err
	}
	// It may be another by now, which must not make this wait.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from: nothing can be lost
	if info, err = f.Stat(); err == nil {
		err = judge(info, limit)
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = tooLarge(limit)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

func judge(info os.FileInfo, limit int64) error {
	switch {
	case !info.Mode().IsRegular():
		return errors.New("is not a regular file")
	case info.Size() > limit:
		return tooLarge(limit)
	}
	return nil
}

func tooLarge(limit int64) error { return fmt.Errorf("must be at most %d bytes long", limit) }
