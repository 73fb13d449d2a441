package config

import (
	"path/filepath"
	"strings"
)

// Resolve is where a file named in a configuration is, dir being the directory
// that the configuration lies in.
func Resolve(dir, file string) string {
	if filepath.IsAbs(file) {
		return filepath.Clean(file)
	}
	return filepath.Join(dir, file)
}

// NameOf is the FileStatus.Name of a file named in a configuration: relative to
// dir if it lies below, else as it was named, without detours.
func NameOf(dir, file string) string {
	file = filepath.Clean(file)
	if !filepath.IsAbs(file) {
		return file
	}
	rel, err := filepath.Rel(dir, file)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return file
	}
	return rel
}
