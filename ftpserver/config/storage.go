package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Durability says what an acknowledged upload (226) has survived.
type Durability string

// The kinds of durability.
const (
	// DurabilityFull: data, name and directory are on stable storage (fsync).
	DurabilityFull Durability = "Full"
	// DurabilityNone: a crash of the machine may lose an acknowledged upload; a
	// crash of the server alone loses none.
	DurabilityNone Durability = "None"
)

// Uploads says where the data of an upload goes.
type Uploads string

// The ways of uploads.
const (
	// UploadsAtomic: into a hidden file, which gets the name when it is complete.
	UploadsAtomic Uploads = "Atomic"
	// UploadsDirect: into the visible file, so that others see it as it comes.
	// What is interrupted stays as it is.
	UploadsDirect Uploads = "Direct"
)

// Overwrite says whether an upload or a rename may take the place of a file.
type Overwrite string

// The kinds of overwriting.
const (
	// OverwriteAllow: where the role holds it.
	OverwriteAllow Overwrite = "Allow"
	// OverwriteDeny: nobody. To add to a file (APPE) is not to overwrite it.
	OverwriteDeny Overwrite = "Deny"
)

// HiddenFiles says whether listings show names that begin with a dot.
type HiddenFiles string

// The kinds of listings. Who knows a name can use it either way.
const (
	HiddenFilesShow HiddenFiles = "Show"
	HiddenFilesHide HiddenFiles = "Hide"
)

// Storage says where the files are. All but Root follow a reload at once.
type Storage struct {
	// Root is a directory. Users' homes are below it; no one gets out of it.
	// Changing it takes a restart.
	Root string `yaml:"root"`
	// Durability is absent: Full.
	Durability Durability `yaml:"durability,omitempty"`
	// Uploads is absent: Atomic. A path rule may say otherwise.
	Uploads Uploads `yaml:"uploads,omitempty"`
	// Umask takes rights from the modes 0666 of new files and 0777 of new
	// directories, in octal digits. Absent: files are made with 0644 and
	// directories with 0755, of which the umask of the process still takes.
	Umask string `yaml:"umask,omitempty"`
	// Overwrite is absent: Allow. A path rule may say otherwise.
	Overwrite Overwrite `yaml:"overwrite,omitempty"`
	// HiddenFiles is absent: Show.
	HiddenFiles HiddenFiles `yaml:"hiddenFiles,omitempty"`
	// Names says what files may be called. Absent: anything.
	Names Names `yaml:"names,omitempty"`
}

// Names are patterns, as path.Match has them, for the last name of a path. Upper
// and lower case are the same to them.
type Names struct {
	// Allowed are those of which a new file's name must match one. Absent: all
	// names are. Directories may have any name.
	Allowed []string `yaml:"allowed,omitempty"`
	// Denied are those of which no new name may match any, of a file or of a
	// directory. They go before Allowed.
	Denied []string `yaml:"denied,omitempty"`
}

// free tells that nothing is said of names.
func (n *Names) free() bool { return len(n.Allowed) == 0 && len(n.Denied) == 0 }

const (
	// MaxNamePatterns is how many patterns each of the lists of Names may hold:
	// all are tried for each new name.
	MaxNamePatterns = 64
	// maxPattern is the longest pattern, in bytes.
	maxPattern = 128
)

func (s *Storage) setDefaults() {
	setDefault(&s.Durability, DurabilityFull)
	setDefault(&s.Uploads, UploadsAtomic)
	setDefault(&s.Overwrite, OverwriteAllow)
	setDefault(&s.HiddenFiles, HiddenFilesShow)
}

func (s *Storage) validate() error {
	_, umaskErr := s.UmaskBits()
	errs := []error{
		oneOf("storage.durability", s.Durability, DurabilityFull, DurabilityNone),
		oneOf("storage.uploads", s.Uploads, UploadsAtomic, UploadsDirect),
		oneOf("storage.overwrite", s.Overwrite, OverwriteAllow, OverwriteDeny),
		oneOf("storage.hiddenFiles", s.HiddenFiles, HiddenFilesShow, HiddenFilesHide),
		umaskErr,
		patterns("storage.names.allowed", s.Names.Allowed),
		patterns("storage.names.denied", s.Names.Denied),
	}
	if s.Root == "" {
		errs = append(errs, errors.New("storage.root: name the directory that holds the files"))
	}
	return errors.Join(errs...)
}

// UmaskBits are the rights that Umask takes. It must leave the owner's: the
// server itself goes on with uploads and lists directories.
func (s *Storage) UmaskBits() (fs.FileMode, error) {
	if s.Umask == "" {
		return 0, nil
	}
	bits, err := strconv.ParseUint(s.Umask, 8, 16)
	if err != nil || len(s.Umask) < 3 || len(s.Umask) > 4 {
		return 0, fmt.Errorf("storage.umask: %q is not three octal digits such as 022", s.Umask)
	}
	if bits > 0o077 {
		return 0, fmt.Errorf("storage.umask: %s takes rights from the owner, which is the server: begin with 0, as in 027", s.Umask)
	}
	return fs.FileMode(bits), nil
}

func patterns(field string, list []string) error {
	var errs []error
	if n := len(list); n > MaxNamePatterns {
		errs = append(errs, fmt.Errorf("%s: must be at most %d, are %d", field, MaxNamePatterns, n))
	}
	for i, p := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		_, err := path.Match(strings.ToLower(p), "")
		switch {
		case p == "":
			errs = append(errs, fmt.Errorf("%s: must not be empty", at))
		case len(p) > maxPattern:
			errs = append(errs, fmt.Errorf("%s: must be at most %d bytes long, is %d", at, maxPattern, len(p)))
		case strings.ContainsRune(p, '/'):
			errs = append(errs, fmt.Errorf("%s: %q holds a slash: patterns are for the last name of a path", at, p))
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %q is not a pattern of * ? [a-z] and \\ before what is meant as it stands", at, p))
		}
	}
	return errors.Join(errs...)
}
