package vfs

// Usage is what a user has stored, and may store. A limit of 0 is none.
type Usage struct {
	Bytes, Files, MaxBytes, MaxFiles int64
}

// Quota tells the user's usage; ok is false where none is counted.
func (f *FS) Quota() (u Usage, ok bool) { return Usage{}, false }
