package config

import (
	"io/fs"
	"reflect"
	"testing"
)

// The settings of uploads are read as they were meant, also a umask without
// quotes, which YAML takes for a number.
func TestStorageSettings(t *testing.T) {
	c, err := Decode([]byte(with("storage", `{root: /x, uploads: Direct, umask: 027, overwrite: Deny, hiddenFiles: Hide,
  names: {allowed: ["*.pdf"], denied: [".*", '\*']}}`)), Strict)
	if err != nil {
		t.Fatal(err)
	}
	want := Storage{
		Root: "/x", Durability: DurabilityFull, Uploads: UploadsDirect, Umask: "027", Overwrite: OverwriteDeny, HiddenFiles: HiddenFilesHide,
		Names: Names{Allowed: []string{"*.pdf"}, Denied: []string{".*", `\*`}},
	}
	if !reflect.DeepEqual(c.Storage, want) {
		t.Errorf("%+v, want %+v", c.Storage, want)
	}
	for umask, want := range map[string]fs.FileMode{"": 0, "000": 0, "022": 0o022, "0077": 0o077} {
		if bits, err := (&Storage{Umask: umask}).UmaskBits(); err != nil || bits != want {
			t.Errorf("umask %q takes %o (%v), want %o", umask, bits, err, want)
		}
	}
}
