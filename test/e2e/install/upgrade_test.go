package install

import (
	"bytes"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// needsPrevious skips a test where there is no previous release to begin with.
func needsPrevious(t *testing.T) {
	t.Helper()
	if previous.config == "" {
		t.Skip("FTP_PREVIOUS names no manifests of the previous release: the history does not reach that far, or hack/images/previous.sh was not run")
	}
}

// TestUpgrade: from the previous release to this one, definitions first, with a
// server that works. Transfers that are under way end well, the server becomes
// Ready under the new operator, files and passwords are the same.
func TestUpgrade(t *testing.T) {
	needsPrevious(t)
	remove(t)
	previous.applyCRDs(t)
	previous.install(t, previous.server)
	server, user := serving(t, newNamespace(t), nil)
	c := connection(t, server, user)
	kept := randomFile(t, 24<<20)
	must(t, c.Upload(soon(t), kept, "/kept"))
	old := pod(t, server)
	if got := old.Spec.Containers[0].Image; got != previous.server {
		t.Fatalf("The previous release runs the server %s", got)
	}

	data := read(t, randomFile(t, 24<<20))
	up, down := inHalves(t, c, ftpclient.Upload, "/up", data), inHalves(t, c, ftpclient.Download, "/kept", data)
	up.halfway(t)
	down.halfway(t)
	current.applyCRDs(t)
	current.install(t, current.server)
	eventually(t, func() string {
		now := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: old.Namespace, Name: old.Name}}
		if get(t, &now); now.DeletionTimestamp == nil {
			return "the new operator has not begun to replace the pod"
		}
		return ""
	})
	up.finish(t)
	down.finish(t)
	if !bytes.Equal(down.got, read(t, kept)) {
		t.Error("The download is not what was uploaded")
	}

	eventually(t, func() string { return runs(t, server, current.server) })
	ready(t, server)
	ready(t, user)
	again := connection(t, server, user)
	if again.Target.Password != c.Target.Password || again.Target.Host != c.Target.Host || again.Target.Port != c.Target.Port {
		t.Error("The upgrade changed the password, the address or the port")
	}
	reached(t, c) // also with the CA from before
	holds(t, c, "/kept", kept)
	uploaded := randomFile(t, 0)
	must(t, c.Download(soon(t), "/up", uploaded+"2"))
	if !bytes.Equal(read(t, uploaded+"2"), data) {
		t.Error("The upload is not what was sent")
	}
}

// runs tells what is wrong unless exactly one pod runs, of this image.
func runs(t *testing.T, s *v1alpha1.FTPServer, image string) string {
	t.Helper()
	var list corev1.PodList
	must(t, kube.List(soon(t), &list, inNamespace(s.Namespace), serverLabel(s.Name)))
	if len(list.Items) != 1 {
		return "the pod is being replaced"
	}
	if got := list.Items[0].Spec.Containers[0].Image; got != image {
		return "the pod runs " + got
	}
	return ""
}

// TestPinnedPreviousServer: this release's operator with a server of the
// previous one, as spec.pod.image asks for.
func TestPinnedPreviousServer(t *testing.T) {
	needsPrevious(t)
	current.applyCRDs(t)
	current.install(t, current.server)
	skewed(t, previous.server, func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = previous.server })
}

// TestGoingBack: the previous release's operator in the place of this one, with
// this one's definitions and a server of this release, as where only the operator
// was rolled back.
func TestGoingBack(t *testing.T) {
	needsPrevious(t)
	current.applyCRDs(t)
	previous.install(t, current.server)
	skewed(t, current.server, nil)
}

// skewed makes a server of another release than the operator's and finds that
// everything that people do to users takes effect in it.
func skewed(t *testing.T, image string, edit func(*v1alpha1.FTPServer)) {
	t.Helper()
	server, user := serving(t, newNamespace(t), edit)
	if problem := runs(t, server, image); problem != "" {
		t.Fatal(problem)
	}
	uid := pod(t, server).UID
	c := connection(t, server, user)
	works(t, c, "/first")

	bob := newUser(t, server, "bob")
	ready(t, bob)
	works(t, connection(t, server, bob), "/bob")

	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace, Name: "other"},
		Data:       map[string][]byte{"password": []byte("another password")},
	}
	must(t, kube.Create(soon(t), secret))
	change(t, user, func() { user.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: secret.Name} })
	ready(t, user)
	works(t, connection(t, server, user), "/second")
	if loginProblem(t, c) == "" {
		t.Error("The old password still works")
	}

	change(t, bob, func() { bob.Spec.Login = v1alpha1.LoginSuspended })
	ready(t, bob)
	if loginProblem(t, connection(t, server, bob)) == "" {
		t.Error("A suspended user can log in")
	}
	change(t, server, func() { server.Spec.Logging.Level = v1alpha1.LogDebug })
	ready(t, server)
	if pod(t, server).UID != uid {
		t.Error("The pod was replaced by a change that needs no other pod")
	}
}
