package vfs

import (
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestTheAccountIsWhatThereIs: whatever users of a home do, in whatever order, and
// however it ends, what is accounted is what a walk through the home finds.
func TestTheAccountIsWhatThereIs(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := newPlay(t, rand.New(rand.NewPCG(seed, 1)))
			for range 120 {
				p.step()
			}
			p.end()
		})
	}
}

// play is a random course of what users of one home do.
type play struct {
	t       *testing.T
	rand    *rand.Rand
	disk    *disk
	users   []*FS
	uploads []*Upload
	done    []string
}

func newPlay(t *testing.T, r *rand.Rand) *play {
	d := newDisk(t)
	d.write("old/file", "12345")
	d.symlink("old", "link")
	p := &play{t: t, rand: r, disk: d}
	for i, name := range []string{"a", "a", "b"} {
		f := d.player(name)
		if i == 0 {
			f.account.counted()
		}
		p.users = append(p.users, f)
	}
	return p
}

func (d *disk) player(name string) *FS {
	d.t.Helper()
	f, err := d.store.FS(config.User{
		Name: name, Home: "/home", Role: config.RoleReadWrite, Quota: config.Quota{Bytes: 150, Files: 15},
		Paths: []config.PathRule{{Path: "/direct", Role: config.RoleReadWrite, Uploads: config.UploadsDirect}},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = f.Close() })
	return f
}

// name draws a path. There are few, so that they meet.
func (p *play) name() string {
	dirs := []string{"/", "/old", "/link", "/direct", "/new", "/old/new", "/direct/new"}
	return path.Join(dirs[p.rand.IntN(len(dirs))], []string{"x", "y", "file", "new"}[p.rand.IntN(4)])
}

func (p *play) step() {
	if did, err := p.act(); did != "" {
		p.done = append(p.done, fmt.Sprint(did, ": ", err))
		p.agree()
	}
}

func (p *play) act() (did string, err error) {
	f := p.users[p.rand.IntN(len(p.users))]
	a, b, c := p.name(), p.name(), p.name()
	switch p.rand.IntN(14) {
	case 0, 1, 2, 3:
		did, err = p.begin(f, a)
	case 4, 5, 6, 7, 8, 9:
		did, err = p.goOn()
	case 10:
		did, err = "RNTO "+a+" "+b, f.Rename(a, b)
	case 11:
		did, err = "DELE "+a, f.Remove(a)
	case 12:
		switch p.rand.IntN(3) {
		case 0:
			did, err = "MKD "+a, f.Mkdir(a)
		case 1:
			did, err = "RMD "+a, f.Rmdir(a)
		default:
			dir := path.Dir(a)
			did, err = "RMD "+dir, f.Rmdir(dir)
		}
	default:
		did = "COMB " + a + " " + b + " " + c
		_, _, err = f.Combine(p.t.Context(), a, []string{b, c}, nil)
	}
	return did, err
}

func (p *play) begin(f *FS, name string) (did string, err error) {
	if len(p.uploads) == 4 {
		return "", nil
	}
	var u *Upload
	switch p.rand.IntN(4) {
	case 0:
		did = "STOR " + name
		u, err = f.Create(name, CreateTruncate, 0)
	case 1:
		offset := p.rand.Int64N(30)
		did = fmt.Sprintf("REST %d STOR %s", offset, name)
		u, err = f.Create(name, CreateAt, offset)
	case 2:
		did = "APPE " + name
		u, err = f.Create(name, CreateAppend, 0)
	default:
		did = "STOU " + name
		u, err = f.CreateUnique(name)
	}
	if err == nil {
		p.uploads = append(p.uploads, u)
	}
	return did, err
}

// goOn has an upload go on, or end.
func (p *play) goOn() (did string, err error) {
	if len(p.uploads) == 0 {
		return "", nil
	}
	i := p.rand.IntN(len(p.uploads))
	u := p.uploads[i]
	did = "upload of " + u.Name() + ": "
	how := p.rand.IntN(10)
	if !u.prepared && how < 7 {
		if err = u.Prepare(p.t.Context()); err == nil {
			return did + "prepare", nil
		}
		how = 8 // as its caller must
	}
	if how < 4 {
		n := p.rand.IntN(40)
		if err = u.Add(int64(n)); err == nil {
			_, err = io.WriteString(u.File(), strings.Repeat("x", n))
			return fmt.Sprintf("%s%d bytes", did, n), err
		}
		how = 9
	}
	p.uploads = append(p.uploads[:i], p.uploads[i+1:]...)
	switch {
	case how < 7:
		_, err = u.Commit()
		return did + "commit", err
	case how < 9:
		return fmt.Sprint(did, "interrupt after ", err), u.Interrupt()
	}
	return fmt.Sprint(did, "discard after ", err), u.Discard()
}

// end ends all that is under way.
func (p *play) end() {
	for len(p.uploads) > 0 {
		did, err := p.goOn()
		p.done = append(p.done, fmt.Sprint(did, ": ", err))
		p.agree()
	}
}

// agree: what is at rest in the account is what a walk finds, and nothing moves
// that no upload has.
func (p *play) agree() {
	p.t.Helper()
	a := p.users[0].account
	found := p.disk.counted(p.users[0])
	a.mu.Lock()
	rest, moving := a.rest, a.moving
	a.mu.Unlock()
	var held tally
	for _, u := range p.uploads {
		held = held.plus(u.charged)
	}
	if rest != found || moving != held {
		p.t.Fatalf("accounted %+v, there is %+v; moving %+v, uploads hold %+v, after\n%s",
			rest, found, moving, held, strings.Join(p.done, "\n"))
	}
}

// TestTheAccountUnderARace: the same with all users at once. A course that takes so
// long that there is a count is no proof, as that may give too much.
func TestTheAccountUnderARace(t *testing.T) {
	for seed := range uint64(20) {
		d := newDisk(t)
		d.write("old/file", "12345")
		d.symlink("old", "link")
		var all sync.WaitGroup
		var first *FS
		var counted time.Time
		for i := range uint64(8) {
			p := &play{t: t, rand: rand.New(rand.NewPCG(seed, i)), disk: d, users: []*FS{d.player(string("ab"[i%2]))}}
			if i == 0 {
				first = p.users[0]
				first.account.counted()
				counted = first.account.ended
			}
			all.Go(func() {
				for range 60 {
					_, _ = p.act()
				}
				for len(p.uploads) > 0 {
					_, _ = p.goOn()
				}
			})
		}
		all.Wait()
		first.account.mu.Lock()
		rest, moving, exact := first.account.rest, first.account.moving, first.account.ended.Equal(counted) && first.account.running == nil
		first.account.mu.Unlock()
		if !exact {
			continue
		}
		if found := d.counted(first); rest != found || moving != (tally{}) {
			t.Fatalf("%d: accounted %+v, moving %+v, there is %+v", seed, rest, moving, found)
		}
	}
}
