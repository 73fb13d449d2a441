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
		errs = append(errs, errors.New("log.xferlog: must not lie below storage.root, where users could read and change it"))
	}
	return errors.Join(errs...)
}

// within tells, by their names alone, whether a file lies below a directory.
func within(dir, file string) bool {
	rel, err := filepath.Rel(dir, file)
	return err == nil && filepath.IsAbs(dir) == filepath.IsAbs(file) && rel != ".." && !strings.HasPrefix(rel, "../")
}
