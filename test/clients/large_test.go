package clients

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// TestLargeFile: 1 GiB up and down with every client. It takes minutes, so it
// runs only with FTP_TEST_FULL=1.
func TestLargeFile(t *testing.T) {
	if os.Getenv("FTP_TEST_FULL") != "1" {
		t.Skip("set FTP_TEST_FULL=1 to move a large file with every client")
	}
	const length = 1 << 30
	all := combinations([]ftpclient.TLS{ftpclient.TLSNone, ftpclient.TLS13}, []ftpclient.Mode{ftpclient.EPSV})
	local := randomFile(t, length)
	back := filepath.Join(t.TempDir(), "back")
	s := newServer(t, config.TLSOptional, nil)
	s.start()
	for _, one := range all {
		t.Run(one.user(), func(t *testing.T) {
			target := s.target()
			target.TLS, target.Mode = one.tls, one.mode
			client := ftpclient.Connection{Client: one.client, Target: target}
			up := timed(func() { must(t, client.Upload(soon(t), local, "/large")) })
			sameContent(t, s.home("alice", "large"), local)
			down := timed(func() { must(t, client.Download(soon(t), "/large", back)) })
			sameContent(t, back, local)
			t.Logf("upload %.0f MiB/s, download %.0f MiB/s", float64(length>>20)/up.Seconds(), float64(length>>20)/down.Seconds())
			must(t, os.Remove(back))
		})
	}
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}
