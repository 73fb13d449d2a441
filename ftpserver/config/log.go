package config

import (
	"errors"
	"path/filepath"
	"strings"
)

// XferlogStdout is the name that stands for standard output.
const XferlogStdout = "stdout"

// Log configures the log on standard error, and that of transfers.
type Log struct {
	// Level is Debug, Info, Warn or Error. Absent: Info.
	Level string `yaml:"level,omitempty"`
	// Format is JSON or Text. Absent: JSON. Changing it takes a restart.
	Format string `yaml:"format,omitempty"`
	// Xferlog is a file that gets a line for each file that was transferred, in
	// the format of wu-ftpd, or stdout. Absent: none.
	Xferlog string `yaml:"xferlog,omitempty"`
}

func (l *Log) validate(root string) error {
	errs := []error{
		oneOf("log.level", l.Level, "Debug", "Info", "Warn", "Error"),
		oneOf("log.format", l.Format, "JSON", "Text"),
	}
	switch {
	case l.Xferlog == "" || l.Xferlog == XferlogStdout:
	case strings.HasSuffix(l.Xferlog, "/") || strings.Contains(l.Xferlog, "\x00"):
		errs = append(errs, errors.New("log.xferlog: must be a file, such as /var/log/xferlog, or stdout"))
	case within(root, l.Xferlog):
		errs = append(errs, errXferlogForAll)
	}
	return errors.Join(errs...)
}

var errXferlogForAll = errors.New("log.xferlog: must not lie below storage.root, where users could read and change it")

// CheckXferlog holds the transfer log against the directory of the files as both
// are on the disk, which their names alone don't tell: dir is the directory of the
// configuration, to which Xferlog may be relative; root may be relative to the
// working directory; and both may lie behind links.
func (l *Log) CheckXferlog(dir, root string) error {
	if l.Xferlog == "" || l.Xferlog == XferlogStdout {
		return nil
	}
	if within(place(root), place(Resolve(dir, l.Xferlog))) {
		return errXferlogForAll
	}
	return nil
}

// place is where a file is, or would be made: its nearest directory that is there,
// without links, and what comes below.
func place(file string) string {
	if abs, err := filepath.Abs(file); err == nil {
		file = abs
	}
	below := ""
	for at := file; ; at = filepath.Dir(at) {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(real, below)
		}
		if at == filepath.Dir(at) { // there is no working directory: the name must do
			return file
		}
		below = filepath.Join(filepath.Base(at), below)
	}
}

// within tells, by their names alone, whether a file lies below a directory.
func within(dir, file string) bool {
	rel, err := filepath.Rel(dir, file)
	return err == nil && filepath.IsAbs(dir) == filepath.IsAbs(file) && rel != ".." && !strings.HasPrefix(rel, "../")
}
