package clients

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"path"
	"strings"
	"time"
)

// transfer begins a transfer up to the open data connection.
func (w *soakWorker) transfer(command string) (*soakData, net.Conn, error) {
	d, err := w.wire.data(soakModes[w.rng.IntN(len(soakModes))])
	if err != nil {
		if d != nil {
			d.close()
		}
		return nil, nil, err
	}
	if _, err := w.wire.do(command, 150); err != nil {
		d.close()
		return nil, nil, err
	}
	c, err := d.open()
	if err != nil {
		d.close()
		return nil, nil, err
	}
	return d, c, nil
}

// put sends data with a command and waits for the server's word.
func (w *soakWorker) put(ctx context.Context, command string, data []byte) error {
	d, c, err := w.transfer(command)
	if err != nil {
		return err
	}
	defer d.close()
	to, finish := d.writer(c)
	if w.rng.IntN(8) == 0 { // a stall in the middle
		if _, err := to.Write(data[:len(data)/2]); err != nil {
			return err
		}
		w.count("stalls", 1)
		w.pause(ctx, time.Second)
		data = data[len(data)/2:]
	}
	if _, err := to.Write(data); err != nil {
		return err
	}
	if err := finish(); err != nil {
		return err
	}
	d.end()
	if _, _, err := w.wire.expect(command, 226); err != nil {
		return err
	}
	w.count("uploads", 1)
	w.count("bytes up", d.moved)
	return nil
}

// get fetches what a command sends.
func (w *soakWorker) get(ctx context.Context, command string) ([]byte, error) {
	d, c, err := w.transfer(command)
	if err != nil {
		return nil, err
	}
	defer d.close()
	if w.rng.IntN(8) == 0 {
		w.count("stalls", 1)
		w.pause(ctx, time.Second)
	}
	data, err := d.readAll(c)
	if err != nil {
		return nil, err
	}
	d.end()
	_, _, err = w.wire.expect(command, 226)
	return data, err
}

// upload is put of what a file then holds, with a note of what came of it.
func (w *soakWorker) upload(ctx context.Context, command string, f *soakFile, sent, becomes soakContent) error {
	err := w.put(ctx, command, sent.bytes())
	if err != nil {
		w.count("uploads in doubt", 1)
		f.maybe(becomes)
		return err
	}
	f.is(becomes)
	return nil
}

func (w *soakWorker) store(ctx context.Context) error {
	name, f := w.file()
	c := w.content()
	return w.upload(ctx, "STOR "+name, f, c, c)
}

func (w *soakWorker) appendTo(ctx context.Context) error {
	name, f := w.file()
	old, ok := f.known()
	if !ok || f.partial || old.size() > 4<<20 {
		return nil
	}
	c := w.content()
	return w.upload(ctx, "APPE "+name, f, c, old.then(c))
}

// restart goes on with a file from somewhere in it.
func (w *soakWorker) restart(ctx context.Context) error {
	name, f := w.file()
	old, ok := f.known()
	if !ok || f.partial || old.size() < 2 {
		return nil
	}
	offset := 1 + w.rng.IntN(old.size()-1)
	if _, err := w.wire.do(fmt.Sprintf("REST %d", offset), 350); err != nil {
		return err
	}
	c := w.content()
	return w.upload(ctx, "STOR "+name, f, c, old.first(offset).then(c))
}

func (w *soakWorker) retrieve(ctx context.Context) error {
	name, f := w.file()
	if f.gone() {
		_, err := w.refusal("RETR "+name, 550)
		return err
	}
	data, err := w.get(ctx, "RETR "+name)
	if err != nil {
		if reply := asReply(err); reply == 550 { // it is known now that there is none
			return f.saw(name, nil)
		}
		w.count("downloads in doubt", 1)
		return err
	}
	w.count("downloads", 1)
	if !w.wire.packed {
		w.count("bytes down", int64(len(data)))
	}
	return f.saw(name, data)
}

func (w *soakWorker) fromOffset(ctx context.Context) error {
	name, f := w.file()
	c, ok := f.known()
	if !ok || c.size() == 0 {
		return nil
	}
	offset := w.rng.IntN(c.size())
	if _, err := w.wire.do(fmt.Sprintf("REST %d", offset), 350); err != nil {
		return err
	}
	data, err := w.get(ctx, "RETR "+name)
	if err != nil {
		w.count("downloads in doubt", 1)
		return err
	}
	w.count("downloads", 1)
	if !bytes.Equal(data, c.bytes()[offset:]) {
		return fmt.Errorf("%s from %d on: %d bytes that are not the file's", name, offset, len(data))
	}
	return nil
}

// list asks for the worker's directory: what is in it must be in the listing.
func (w *soakWorker) list(ctx context.Context) error {
	verb := []string{"LIST", "NLST", "MLSD"}[w.rng.IntN(3)]
	data, err := w.get(ctx, verb+" "+w.dir)
	if err != nil {
		return err
	}
	w.count("listings", 1)
	for name, f := range w.files {
		c, known := f.known()
		if !known {
			continue
		}
		var line string
		for l := range strings.Lines(string(data)) {
			if strings.HasSuffix(strings.TrimSuffix(l, "\r\n"), path.Base(name)) {
				line = l
			}
		}
		size := fmt.Sprintf("size=%d;", c.size())
		if line == "" || verb == "MLSD" && !strings.Contains(strings.ToLower(line), size) {
			return fmt.Errorf("%s of %s: no line of %s with %s: %q", verb, w.dir, name, size, data)
		}
	}
	return nil
}

func (w *soakWorker) hash(context.Context) error {
	name, f := w.file()
	c, ok := f.known()
	if !ok {
		return nil
	}
	text, err := w.wire.do("HASH "+name, 213)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(c.bytes())
	if !strings.Contains(text, hex.EncodeToString(sum[:])) {
		return fmt.Errorf("HASH %s: %s", name, text)
	}
	return nil
}

func (w *soakWorker) facts(context.Context) error {
	name, f := w.file()
	c, ok := f.known()
	if !ok {
		return nil
	}
	text, err := w.wire.do("SIZE "+name, 213)
	if err == nil && text != fmt.Sprintf("213 %d", c.size()) {
		return fmt.Errorf("SIZE %s: %s, want %d", name, text, c.size())
	}
	if err == nil {
		_, err = w.wire.do("MLST "+name, 250)
	}
	if err == nil {
		_, err = w.wire.do("MDTM "+name, 213)
	}
	return err
}

func (w *soakWorker) rename(context.Context) error {
	from, f := w.file()
	to, other := w.file()
	if _, ok := f.known(); !ok || from == to || f.partial || other.partial {
		return nil
	}
	if _, err := w.wire.do("RNFR "+from, 350); err != nil {
		return err
	}
	if _, err := w.wire.do("RNTO "+to, 250); err != nil {
		other.may, f.may = append(other.may, f.may...), append(f.may, nil)
		return err
	}
	w.files[to], w.files[from] = f, &soakFile{may: []soakContent{nil}}
	return nil
}

func (w *soakWorker) directories(context.Context) error {
	name := fmt.Sprintf("%s/dir %d", w.dir, w.rng.Uint32())
	for _, step := range []struct {
		line string
		code int
	}{{"MKD " + name, 257}, {"CWD " + name, 250}, {"PWD", 257}, {"CDUP", 250}, {"RMD " + name, 250}} {
		if _, err := w.wire.do(step.line, step.code); err != nil {
			return err
		}
	}
	return nil
}

func (w *soakWorker) remove(context.Context) error {
	name, f := w.file()
	if _, ok := f.known(); !ok {
		return nil
	}
	if _, err := w.wire.do("DELE "+name, 250); err != nil {
		f.maybe(nil)
		return err
	}
	f.is(nil)
	return nil
}

func (w *soakWorker) idle(ctx context.Context) error {
	for _, line := range []string{"NOOP", "SYST", "FEAT", "STAT", "HELP"} {
		if _, err := w.wire.do(line, 200, 211, 214, 215); err != nil {
			return err
		}
	}
	w.pause(ctx, 300*time.Millisecond)
	return nil
}

func (w *soakWorker) mode(context.Context) error {
	w.wire.packed = !w.wire.packed
	line := "MODE S"
	if w.wire.packed {
		line = "MODE Z"
	}
	_, err := w.wire.do(line, 200)
	return err
}

// refused asks for what the server does not do, with a data connection waiting.
func (w *soakWorker) refused(context.Context) error {
	for _, step := range []struct {
		line string
		code int
	}{
		{"STOR " + w.dir + "/missing/file", 550}, {"STOR " + w.dir + "/.ftpserver-mine", 553},
		{"STOR " + w.dir, 550}, {"RETR " + w.dir + "/missing", 550}, {"LIST " + w.dir + "/missing", 550},
	} {
		if w.rng.IntN(3) > 0 {
			continue
		}
		d, err := w.wire.data(soakModes[w.rng.IntN(len(soakModes))])
		if err == nil {
			w.count("refused transfers", 1)
			_, err = w.refusal(step.line, step.code)
		}
		if d != nil {
			d.close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refusal sends what must be refused.
func (w *soakWorker) refusal(line string, code int) (string, error) {
	if strings.HasPrefix(line, "RETR") && w.rng.IntN(2) == 0 {
		if _, err := w.wire.passive("EPSV"); err != nil {
			return "", err
		}
		return w.wire.do(line, code)
	}
	return w.wire.do(line, code, 425) // without a data connection
}
