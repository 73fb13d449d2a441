package live

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// anna's two files: users-3 is her shard (config.Shard).
const (
	annaV1 = "users-3.v1.yaml"
	annaV2 = "users-3.v2.yaml"
)

// The files come and go as operators of two versions do, in any order between
// configuration and users, and of each the highest version counts. Nobody is
// lost on the way.
func TestVersionsComeAndGo(t *testing.T) {
	const c1, c2 = config.PreviousFileName, config.FileName
	type step struct {
		files        []string // that are there
		config, anna string   // which are read
	}
	for name, steps := range map[string][]step{
		"upgrade": {
			{[]string{c1, annaV1}, c1, annaV1},
			{[]string{c1, c2, annaV1, annaV2}, c2, annaV2},
			{[]string{c2, annaV2}, c2, annaV2},
		},
		"upgrade and back": {
			{[]string{c1, annaV1}, c1, annaV1},
			{[]string{c1, c2, annaV1, annaV2}, c2, annaV2},
			{[]string{c2, annaV2}, c2, annaV2},
			{[]string{c1, annaV1}, c1, annaV1},
			{[]string{c1, c2, annaV1, annaV2}, c2, annaV2},
		},
		"users first": {
			{[]string{c1, annaV1}, c1, annaV1},
			{[]string{c1, annaV1, annaV2}, c1, annaV2},
			{[]string{c1, annaV2}, c1, annaV2},
			{[]string{c2, annaV2}, c2, annaV2},
		},
		"configuration first": {
			{[]string{c1, annaV1}, c1, annaV1},
			{[]string{c1, c2, annaV1}, c2, annaV1},
			{[]string{c2, annaV1}, c2, annaV1},
			{[]string{c2, annaV2}, c2, annaV2},
		},
		"downgrade": {
			{[]string{c2, annaV2}, c2, annaV2},
			{[]string{c2, annaV1}, c2, annaV1},
			{[]string{c1, annaV1}, c1, annaV1},
		},
	} {
		for kind, lay := range map[string]func(d *dir, generation int, files map[string]string){
			"files": func(d *dir, _ int, files map[string]string) {
				for file, content := range files {
					d.write(filepath.Join("etc", file), content)
				}
				for _, file := range []string{c1, c2, annaV1, annaV2} {
					if _, there := files[file]; !there {
						d.remove(filepath.Join("etc", file))
					}
				}
			},
			"volume":                     func(d *dir, generation int, files map[string]string) { d.volume("etc", generation, files) },
			"volume, names not yet made": func(d *dir, generation int, files map[string]string) { d.swap("etc", generation, files) },
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				d := newDir(t)
				var s *Source
				for i, step := range steps {
					content := map[string]string{}
					for _, file := range step.files {
						content[file] = usersFile(user("anna", hashA), user("in-"+file, hashA))
						if file == c1 || file == c2 {
							content[file] = configured("banner: " + file + "\nusersDir: .\n")
						}
					}
					lay(d, i+1, content)
					if s == nil {
						var err error
						if s, err = Open(d.path("etc"), config.Lenient, d.logger()); err != nil {
							t.Fatal(err)
						}
						s.Subscribe(func(_, now *Snapshot) {
							if now.Users["anna"].PasswordHash != hashA {
								t.Errorf("anna is lost for a moment")
							}
						})
					}
					mustReload(t, s)
					now := s.Current()
					at := fmt.Sprintf("step %d: ", i)
					if now.Config.Banner != step.config {
						t.Error(at, "the configuration in force is ", now.Config.Banner)
					}
					if _, ok := now.Users["in-"+step.anna]; !ok || len(now.Users) != 2 {
						t.Error(at, "the users are ", maps.Keys(now.Users))
					}
					for _, file := range []string{step.config, step.anna} {
						if got := status(t, now, file); got.Error != "" || got.Hash != config.Hash([]byte(content[file])) {
							t.Error(at, "status is ", got)
						}
					}
					if len(now.Files) != 1+config.UserShards {
						t.Error(at, "files are ", now.Files)
					}
				}
			})
		}
	}
}

// What is wrong with the higher version keeps what is in force, the lower one
// or not.
func TestAHigherVersionThatIsRefused(t *testing.T) {
	d := newDir(t)
	d.write(config.PreviousFileName, configured("usersDir: .\n"))
	d.write(annaV1, usersFile(user("anna", hashA)))
	s := d.open()
	d.write(annaV2, "users: [")
	err := s.Reload()
	if err == nil || !strings.Contains(err.Error(), annaV2+": ") {
		t.Errorf("Reload = %v", err)
	}
	if s.Current().Users["anna"].PasswordHash != hashA {
		t.Error("anna is gone")
	}
	d.write(annaV2, usersFile(user("anna", hashB)))
	mustReload(t, s)
	if s.Current().Users["anna"].PasswordHash != hashB {
		t.Error("the mended file is not in force")
	}
}

// A conflict names the files that were read.
func TestAConflictBetweenVersions(t *testing.T) {
	d := newDir(t)
	d.write(config.FileName, configured("usersDir: .\n"))
	d.write(annaV1, usersFile(user("anna", hashA)))
	d.write("users-6.v2.yaml", usersFile(user("anna", hashB)))
	s, err := Open(d.root, config.Strict, d.logger())
	if s != nil || err == nil || !strings.Contains(err.Error(), "is also in "+annaV1) {
		t.Errorf("Open = %v", err)
	}
}

// A file that is named is that file, whatever lies beside it.
func TestANamedFileHasNoVersions(t *testing.T) {
	d := newDir(t)
	d.write(config.PreviousFileName, configured("banner: v1\n"))
	d.write(config.FileName, configured("banner: v2\n"))
	s, err := Open(d.path(config.PreviousFileName), config.Strict, d.logger())
	if err != nil || s.Current().Config.Banner != "v1" {
		t.Fatalf("%v", err)
	}
	d.remove(config.PreviousFileName)
	if err := s.Reload(); err == nil || s.Current().Config.Banner != "v1" {
		t.Errorf("Reload = %v", err)
	}
}

// Run sees a version that comes and one that goes.
func TestRunSeesVersions(t *testing.T) {
	d := newDir(t)
	etc := func(name, banner string) map[string]string {
		return map[string]string{name: configured("banner: " + banner + "\nusersDir: ../users\n")}
	}
	users := func(name, hash string) map[string]string {
		return map[string]string{name: usersFile(user("anna", hash))}
	}
	d.volume("etc", 1, etc(config.PreviousFileName, "b1"))
	d.volume("users", 1, users(annaV1, hashA))
	s, err := Open(d.path("etc"), config.Lenient, d.logger())
	if err != nil {
		t.Fatal(err)
	}
	lost := make(chan struct{}, 100)
	s.Subscribe(func(_, now *Snapshot) {
		if _, there := now.Users["anna"]; !there {
			lost <- struct{}{}
		}
	})
	d.run(s)
	for generation := 2; generation < 8; generation++ {
		name, anna := config.FileName, annaV2
		if generation%2 == 1 {
			name, anna = config.PreviousFileName, annaV1
		}
		banner, hash := fmt.Sprintf("b%d", generation), []string{hashA, hashB}[generation%2]
		d.volume("etc", generation, etc(name, banner))
		d.eventuallyBanner(s, banner)
		d.volume("users", generation, users(anna, hash))
		d.eventually("anna of "+anna, func() bool { return s.Current().Users["anna"].PasswordHash == hash })
	}
	if len(lost) > 0 {
		t.Error("anna was lost on the way")
	}
}

// The same content under another name is told under that name, also to a file
// that did not change.
func TestAConflictFollowsTheName(t *testing.T) {
	d := newDir(t)
	d.write(config.FileName, configured("usersDir: .\n"))
	s := d.open()
	d.write("users-6.v2.yaml", usersFile(user("anna", hashB)))
	for _, name := range []string{annaV1, annaV2} {
		d.remove(annaV1)
		d.write(name, usersFile(user("anna", hashA)))
		if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "is also in "+name) {
			t.Errorf("Reload = %v, want %s named", err, name)
		}
	}
}
