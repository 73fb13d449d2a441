package ftp

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

// packedData is a data connection that gives what a client has sent.
type packedData struct {
	dataConn
	in    io.Reader
	piece int
}

func (d *packedData) Read(p []byte) (int, error)      { return d.in.Read(p[:min(len(p), d.piece)]) }
func (*packedData) SetReadDeadline(_ time.Time) error { return nil }

// FuzzInflate: an upload is taken when it is one whole stream and nothing else,
// and is then what the stream holds; what is taken of any other is what could be
// unpacked of it.
func FuzzInflate(f *testing.F) {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err := io.WriteString(w, "Hello, hello, hello, world")
	if err := errors.Join(err, w.Close()); err != nil {
		f.Fatal(err)
	}
	whole := b.Bytes()
	for _, seed := range [][]byte{nil, whole, whole[:1], whole[:len(whole)-1], append(bytes.Clone(whole), 'x'), append(bytes.Clone(whole), whole...), []byte("plain"), {0x78, 0xbb, 1, 2, 3, 4}} {
		f.Add(seed, 1)
		f.Add(seed, 1000)
	}
	f.Fuzz(func(t *testing.T, sent []byte, piece int) {
		if len(sent) > 4096 || piece < 1 {
			return // which could hold 4 MiB
		}
		rest := bytes.NewReader(sent)
		var want []byte
		z, wantErr := zlib.NewReader(rest)
		if wantErr == nil {
			want, wantErr = io.ReadAll(z)
		}
		if wantErr == nil && rest.Len() > 0 {
			wantErr = errDamaged
		}
		tr := &transfer{ctx: context.Background(), count: func(string, int64) {}}
		var got bytes.Buffer
		err := tr.inflate(&packedData{in: bytes.NewReader(sent), piece: piece}, &got, time.Minute)
		if (err == nil) != (wantErr == nil) || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%d bytes, %v; want %d, %v", got.Len(), err, len(want), wantErr)
		}
		if err != nil && !errors.Is(err, errDamaged) && !errors.Is(err, errTruncated) {
			t.Errorf("the client would be told of %v", err)
		}
		if tr.plain != int64(len(want)) {
			t.Errorf("%d bytes are counted of %d", tr.plain, len(want))
		}
	})
}
