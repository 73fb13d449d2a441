package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// longest is how long a client may be at one piece of work, with all its tries.
const longest = 5 * time.Minute

// pile is what a client of the crowd transfers: some of it slowly.
type pile struct {
	quick       []piece // from nothing to 4 MiB
	slow, large piece   // large is for some only
	rng         *rand.Rand
	names       int // how many were given; the oldest are used again
}

// piece is a local file.
type piece struct {
	path, sum string
	size      int
	rate      int // bytes per second; 0: as fast as it goes
}

// many is how many remote files a client has; it then overwrites its first.
const many = 16

// slowRate is that of transfers that must last, in bytes per second.
func slowRate() int {
	if full {
		return 256 << 10 // of 2 MiB: eight seconds
	}
	return 512 << 10
}

// newPile makes the files of client number n. Every fourth has one of 32 MiB.
func newPile(t *testing.T, n int) *pile {
	t.Helper()
	p := &pile{rng: rand.New(rand.NewPCG(1, uint64(n)))}
	dir := t.TempDir()
	file := func(size, rate int) piece {
		content := make([]byte, size)
		_, _ = io.ReadFull(seeded(n, size), content)
		f := piece{path: filepath.Join(dir, fmt.Sprint(size)), size: size, rate: rate, sum: hexSum(content)}
		must(t, os.WriteFile(f.path, content, 0o600))
		return f
	}
	for _, size := range []int{0, 1, 1000, 64 << 10, 1<<20 + 1, 4 << 20} {
		p.quick = append(p.quick, file(size, 0))
	}
	p.slow = file(2<<20, slowRate())
	if n%4 == 0 {
		p.large = file(32<<20, 0)
	}
	return p
}

// seeded is noise, another for each client and each of its files.
func seeded(client, file int) io.Reader {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], uint64(client))
	binary.BigEndian.PutUint64(seed[8:], uint64(file))
	return rand.NewChaCha8(seed)
}

func hexSum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// next is what to transfer next: slowly every third time, the large one rarely.
func (p *pile) next() piece {
	p.names++
	switch {
	case p.names%3 == 0:
		return p.slow
	case p.large.path != "" && p.names%many == 1:
		return p.large
	}
	return p.quick[p.rng.IntN(len(p.quick))]
}

// holding is the piece with that content.
func (p *pile) holding(sum string) piece {
	all := append([]piece{p.slow, p.large}, p.quick...)
	return all[slices.IndexFunc(all, func(f piece) bool { return f.sum == sum })]
}

func (p *pile) name() string { return fmt.Sprintf("f%02d", p.names%many) }

// think is a short time, as between two things that somebody does.
func (p *pile) think() time.Duration { return time.Duration(p.rng.IntN(500)) * time.Millisecond }

// program is a real client of the crowd. Each run of it connects, transfers some
// files and quits.
type program struct {
	who   string
	crowd *crowd
	conn  ftpclient.Connection
	home  string // of its user, on the volume
	dir   string // its own, in the home
	pile  *pile
	batch int // transfers in one run
	local string
}

// task is one operation, and what its content is.
type task struct {
	op    ftpclient.Operation
	piece piece
}

// work transfers until the crowd is told to stop.
func (p *program) work() error {
	for !p.crowd.stopped() {
		if err := p.carryOut(p.tasks()); err != nil {
			return err
		}
		p.crowd.rest(p.pile.think())
	}
	return nil
}

// tasks are uploads, and sometimes the download of what is there already.
func (p *program) tasks() (out []task) {
	for range p.batch {
		f := p.pile.next()
		out = append(out, task{ftpclient.Operation{Kind: ftpclient.Upload, Local: f.path, Remote: p.dir + "/" + p.pile.name(), Rate: f.rate}, f})
	}
	back := p.dir + "/f01" // every client has begun with that
	if sum := p.crowd.sumOf(p.home + back); sum != "" && p.pile.rng.IntN(2) == 0 {
		f := p.pile.holding(sum)
		out[0] = task{ftpclient.Operation{Kind: ftpclient.Download, Local: p.local, Remote: back, Rate: f.rate}, f}
	}
	return out
}

// carryOut runs the client until each task was acknowledged. What was is not
// repeated: if it gets lost, it stays lost.
func (p *program) carryOut(tasks []task) error {
	for start := time.Now(); ; {
		_ = os.Remove(p.local)
		began := time.Now()
		replies, err := p.run(tasks)
		d := readDialogue(replies)
		if err == nil && d.completed != len(tasks) {
			return fmt.Errorf("it ended well with %d of %d transfers acknowledged: %v", d.completed, len(tasks), replies)
		}
		for _, done := range tasks[:d.completed] {
			if err := p.note(done, err == nil); err != nil {
				return err
			}
		}
		for _, port := range d.cut {
			p.crowd.happened(incident{p.who, cut, began, time.Now(), p.crowd.slotOf(port), fmt.Sprint("it went on by itself: ", replies)})
		}
		tasks = tasks[d.completed:]
		if err == nil {
			p.crowd.count("421 within a run that went on by itself", int64(d.overcome))
			return nil
		}
		p.crowd.happened(p.incident(began, d, err))
		if len(tasks) == 0 {
			return nil
		}
		if err := p.crowd.retry(start, err, p.pile.think()); err != nil {
			return err
		}
	}
}

func (p *program) run(tasks []task) ([]ftpclient.Reply, error) {
	ctx, cancel := context.WithTimeout(p.crowd.ctx, longest)
	defer cancel()
	var ops []ftpclient.Operation
	for _, t := range tasks {
		ops = append(ops, t.op)
	}
	running, err := p.conn.Start(ctx, ops...)
	if err != nil {
		return nil, err
	}
	_, err = running.Wait()
	return running.Replies(), err
}

// note takes note of a task that was acknowledged. What was downloaded is looked
// at if the client ended well too.
func (p *program) note(t task, well bool) error {
	if t.op.Kind == ftpclient.Upload {
		p.crowd.acknowledged(p.home+t.op.Remote, t.piece.sum, int64(t.piece.size))
		return nil
	}
	p.crowd.count("downloads", 1)
	if !well {
		return nil
	}
	content, err := os.ReadFile(t.op.Local)
	if err == nil && hexSum(content) != t.piece.sum {
		err = fmt.Errorf("%s came back with another content: %d bytes, want %d", t.op.Remote, len(content), t.piece.size)
	}
	return err
}

// incident tells how a run ended that did not end well.
func (p *program) incident(began time.Time, d dialogue, err error) incident {
	i := incident{who: p.who, fate: unreached, began: began, ended: time.Now(), slot: p.crowd.slotOf(d.port), why: lastLines(err)}
	switch {
	case d.port != 0:
		i.fate = cut
	case d.last == 421:
		i.fate = turnedAway
	case d.last == 425:
		i.fate = busy
	}
	return i
}

// lastLines are the end of what a client said, for a log.
func lastLines(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return strings.Join(lines[max(0, len(lines)-6):], " | ")
}
