package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Bounds of Welcome: clients must read all of a reply.
const (
	maxMessageLines = 50
	maxMessageLine  = 500
)

// validateMessages checks what clients are told beside the banner.
func (c *Config) validateMessages() error {
	var errs []error
	lines := c.WelcomeLines()
	if len(lines) > maxMessageLines {
		errs = append(errs, fmt.Errorf("welcome: must be at most %d lines, are %d", maxMessageLines, len(lines)))
	}
	for i, l := range lines {
		if len(l) > maxMessageLine || strings.ContainsFunc(l, unicode.IsControl) {
			errs = append(errs, fmt.Errorf("welcome: line %d must be at most %d bytes long and hold no control characters", i+1, maxMessageLine))
			break
		}
	}
	if m := c.DirectoryMessage; m != "" && (strings.ContainsAny(m, "/\x00") || m == "." || m == ".." || len(m) > 255) {
		errs = append(errs, errors.New("directoryMessage: must be the name of a file, such as .message, without a directory"))
	}
	return errors.Join(errs...)
}

// WelcomeLines are the lines of Welcome.
func (c *Config) WelcomeLines() []string {
	if c.Welcome == "" {
		return nil
	}
	return strings.Split(strings.TrimRight(c.Welcome, "\n"), "\n")
}
