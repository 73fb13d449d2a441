package ftp

import "github.com/ftp-operator/ftp-operator/ftpserver/vfs"

// metered writes into an upload's file what its user's quota has room for.
type metered struct{ upload *vfs.Upload }

func (m *metered) Write(p []byte) (int, error) {
	if err := m.upload.Add(int64(len(p))); err != nil {
		return 0, err
	}
	return m.upload.File().Write(p)
}

// promptWriter holds nothing back that is whole: others watch the file while it
// grows.
type promptWriter struct{ *asciiWriter }

func (w promptWriter) Write(p []byte) (int, error) {
	n, err := w.asciiWriter.Write(p)
	if err == nil {
		err = w.out.Flush()
	}
	return n, err
}
