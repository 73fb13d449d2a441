package config

import "errors"

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

// Storage says where the files are.
type Storage struct {
	// Root is a directory. Users' homes are below it; no one gets out of it.
	// Changing it takes a restart.
	Root string `yaml:"root"`
	// Durability is absent: Full.
	Durability Durability `yaml:"durability,omitempty"`
}

func (s *Storage) setDefaults() {
	setDefault(&s.Durability, DurabilityFull)
}

func (s *Storage) validate() error {
	errs := []error{oneOf("storage.durability", s.Durability, DurabilityFull, DurabilityNone)}
	if s.Root == "" {
		errs = append(errs, errors.New("storage.root: name the directory that holds the files"))
	}
	return errors.Join(errs...)
}
