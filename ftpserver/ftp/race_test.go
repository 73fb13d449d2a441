//go:build race

package ftp

func init() { raceDetector = true }
