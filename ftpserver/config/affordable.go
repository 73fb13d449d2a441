package config

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// MaxFileSize is the largest configuration or file of users, in bytes. A Secret
// holds a quarter of it.
const MaxFileSize = 4 << 20

const (
	// maxSeparators bounds what a file is parsed into, whatever its size: no value
	// begins without one of these characters, and each takes some hundred bytes of
	// memory. A file that is full of users does not reach it.
	maxSeparators = 400_000
	separators    = ",:-?[{\n"
	// maxFields is more than any mapping of ours has. Each field of one is compared
	// with all others.
	maxFields = 200
	// cheap is the size, in bytes, up to which a file is not looked at beforehand.
	cheap = 32 << 10
)

// affordable refuses a file that would take more memory or time to read than any
// configuration does. It comes before the file is decoded.
func affordable(data []byte) error {
	if len(data) > MaxFileSize {
		return fmt.Errorf("the file must be at most %d bytes long, is %d: spread users over the %d files of usersDir", MaxFileSize, len(data), UserShards)
	}
	if len(data) <= cheap {
		return nil
	}
	n := 0
	for i := range len(separators) {
		n += bytes.Count(data, []byte(separators[i:i+1]))
	}
	if n > maxSeparators {
		return fmt.Errorf("the file holds too many values: spread users over the %d files of usersDir", UserShards)
	}
	var document yaml.Node
	if yaml.Unmarshal(data, &document) != nil {
		return nil // which is told when it is decoded
	}
	return fewFields(&document)
}

func fewFields(n *yaml.Node) error {
	if fields := len(n.Content) / 2; n.Kind == yaml.MappingNode && fields > maxFields {
		return fmt.Errorf("line %d: a mapping has %d fields: there are at most %d", n.Line, fields, maxFields)
	}
	for _, c := range n.Content {
		if err := fewFields(c); err != nil {
			return err
		}
	}
	return nil
}

const (
	// maxProblems is how many things that are wrong are told of a file.
	maxProblems = 50
	// maxProblem is how long each may be, in bytes: some quote a value.
	maxProblem = 1000
)

// Brief joins what is wrong, as far as somebody would read it: it goes into the
// log and to who asks for the status.
func Brief(errs []error) error {
	var told []error
	more := 0
	for _, err := range errs {
		switch {
		case err == nil:
		case len(told) == maxProblems:
			more++
		default:
			told = append(told, clipped(err))
		}
	}
	if more > 0 {
		told = append(told, fmt.Errorf("and %d more", more))
	}
	return errors.Join(told...)
}

func clipped(err error) error {
	text := err.Error()
	if len(text) <= maxProblem {
		return err
	}
	end := maxProblem
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return errors.New(text[:end] + "…")
}
