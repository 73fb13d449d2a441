package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// refusedLogin waits until the login is refused, and accepted until it is not.
func refusedLogin(t *testing.T, c ftpclient.Connection) time.Duration {
	t.Helper()
	return eventually(t, func() string {
		if loginProblem(t, c) == "" {
			return "the login is still accepted"
		}
		return ""
	})
}

func accepted(t *testing.T, c ftpclient.Connection) time.Duration {
	t.Helper()
	return eventually(t, func() string { return loginProblem(t, c) })
}

// TestNarrowedByNetwork: a user logs in from the networks that are allowed only,
// and a change of them takes effect on a running server.
func TestNarrowedByNetwork(t *testing.T) {
	t.Parallel()
	server, user := serving(t, nil)
	c := connection(t, ftpclient.Curl{}, server, user)
	change(t, user, func() { user.Spec.AllowedCIDRs = []string{"198.51.100.0/24", "2001:db8::/32"} })
	t.Logf("Refused after %s", refusedLogin(t, c).Round(time.Millisecond))
	ready(t, user)
	change(t, user, func() { user.Spec.AllowedCIDRs = []string{"0.0.0.0/0"} })
	t.Logf("Accepted after %s", accepted(t, c).Round(time.Millisecond))
}

// TestNarrowedInTime: at its time a login ends, with what it has running, and a
// later time brings it back.
func TestNarrowedInTime(t *testing.T) {
	t.Parallel()
	server, user := serving(t, nil)
	c := connection(t, ftpclient.Curl{}, server, user)
	must(t, c.Upload(soon(t), randomFile(t, 64<<20), "/big"))
	at := time.Now().Add(5 * time.Second).Truncate(time.Second)
	change(t, user, func() { user.Spec.ExpiresAt = &metav1.Time{Time: at} })
	down, err := c.Start(soon(t), ftpclient.Operation{Kind: ftpclient.Download, Remote: "/big", Local: filepath.Join(t.TempDir(), "down"), Rate: 1 << 20})
	must(t, err)
	if _, err := down.Wait(); err == nil {
		t.Error("The download went on beyond the end of the login")
	}
	if now := time.Now(); now.Before(at) {
		t.Errorf("The login ended %s early", at.Sub(now))
	}
	refusedLogin(t, c)
	eventually(t, func() string {
		must(t, kube.Get(soon(t), key(user.Namespace, user.Name), user))
		if r := condition(user, v1alpha1.ConditionReady); r.Status != metav1.ConditionTrue || r.Reason != string(v1alpha1.ReasonExpired) {
			return "Ready is " + string(r.Status) + " " + r.Reason
		}
		return ""
	})
	change(t, user, func() { user.Spec.ExpiresAt = &metav1.Time{Time: time.Now().Add(time.Hour)} })
	accepted(t, c)
}

// TestNarrowedInNumber: a user has as many sessions at once as are allowed.
func TestNarrowedInNumber(t *testing.T) {
	t.Parallel()
	server, user := serving(t, nil)
	c := connection(t, ftpclient.Curl{}, server, user)
	must(t, c.Upload(soon(t), randomFile(t, 4<<20), "/file"))
	change(t, user, func() { user.Spec.Limits.SessionsPerReplica = 1 })
	ready(t, user)
	local := filepath.Join(t.TempDir(), "down")
	down, err := c.Start(soon(t), ftpclient.Operation{Kind: ftpclient.Download, Remote: "/file", Local: local, Rate: 128 << 10})
	must(t, err)
	eventually(t, func() string { // it must be in before others ask
		if info, err := os.Stat(local); err != nil || info.Size() == 0 {
			return "the download has not begun"
		}
		return ""
	})
	if problem := loginProblem(t, c); !strings.Contains(problem, "421") {
		t.Errorf("Want a 421, got %q", problem)
	}
	if _, err := down.Wait(); err != nil {
		t.Errorf("The first session was cut: %v", err)
	}
	accepted(t, c)
}

// TestPathRules: other roles below some directories, changed while the server
// runs.
func TestPathRules(t *testing.T) {
	t.Parallel()
	server, user := serving(t, nil)
	c := connection(t, ftpclient.Curl{}, server, user)
	local := randomFile(t, 1000)
	must(t, c.Mkdir(soon(t), "/inbox"))
	must(t, c.Upload(soon(t), local, "/inbox/before"))
	change(t, user, func() {
		user.Spec.Role = v1alpha1.RoleReadOnly
		user.Spec.Paths = []v1alpha1.PathRule{{Path: "/inbox", Role: "WriteOnly"}}
	})
	ready(t, user)
	must(t, c.Upload(soon(t), local, "/inbox/new"))
	for what, err := range map[string]error{
		"upload beside the rule":    c.Upload(soon(t), local, "/new"),
		"download below the rule":   c.Download(soon(t), "/inbox/before", filepath.Join(t.TempDir(), "back")),
		"overwrite below the rule":  c.Upload(soon(t), local, "/inbox/before"),
		"delete below the rule":     c.Delete(soon(t), "/inbox/before"),
		"rename of the rule's path": c.Rename(soon(t), "/inbox", "/outbox"),
	} {
		if err == nil {
			t.Errorf("Allowed: %s", what)
		}
	}
	change(t, user, func() { user.Spec.Role, user.Spec.Paths = v1alpha1.RoleReadWrite, nil })
	ready(t, user)
	holds(t, c, "/inbox/new", local)
	must(t, c.Delete(soon(t), "/inbox/before"))
}

// TestAnonymous: clients without a login of their own read what is public, and
// only while the server says so.
func TestAnonymous(t *testing.T) {
	t.Parallel()
	server, user := serving(t, nil)
	anyone := connection(t, ftpclient.Curl{}, server, user)
	anyone.Target.User, anyone.Target.Password = "anonymous", "guest@example.com"
	refusedLogin(t, anyone)
	admin := newUser(server.Namespace, "admin", server.Name)
	admin.Spec.Role = v1alpha1.RoleAdmin
	create(t, admin)
	change(t, server, func() { server.Spec.Anonymous = &v1alpha1.AnonymousSpec{} })
	ready(t, server)
	ready(t, admin)
	local, publisher := randomFile(t, 1000), connection(t, ftpclient.Curl{}, server, admin)
	must(t, publisher.Mkdir(soon(t), "/pub"))
	must(t, publisher.Upload(soon(t), local, "/pub/notice"))
	holds(t, anyone, "/notice", local)
	if anyone.Upload(soon(t), local, "/other") == nil {
		t.Error("An anonymous client could upload")
	}
	change(t, server, func() { server.Spec.Anonymous = nil })
	refusedLogin(t, anyone)
}

// TestPasswordRotated: an annotation makes a new password, and the old one is
// refused.
func TestPasswordRotated(t *testing.T) {
	t.Parallel()
	server, user := serving(t, nil)
	old := connection(t, ftpclient.Curl{}, server, user)
	change(t, user, func() { user.Annotations = map[string]string{v1alpha1.AnnotationRotatePassword: "now"} })
	t.Logf("Old password refused after %s", refusedLogin(t, old).Round(time.Millisecond))
	eventually(t, func() string { return loginProblem(t, connection(t, ftpclient.Curl{}, server, user)) })
}

// TestHashesGiven: a Secret may hold a hash of the password instead; here those
// of "hunter2", as common tools make them.
func TestHashesGiven(t *testing.T) {
	t.Parallel()
	server, user := serving(t, nil)
	for name, hash := range map[string]string{
		"bcrypt":   "$2b$05$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8.",
		"argon2id": "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$nUxirfVK2I/vOT6f2ly2wSgjwZ1oqwTLCmrcpDyjicA",
		"sha512":   "$6$saltsaltsalt$/YcSJBZ1GwOaYU2XCNxvWBX3MbYsX7qkf0.0L28t35vap3Pr7yS0JA8iUjaUrIKpD1vbB841OQkrlcX47Jjuy/",
	} {
		secret := &corev1.Secret{ObjectMeta: objectMeta(server.Namespace, name), StringData: map[string]string{"hash": hash}}
		u := newUser(server.Namespace, name, server.Name)
		u.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: name, Key: "hash"}
		create(t, secret, u)
		ready(t, u)
		c := connection(t, ftpclient.Curl{}, server, user)
		c.Target.User, c.Target.Password = name, "hunter2"
		accepted(t, c)
		c.Target.Password = strings.ToUpper(c.Target.Password)
		if loginProblem(t, c) == "" {
			t.Errorf("%s: a wrong password is accepted", name)
		}
	}
}
