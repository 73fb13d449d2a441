package live

import (
	"errors"
	"fmt"
	"os"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/readfile"
)

// file is what is known of one file: the content in force, and what is wrong
// with newer content.
type file[T any] struct {
	name    string // among those that it may have, the one that was read
	value   T
	hash    string // config.Hash of the content in force; empty: none
	newest  string // that of the newest content that was judged
	problem string // why the newest is not in force
}

// next reads the file anew. Content that was judged before is not judged again.
func (f file[T]) next(path string, decode func([]byte) (T, error)) file[T] {
	data, err := readFile(path)
	if err != nil {
		return f.refused("", err)
	}
	hash := config.Hash(data)
	if hash == f.newest {
		return f
	}
	value, err := decode(data)
	if err != nil {
		return f.refused(hash, err)
	}
	return file[T]{name: f.name, value: value, hash: hash, newest: hash}
}

// named is the file under another of its names.
func (f file[T]) named(name string) file[T] {
	f.name = name
	return f
}

// refused is the file with its old content in force. A newest of "" has the
// content judged again next time.
func (f file[T]) refused(newest string, err error) file[T] {
	f.newest, f.problem = newest, err.Error()
	return f
}

// judged is what came of the file, and of its users beside those of others.
func (f file[T]) judged(name, conflicts string) judged {
	j := judged{newest: f.newest}
	j.Name, j.Hash, j.Error = name, f.hash, f.problem
	if j.Error == "" {
		j.Error = conflicts
	}
	return j
}

// readFile reads regular files only: a pipe would block for good. The error
// leaves the path out, as it is told with the file's name.
func readFile(path string) ([]byte, error) {
	data, err := readfile.Regular(path, config.MaxFileSize)
	if err != nil {
		return nil, withoutPath(err)
	}
	return data, nil
}

func withoutPath(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("cannot be read: %w", p.Err)
	}
	return err
}
