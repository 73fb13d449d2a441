package config

import (
	"errors"
	"fmt"
)

// The lowest and the highest rate that a session can be held to, in bytes per
// second. Below the lowest, a session's data would be little more than headers.
const (
	MinRate = 1 << 10
	MaxRate = 1 << 40
)

// Rates are how fast each session may transfer, in bytes per second of what goes
// over data connections: compressed in MODE Z, without the overhead of TLS. A rate
// of 0 is none. Sessions of one user have each their own.
type Rates struct {
	// DownloadRatePerSession holds downloads and listings.
	DownloadRatePerSession int64 `yaml:"downloadRatePerSession,omitempty"`
	// UploadRatePerSession holds uploads.
	UploadRatePerSession int64 `yaml:"uploadRatePerSession,omitempty"`
}

// Or returns r with each rate that it does not give taken from others: what is
// configured of a user goes before what is configured of all, lower or higher.
func (r Rates) Or(others Rates) Rates {
	setDefault(&r.DownloadRatePerSession, others.DownloadRatePerSession)
	setDefault(&r.UploadRatePerSession, others.UploadRatePerSession)
	return r
}

func (r Rates) validate(at string) error {
	return errors.Join(validateRate(at+".downloadRatePerSession", r.DownloadRatePerSession), validateRate(at+".uploadRatePerSession", r.UploadRatePerSession))
}

func validateRate(field string, n int64) error {
	if n != 0 && (n < MinRate || n > MaxRate) {
		return fmt.Errorf("%s: must be between %d and %d bytes per second, or 0 (none), is %d", field, MinRate, int64(MaxRate), n)
	}
	return nil
}
