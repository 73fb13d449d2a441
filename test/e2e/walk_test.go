package e2e

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// TestFirstWalk: apply a server and a user, and move a file from outside the
// cluster over FTPS, verified against the published CA. It says how long the
// way from apply to the first transferred byte took.
func TestFirstWalk(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	start := time.Now()
	create(t, server, user)
	ready(t, server)
	ready(t, user)
	c := connection(t, ftpclient.Curl{}, server, user)
	c.Target.Mode = ftpclient.PASV
	local := randomFile(t, 1)
	reached(t, c)
	must(t, c.Upload(soon(t), local, "/first"))
	t.Logf("From apply to the first transferred byte: %s", time.Since(start).Round(time.Millisecond))

	local = randomFile(t, 5<<20+3)
	must(t, c.Upload(soon(t), local, "/report.pdf"))
	holds(t, c, "/report.pdf", local)

	if got := server.Status.Users; got != 1 {
		t.Errorf("status.users is %d, want 1", got)
	}
	if got := server.Status.Replicas; got != 1 {
		t.Errorf("status.replicas is %d, want 1", got)
	}
	pod := pods(t, server)[0]
	if len(pod.Spec.Containers[0].Env) > 0 || pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
		t.Error("The pod has an environment or a token")
	}
}

// TestDailyWork: every client, over every protection and passive mode, does a
// day's work through the Service.
func TestDailyWork(t *testing.T) {
	t.Parallel()
	server, user := serving(t, func(s *v1alpha1.FTPServer) { s.Spec.TLS.Mode = v1alpha1.TLSOptional })
	for _, client := range ftpclient.All() {
		for _, tls := range []ftpclient.TLS{ftpclient.TLSNone, ftpclient.TLS12, ftpclient.TLS13} {
			for _, mode := range []ftpclient.Mode{ftpclient.PASV, ftpclient.EPSV} {
				t.Run(fmt.Sprintf("%s/%s/%s", client.Name(), tls, mode), func(t *testing.T) {
					c := connection(t, client, server, user)
					c.Target.TLS, c.Target.Mode = tls, mode
					dailyWork(t, c, fmt.Sprintf("/%s-%s-%s", client.Name(), tls, mode))
				})
			}
		}
	}
}

func dailyWork(t *testing.T, c ftpclient.Connection, dir string) {
	local, empty := randomFile(t, 3<<20+1), randomFile(t, 0)
	must(t, c.Mkdir(soon(t), dir))
	for _, name := range []string{"plain.bin", "two words", "Überraschung 日本語", `quo"te"d`} {
		must(t, c.Upload(soon(t), local, dir+"/"+name))
		holds(t, c, dir+"/"+name, local)
	}
	must(t, c.Upload(soon(t), empty, dir+"/empty"))
	must(t, c.Rename(soon(t), dir+"/plain.bin", dir+"/renamed.bin"))
	must(t, c.Delete(soon(t), dir+"/two words"))

	half := filepath.Join(t.TempDir(), "half")
	must(t, os.WriteFile(half, read(t, local)[:1<<20], 0o600))
	must(t, c.ResumeDownload(soon(t), dir+"/renamed.bin", half))
	same(t, local, half)
	interruptUpload(t, c, local, dir+"/resumed.bin")
	must(t, c.ResumeUpload(soon(t), local, dir+"/resumed.bin"))
	holds(t, c, dir+"/resumed.bin", local)

	names, err := c.List(soon(t), dir)
	must(t, err)
	for i, n := range names {
		names[i] = strings.TrimSuffix(filepath.Base(n), "/")
	}
	slices.Sort(names)
	want := []string{"empty", `quo"te"d`, "renamed.bin", "resumed.bin", "Überraschung 日本語"}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("The directory holds %q, want %q", names, want)
	}
}

// holds downloads a file and compares it. The local name is a new one: lftp
// overwrites nothing.
func holds(t *testing.T, c ftpclient.Connection, remote, want string) {
	t.Helper()
	back := filepath.Join(t.TempDir(), "back")
	must(t, c.Download(soon(t), remote, back))
	same(t, want, back)
}

// interruptUpload kills a client in the middle of an upload.
func interruptUpload(t *testing.T, c ftpclient.Connection, local, remote string) {
	t.Helper()
	p, err := c.Start(soon(t), ftpclient.Operation{Kind: ftpclient.Upload, Local: local, Remote: remote, Rate: 1 << 20})
	must(t, err)
	timer := time.NewTimer(1200 * time.Millisecond) // at 1 MiB/s, about a third has gone
	<-timer.C
	must(t, p.Kill())
	_, _ = p.Wait()
}

// TestServiceTypes: the address in PASV is right for every way to expose.
func TestServiceTypes(t *testing.T) {
	t.Parallel()
	for _, kind := range []v1alpha1.ServiceType{v1alpha1.ServiceClusterIP, v1alpha1.ServiceNodePort, v1alpha1.ServiceLoadBalancer} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			prefix := outside
			if kind == v1alpha1.ServiceClusterIP {
				if len(inside) == 0 {
					t.Skip("FTP_INSIDE does not say how to run a client where ClusterIPs are reachable")
				}
				prefix = inside
			}
			server, user := serving(t, func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = kind })
			local := randomFile(t, 1<<20)
			for _, mode := range []ftpclient.Mode{ftpclient.PASV, ftpclient.EPSV} {
				c := connection(t, ftpclient.FTPLib{}, server, user)
				c.Target.Mode, c.Target.Prefix = mode, prefix
				reached(t, c)
				must(t, c.Upload(soon(t), local, "/file"))
				holds(t, c, "/file", local)
			}
			if kind == v1alpha1.ServiceNodePort {
				samePortsInside(t, server)
			}
		})
	}
}

// samePortsInside: one announced number fits clients inside and outside.
func samePortsInside(t *testing.T, s *v1alpha1.FTPServer) {
	t.Helper()
	var service corev1.Service
	must(t, kube.Get(soon(t), key(s.Namespace, s.Name), &service))
	for _, p := range service.Spec.Ports {
		if p.TargetPort.StrVal != "ftp" && p.Port != p.NodePort {
			t.Errorf("Passive port %s has port %d and node port %d", p.Name, p.Port, p.NodePort)
		}
	}
}

func randomFile(t *testing.T, n int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "random")
	data := make([]byte, n)
	_, _ = rand.Read(data)
	must(t, os.WriteFile(file, data, 0o600))
	return file
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	must(t, err)
	return data
}

func same(t *testing.T, a, b string) {
	t.Helper()
	if !bytes.Equal(read(t, a), read(t, b)) {
		t.Fatalf("%s and %s differ (%d and %d bytes)", a, b, len(read(t, a)), len(read(t, b)))
	}
}
