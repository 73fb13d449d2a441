package config

// ModeZ says whether clients may ask for MODE Z, which compresses what goes
// over data connections (draft-preston-ftpext-deflate). Compressing costs the
// server many times what sending the same file as it is does.
type ModeZ string

// The values of ModeZ.
const (
	ModeZDeny  ModeZ = "Deny"
	ModeZAllow ModeZ = "Allow"
)
