package e2e

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

func key(namespace, name string) client.ObjectKey {
	return client.ObjectKey{Namespace: namespace, Name: name}
}

// TestUserAddedToRunningServer: new users log in within seconds, and no pod
// restarts for them. It says how long each took.
func TestUserAddedToRunningServer(t *testing.T) {
	t.Parallel()
	server, alice := serving(t, nil)
	ns, before := server.Namespace, pods(t, server)[0]

	for _, name := range []string{"bob", "carol", "dave", "erin", "frank"} {
		user := newUser(ns, name, "files")
		create(t, passwordSecret(ns, name, name+"'s password"))
		user.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: name}
		start := time.Now()
		create(t, user)
		c := connection(t, ftpclient.Curl{}, server, alice)
		c.Target.User, c.Target.Password = name, name+"'s password"
		eventually(t, func() string { return loginProblem(t, c) })
		t.Logf("%s logged in %s after the apply", name, time.Since(start).Round(time.Millisecond))
		ready(t, user)
	}

	after := pods(t, server)[0]
	if after.UID != before.UID || !after.Status.StartTime.Equal(before.Status.StartTime) || after.Status.ContainerStatuses[0].RestartCount > 0 {
		t.Error("The pod was restarted")
	}
}

// TestPasswordChanged: the old password is refused and the new one works, in
// seconds; the same for a user who is suspended, and for one who is removed.
func TestPasswordChanged(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	user.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: "alice"}
	secret := passwordSecret(ns, "alice", "the old one of alice")
	create(t, secret, server, user)
	ready(t, server)
	ready(t, user)
	old := connection(t, ftpclient.Curl{}, server, user)
	refused := func() string {
		if loginProblem(t, old) == "" {
			return "the login is still accepted"
		}
		return ""
	}
	accepted := func(c ftpclient.Connection) func() string {
		return func() string { return loginProblem(t, c) }
	}
	must(t, old.Mkdir(soon(t), "/kept"))

	change(t, secret, func() { secret.Data = map[string][]byte{"password": []byte("the new one of alice")} })
	t.Logf("Old password refused after %s", eventually(t, refused).Round(time.Millisecond))
	changed := old
	changed.Target.Password = "the new one of alice"
	t.Logf("New password accepted after a further %s", eventually(t, accepted(changed)).Round(time.Millisecond))

	old = changed
	change(t, user, func() { user.Spec.Login = v1alpha1.LoginSuspended })
	t.Logf("Suspended after %s", eventually(t, refused).Round(time.Millisecond))
	change(t, user, func() { user.Spec.Login = v1alpha1.LoginEnabled })
	t.Logf("Enabled after %s", eventually(t, accepted(old)).Round(time.Millisecond))

	must(t, kube.Delete(soon(t), user))
	t.Logf("Removed after %s", eventually(t, refused).Round(time.Millisecond))
}

// TestRoles: a role given on the resource is what the server allows.
func TestRoles(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	server, writer := newServer(ns, "files"), newUser(ns, "writer", "files")
	reader, dropper, admin := newUser(ns, "reader", "files"), newUser(ns, "dropper", "files"), newUser(ns, "admin", "files")
	for user, role := range map[*v1alpha1.FTPUser]v1alpha1.UserRole{
		reader: v1alpha1.RoleReadOnly, dropper: v1alpha1.RoleWriteOnly, admin: v1alpha1.RoleAdmin,
	} {
		user.Spec.Role, user.Spec.Home = role, "/shared"
	}
	writer.Spec.Home = "/shared"
	create(t, server, writer, reader, dropper, admin)
	for _, o := range []client.Object{server, writer, reader, dropper, admin} {
		ready(t, o)
	}
	local := randomFile(t, 1000)
	as := func(u *v1alpha1.FTPUser) ftpclient.Connection { return connection(t, ftpclient.Curl{}, server, u) }
	refused := func(err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "550") {
			t.Errorf("Want a 550, got %v", err)
		}
	}
	must(t, as(writer).Upload(soon(t), local, "/file"))
	holds(t, as(reader), "/file", local)
	refused(as(reader).Delete(soon(t), "/file"))
	if as(reader).Upload(soon(t), local, "/other") == nil {
		t.Error("A reader could upload")
	}
	must(t, as(dropper).Upload(soon(t), local, "/dropped"))
	if as(dropper).Upload(soon(t), local, "/dropped") == nil {
		t.Error("A drop box was overwritten")
	}
	if as(dropper).Download(soon(t), "/dropped", t.TempDir()+"/back") == nil {
		t.Error("A drop box could be read")
	}
	holds(t, as(admin), "/shared/dropped", local)
}

// TestUserConflict: the second to claim a login is told so and takes nothing.
func TestUserConflict(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	server, first := newServer(ns, "files"), newUser(ns, "first", "files")
	first.Spec.Username = "shared"
	create(t, server, first)
	ready(t, server)
	ready(t, first)
	second := newUser(ns, "a-second", "files")
	second.Spec.Username = "shared"
	create(t, second)
	eventually(t, func() string {
		must(t, kube.Get(soon(t), key(ns, second.Name), second))
		c := condition(second, v1alpha1.ConditionAccepted)
		if c == nil || c.Status != metav1.ConditionFalse || c.Reason != string(v1alpha1.ReasonUsernameConflict) {
			return "the second is not told of the conflict"
		}
		return ""
	})
	if problem := loginProblem(t, connection(t, ftpclient.Curl{}, server, first)); problem != "" {
		t.Error(problem)
	}
	must(t, kube.Delete(soon(t), first))
	ready(t, second)
}

func passwordSecret(namespace, name, password string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Data:       map[string][]byte{"password": []byte(password)},
	}
}

// loginProblem lists the home once and says what went wrong.
func loginProblem(t *testing.T, c ftpclient.Connection) string {
	t.Helper()
	if _, err := c.List(soon(t), "/"); err != nil {
		return err.Error()
	}
	return ""
}
