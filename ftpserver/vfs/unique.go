package vfs

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"path"
	"strings"
)

const (
	// uniqueLetters of 32 each make a name: 60 bits, so that two never meet.
	uniqueLetters = 12
	// uniqueTries ends a search that cannot end well.
	uniqueTries = 4
)

// CreateUnique begins an upload to a new name in the directory of p, made of
// the last name of p and of letters drawn at random, before its extension. So
// the name tells nothing of which others there are. It is published only if
// nobody else has taken it meanwhile, whatever the role.
func (f *FS) CreateUnique(p string) (*Upload, error) {
	at := parse(p)
	if at.isHome() {
		return nil, fail("store", at.virtual, ErrIsDir)
	}
	for try := 1; ; try++ {
		name := uniqueName(at.base, strings.ToLower(rand.Text()[:uniqueLetters]))
		u, err := f.create(path.Join(path.Dir(at.virtual), name), plan{mode: CreateTruncate, exclusive: true})
		if err == nil || try == uniqueTries || !errors.Is(err, fs.ErrExist) {
			return u, err
		}
	}
}

// uniqueName puts letters before the extension, and shortens what is in front
// of them as far as the length of names demands.
func uniqueName(base, letters string) string {
	ext := path.Ext(base)
	stem := strings.TrimSuffix(base, ext)
	if stem == "" || len(ext) > maxName/2 {
		stem, ext = base, ""
	}
	room := maxName - len(letters) - 1 - len(ext)
	if len(stem) > room {
		stem = strings.ToValidUTF8(stem[:room], "")
	}
	return stem + "-" + letters + ext
}
