package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// TestVolumeOutlivesServer: with Retain the files are there again for a server
// of the same name; with Delete the volume goes with the server.
func TestVolumeOutlivesServer(t *testing.T) {
	t.Parallel()
	server, user := serving(t, nil)
	ns := server.Namespace
	local := randomFile(t, 100_000)
	must(t, connection(t, ftpclient.Curl{}, server, user).Upload(soon(t), local, "/kept"))

	must(t, kube.Delete(soon(t), server))
	gone(t, &appsv1.Deployment{ObjectMeta: objectMeta(ns, "files-0")})
	gone(t, &corev1.Service{ObjectMeta: objectMeta(ns, "files")})
	eventually(t, func() string {
		if left := pods(t, server); len(left) > 0 {
			return "the pod is still there"
		}
		return ""
	})
	var claim corev1.PersistentVolumeClaim
	must(t, kube.Get(soon(t), key(ns, "files-data"), &claim))
	if len(claim.OwnerReferences) > 0 || claim.DeletionTimestamp != nil {
		t.Fatalf("The claim is owned or about to go: %+v", claim.ObjectMeta)
	}

	again := newServer(ns, "files")
	create(t, again)
	ready(t, again)
	ready(t, user)
	c := connection(t, ftpclient.Curl{}, again, user)
	reached(t, c)
	holds(t, c, "/kept", local)

	change(t, again, func() { again.Spec.Storage.Volume.DeletionPolicy = v1alpha1.DeletionDelete })
	ready(t, again)
	must(t, kube.Delete(soon(t), again))
	gone(t, &claim)
}

// TestDeletionInAnyOrder: server, user, password Secret and namespace may go in
// any order, and none waits for another.
func TestDeletionInAnyOrder(t *testing.T) {
	t.Parallel()
	orders := [][]string{
		{"server", "user", "secret"}, {"secret", "user", "server"}, {"user", "server", "secret"},
		{"secret", "server", "user"}, {"namespace"}, {"secret", "namespace"},
	}
	for _, order := range orders {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			ns := newNamespace(t)
			server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
			secret := passwordSecret(ns, "alice", "a word of alice's own")
			user.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: "alice"}
			server.Spec.Service.Type = v1alpha1.ServiceClusterIP
			create(t, secret, server, user)
			ready(t, server)
			ready(t, user)
			objects := map[string]client.Object{
				"server": server, "user": user, "secret": secret,
				"namespace": &corev1.Namespace{ObjectMeta: objectMeta("", ns)},
			}
			for _, name := range order {
				must(t, kube.Delete(soon(t), objects[name]))
			}
			for _, name := range order {
				gone(t, objects[name])
			}
		})
	}
}

// TestRestartCutsNoTransfer: a change that replaces the pod lets transfers that
// are under way finish; clients that come afterwards meet the new pod.
func TestRestartCutsNoTransfer(t *testing.T) {
	t.Parallel()
	server, user := serving(t, nil)
	c := connection(t, ftpclient.Curl{}, server, user)
	local, up := randomFile(t, 4<<20), randomFile(t, 4<<20)
	must(t, c.Upload(soon(t), local, "/down"))
	old := pods(t, server)[0].UID

	slow := 512 << 10 // bytes per second: eight seconds
	down := filepath.Join(t.TempDir(), "down")
	download, err := c.Start(soon(t), ftpclient.Operation{Kind: ftpclient.Download, Remote: "/down", Local: down, Rate: slow})
	must(t, err)
	upload, err := c.Start(soon(t), ftpclient.Operation{Kind: ftpclient.Upload, Remote: "/up", Local: up, Rate: slow})
	must(t, err)
	begun(t, down)
	change(t, server, func() { server.Spec.Pod.Annotations = map[string]string{"example.com/restarted": "yes"} })

	for name, p := range map[string]*ftpclient.Process{"download": download, "upload": upload} {
		if _, err := p.Wait(); err != nil {
			t.Errorf("The %s was cut: %v", name, err)
		}
	}
	ready(t, server)
	if now := pods(t, server); len(now) != 1 || now[0].UID == old {
		t.Fatalf("The pod was not replaced")
	}
	same(t, local, down)
	reached(t, c)
	holds(t, c, "/up", up)
}

// begun waits until a download has brought something.
func begun(t *testing.T, file string) {
	t.Helper()
	eventually(t, func() string {
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			return "the download has not begun"
		}
		return ""
	})
}

// TestPodKilled: a pod that is killed in the middle of uploads leaves whole
// files, and those that it acknowledged.
func TestPodKilled(t *testing.T) {
	t.Parallel()
	server, user := serving(t, nil)
	c := connection(t, ftpclient.Curl{}, server, user)
	local := randomFile(t, 1<<20)
	must(t, c.Upload(soon(t), local, "/older"))
	newer := randomFile(t, 64<<20) // a minute, however slow the kubelet is
	p, err := c.Start(soon(t), ftpclient.Operation{Kind: ftpclient.Upload, Remote: "/older", Local: newer, Rate: 1 << 20})
	must(t, err)
	pod := pods(t, server)[0]
	// Begun after the upload: when it has something, so has the upload. One that began
	// later would meet the next pod.
	down := filepath.Join(t.TempDir(), "down")
	d, err := c.Start(soon(t), ftpclient.Operation{Kind: ftpclient.Download, Remote: "/older", Local: down, Rate: 64 << 10})
	must(t, err)
	begun(t, down)
	must(t, kube.Delete(soon(t), &pod, client.GracePeriodSeconds(0)))
	_, _ = d.Wait() // it may have had the rest in its buffers
	if _, err := p.Wait(); err == nil {
		t.Error("The upload was acknowledged")
	}
	eventually(t, func() string {
		for _, p := range pods(t, server) {
			if p.UID == pod.UID {
				return "the killed pod is still there"
			}
		}
		return ""
	})
	ready(t, server)
	eventually(t, func() string { return loginProblem(t, c) })
	holds(t, c, "/older", local)
}

func objectMeta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}
