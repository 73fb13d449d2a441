package live

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// patience is far above what noticing a change takes, and far below the
// interval of the net, so that only a watch can have told.
const patience = 10 * time.Second

// run runs the source until the test ends.
func (d *dir) run(s *Source) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	d.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			d.t.Errorf("Run = %v", err)
		}
	})
}

// eventually waits until the condition holds.
func (d *dir) eventually(what string, condition func() bool) {
	d.t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			d.t.Fatalf("not within %v: %s; log:\n%s", patience, what, d.log.String())
		}
		time.Sleep(5 * time.Millisecond) // between two looks
	}
}

func (d *dir) eventuallyBanner(s *Source, want string) {
	d.t.Helper()
	d.eventually("banner "+want, func() bool { return s.Current().Config.Banner == want })
}

// volume writes a directory as the kubelet does: the files behind a symlink
// ..data, which is replaced when they change; then the names of those that came
// are made, and of those that went removed.
func (d *dir) volume(name string, generation int, files map[string]string) {
	d.t.Helper()
	d.swap(name, generation, files)
	for file := range files {
		top, _, _ := strings.Cut(file, "/")
		if _, err := os.Lstat(d.path(filepath.Join(name, top))); err != nil {
			d.symlink(filepath.Join("..data", top), filepath.Join(name, top))
		}
	}
	entries, err := os.ReadDir(d.path(name))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range entries {
		if _, err := os.Stat(d.path(filepath.Join(name, e.Name()))); err != nil {
			d.remove(filepath.Join(name, e.Name()))
		}
	}
	d.remove(filepath.Join(name, fmt.Sprintf("..2026_%d", generation-1)))
}

// swap is the first half of what volume does.
func (d *dir) swap(name string, generation int, files map[string]string) {
	d.t.Helper()
	real := fmt.Sprintf("..2026_%d", generation)
	for file, content := range files {
		d.write(filepath.Join(name, real, file), content)
	}
	d.symlink(real, filepath.Join(name, "..data_tmp"))
	if err := os.Rename(d.path(filepath.Join(name, "..data_tmp")), d.path(filepath.Join(name, "..data"))); err != nil {
		d.t.Fatal(err)
	}
}

func (d *dir) symlink(target, name string) {
	d.t.Helper()
	if err := os.Symlink(target, d.path(name)); err != nil {
		d.t.Fatal(err)
	}
}

func TestRunSeesPlainEdits(t *testing.T) {
	edits := map[string]func(d *dir, content string){
		"in place": func(d *dir, content string) { d.write(config.FileName, content) },
		"by rename": func(d *dir, content string) {
			d.write("new", content)
			if err := os.Rename(d.path("new"), d.path(config.FileName)); err != nil {
				d.t.Fatal(err)
			}
		},
		"removed and made again": func(d *dir, content string) {
			d.remove(config.FileName)
			d.write(config.FileName, content)
		},
	}
	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			d := newDir(t)
			d.write(config.FileName, configured("banner: b0\n"))
			s := d.open()
			d.run(s)
			for _, banner := range []string{"b1", "b2", "b3"} {
				edit(d, configured("banner: "+banner+"\n"))
				d.eventuallyBanner(s, banner)
			}
		})
	}
}

// Three volumes as the operator mounts them: configuration, users, certificate.
func TestRunSeesKubernetesVolumes(t *testing.T) {
	d := newDir(t)
	banner := func(b string) map[string]string {
		return map[string]string{config.FileName: configured("banner: " + b + "\nusersDir: ../users\ntls: {certificates: [{certFile: ../tls/tls.crt, keyFile: ../tls/tls.key}]}\n")}
	}
	users := func(hash string) map[string]string {
		return map[string]string{"users-3.v2.yaml": usersFile(user("anna", hash))}
	}
	certificate := func() map[string]string {
		cert := d.issue("issued")
		return map[string]string{"tls.crt": cert, "tls.key": string(d.read("issued.key"))}
	}
	d.volume("config", 1, banner("b1"))
	d.volume("users", 1, users(hashA))
	d.volume("tls", 1, certificate())
	s, err := Open(d.path("config"), config.Lenient, d.logger())
	if err != nil {
		t.Fatal(err)
	}
	d.run(s)

	for generation := 2; generation < 5; generation++ {
		want := fmt.Sprintf("b%d", generation)
		d.volume("config", generation, banner(want))
		d.eventuallyBanner(s, want)

		hash := []string{hashA, hashB}[generation%2]
		before := s.Current()
		if hash == before.Users["anna"].PasswordHash {
			hash = map[string]string{hashA: hashB, hashB: hashA}[hash]
		}
		d.volume("users", generation, users(hash))
		d.eventually("anna's new password", func() bool { return s.Current().Users["anna"].PasswordHash == hash })

		files := certificate()
		d.volume("tls", generation, files)
		d.eventually("the new certificate", func() bool {
			return status(t, s.Current(), "../tls/tls.crt").Hash == config.Hash([]byte(files["tls.crt"]))
		})
	}
}

// All in one projected volume: the directories in it are symlinks themselves.
func TestRunSeesDirectoriesOfAProjectedVolume(t *testing.T) {
	d := newDir(t)
	files := map[string]string{
		config.FileName:         configured("usersDir: users\n"),
		"users/users-3.v2.yaml": usersFile(user("anna", hashA)),
	}
	d.volume("etc", 1, files)
	s, err := Open(d.path("etc"), config.Lenient, d.logger())
	if err != nil {
		t.Fatal(err)
	}
	d.run(s)
	for generation, hash := range []string{hashB, hashA, hashB} {
		next := maps.Clone(files)
		next["users/users-3.v2.yaml"] = usersFile(user("anna", hash))
		d.volume("etc", generation+2, next)
		d.eventually("anna's new password", func() bool { return s.Current().Users["anna"].PasswordHash == hash })
	}
}

// A directory behind a symlink that is replaced, as deployment tools do it.
func TestRunSeesAReplacedSymlink(t *testing.T) {
	d := newDir(t)
	d.write("r1/users-3.v2.yaml", usersFile(user("anna", hashA)))
	d.write("r2/users-3.v2.yaml", usersFile(user("anna", hashB)))
	d.write("etc/"+config.FileName, configured("usersDir: ../deployed/current\n"))
	d.write("deployed/readme", "")
	d.symlink("../r1", "deployed/current")
	s, err := Open(d.path("etc"), config.Strict, d.logger())
	if err != nil {
		t.Fatal(err)
	}
	d.run(s)
	d.write("etc/"+config.FileName, configured("banner: b2\nusersDir: ../deployed/current\n"))
	d.eventuallyBanner(s, "b2") // from here on, it waits for events

	d.symlink("../r2", "deployed/next")
	if err := os.Rename(d.path("deployed/next"), d.path("deployed/current")); err != nil {
		t.Fatal(err)
	}
	d.eventually("anna's new password", func() bool { return s.Current().Users["anna"].PasswordHash == hashB })
}

func TestRunFollowsTheConfigurationToOtherDirectories(t *testing.T) {
	d := newDir(t)
	d.write(config.FileName, configured(""))
	s := d.open()
	d.run(s)
	d.write("users/users-3.v2.yaml", usersFile(user("anna", hashA)))
	d.write(config.FileName, configured("usersDir: users\n"))
	d.eventually("anna", func() bool { return s.Current().Users["anna"].PasswordHash == hashA })
	d.write("users/users-3.v2.yaml", usersFile(user("anna", hashB)))
	d.eventually("anna's new password", func() bool { return s.Current().Users["anna"].PasswordHash == hashB })

	// It vanishes, and another of its name comes.
	d.remove("users")
	d.eventually("the missing directory told", func() bool { return status(t, s.Current(), "users/users-3.v2.yaml").Error != "" })
	d.write("users/users-3.v2.yaml", usersFile(user("anna", hashA)))
	d.eventually("anna's old password", func() bool { return s.Current().Users["anna"].PasswordHash == hashA })
	d.write("users/users-3.v2.yaml", usersFile(user("anna", hashB)))
	d.eventually("anna's new password again", func() bool { return s.Current().Users["anna"].PasswordHash == hashB })
}

// What changes between the first load and the first watch is not lost.
func TestRunReadsWhatItDidNotSee(t *testing.T) {
	d := newDir(t)
	d.write(config.FileName, configured("banner: old\n"))
	s := d.open()
	d.write(config.FileName, configured("banner: new\n"))
	d.run(s)
	d.eventuallyBanner(s, "new")
}
