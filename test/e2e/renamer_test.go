package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
)

// renameAtOnce is how soon after its 226 a client that renames at once has asked
// for it, however slow the machine is: less than what the server waits for.
const renameAtOnce = time.Second

// renamer is a client of the crowd that uploads under a name for the time being
// and renames then, on one control connection as long as that lasts.
type renamer struct {
	who            string
	number         int
	crowd          *crowd
	door           door
	user, password string
	home, dir      string
	pile           *pile

	session *session
	files   int
}

// step is something that a renamer failed at.
type step struct {
	port int  // of the last transfer; 0: there was none
	cut  bool // something was in progress, or had to be waited for
	err  error
}

func (s *step) Error() string { return s.err.Error() }
func (s *step) Unwrap() error { return s.err }

// work uploads and renames until the crowd is told to stop. At times it looks at
// what was acknowledged.
func (r *renamer) work() error {
	defer r.hangUp()
	for !r.crowd.stopped() {
		r.files++
		f := r.pile.next()
		name := r.dir + "/" + r.pile.name()
		if err := r.bring(f, name); err != nil {
			return err
		}
		if r.pile.rng.IntN(3) == 0 {
			if err := r.fetch(name); err != nil {
				return err
			}
		}
		r.crowd.rest(r.pile.think())
	}
	return nil
}

// bring repeats one file until it has its name.
func (r *renamer) bring(f piece, name string) error {
	for start := time.Now(); ; {
		began := time.Now()
		failed := r.try(f, name)
		if failed == nil {
			return nil
		}
		r.hangUp()
		r.crowd.happened(r.incident(began, failed))
		if err := r.crowd.retry(start, failed, r.pile.think()); err != nil {
			return err
		}
	}
}

func (r *renamer) try(f piece, name string) *step {
	if r.session == nil {
		var err error
		if r.session, err = r.door.own().login(r.user, r.password); err != nil {
			return &step{err: err}
		}
		if err := r.session.do("TYPE I").is(200); err != nil {
			return &step{err: err}
		}
	}
	sum := sha256.New()
	content := io.TeeReader(io.LimitReader(seeded(r.number, r.files), int64(f.size)), sum)
	port, err := r.transfer("STOR "+name+".part", put(paced(content, f.rate)))
	if err != nil {
		return &step{port, port != 0, err}
	}
	if failed := r.rename(name+".part", name); failed != nil {
		failed.port = port
		return failed
	}
	r.crowd.acknowledged(r.home+name, hex.EncodeToString(sum.Sum(nil)), int64(f.size))
	return nil
}

// rename gives the file that was just uploaded its name. A server that is about
// to end waits for it.
func (r *renamer) rename(from, to string) *step {
	acknowledged := time.Now()
	err := r.session.do("RNFR " + from).is(350)
	if err == nil {
		err = r.session.do("RNTO " + to).is(250)
	}
	if err == nil {
		return nil
	}
	return &step{cut: time.Since(acknowledged) < renameAtOnce, err: err}
}

// fetch looks at what was acknowledged. It is not repeated.
func (r *renamer) fetch(name string) error {
	began, sum := time.Now(), sha256.New()
	port, err := r.transfer("RETR "+name, func(data *tls.Conn) error {
		_, err := io.Copy(sum, data)
		return err
	})
	if err != nil {
		r.hangUp()
		r.crowd.happened(r.incident(began, &step{port, port != 0, err}))
		return nil
	}
	r.crowd.count("downloads", 1)
	if hex.EncodeToString(sum.Sum(nil)) != r.crowd.sumOf(r.home+name) {
		return fmt.Errorf("%s came back with another content", name)
	}
	return nil
}

// transfer bounds how long a transfer may take.
func (r *renamer) transfer(command string, move func(*tls.Conn) error) (port int, err error) {
	_, port, err = r.session.exchange("EPSV", command, func(data *tls.Conn) error {
		_ = data.SetDeadline(time.Now().Add(longest))
		return move(data)
	})
	return port, err
}

func (r *renamer) hangUp() {
	if r.session != nil {
		r.session.close()
		r.session = nil
	}
}

func (r *renamer) incident(began time.Time, failed *step) incident {
	i := incident{who: r.who, fate: unreached, began: began, ended: time.Now(), slot: r.crowd.slotOf(failed.port), why: failed.Error()}
	var reply *unwanted
	switch known := errors.As(failed.err, &reply); {
	case failed.cut:
		i.fate = cut
	case known && reply.code == 421:
		i.fate = turnedAway
	case known && reply.code == 425:
		i.fate = busy
	}
	return i
}

// own is a door for one session, which shares its TLS sessions with no other.
func (d door) own() door {
	d.tls = d.tls.Clone()
	d.tls.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	return d
}

// paced gives what r has, at so many bytes per second. 0: as fast as it comes.
func paced(r io.Reader, rate int) io.Reader {
	if rate == 0 {
		return r
	}
	return &pacer{r: r, rate: rate, start: time.Now()}
}

type pacer struct {
	r     io.Reader
	rate  int
	start time.Time
	n     int
}

func (p *pacer) Read(b []byte) (int, error) {
	due := p.start.Add(time.Duration(p.n) * time.Second / time.Duration(p.rate))
	time.Sleep(time.Until(due)) // the pace is what is asked for
	n, err := p.r.Read(b[:min(len(b), 16<<10)])
	p.n += n
	return n, err
}
