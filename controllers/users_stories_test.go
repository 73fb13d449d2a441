package controllers

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
)

func TestGeneratedPasswordIsStableAndMadeAgainOnlyWhenGone(t *testing.T) {
	ns := namespace(t)
	create(t, newServer(ns, "files"), newUser(ns, "alice", "files"))
	first := login(t, ns, "files", "alice")
	var secret corev1.Secret
	get(t, ns, "alice-password", &secret)
	password := string(secret.Data["password"])
	if len(password) < 24 || string(secret.Data["username"]) != "alice" {
		t.Fatalf("Secret for %q with a password of %d characters", secret.Data["username"], len(password))
	}
	if ok, err := passhash.Verify(first.PasswordHash, password); !ok || err != nil {
		t.Fatalf("the hash does not fit the password: %v", err)
	}
	// A note on the Secret is no new password.
	settled := settle(t, ns, "files")
	start := time.Now()
	change(t, &secret, func(s *corev1.Secret) { s.Annotations = map[string]string{"note": "x"} })
	settled["Secret/"+secret.Name] = secret.ResourceVersion
	reconcileAll(t, ns, "files")
	reconcileAll(t, ns, "files")
	unmoved(t, ns, settled, start)
	remove(t, &secret)
	eventually(t, func() error {
		u, err := findLogin(t, ns, "files", "alice")
		if err == nil && u.PasswordHash == first.PasswordHash {
			err = fmt.Errorf("the login still has the old password")
		}
		return err
	})
}

func TestPasswordsFromSecrets(t *testing.T) {
	ns := namespace(t)
	hash, err := passhash.New("hashed")
	if err != nil {
		t.Fatal(err)
	}
	create(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "logins"},
		Data: map[string][]byte{
			"password": []byte("plain\n"), "hash": []byte(hash), "empty": nil,
			"broken": []byte("$argon2id$v=19$broken"), "lines": []byte("two\nlines"),
		},
	}, newServer(ns, "files"))
	user := func(name, key string) *v1alpha1.FTPUser {
		return newUser(ns, name, "files", func(u *v1alpha1.FTPUser) {
			u.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: "logins", Key: key}
		})
	}
	plain, hashed := user("plain", ""), user("hashed", "hash")
	empty, broken, lines := user("empty", "empty"), user("broken", "broken"), user("lines", "lines")
	missing := newUser(ns, "missing", "files", func(u *v1alpha1.FTPUser) {
		u.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: "later", Key: "password"}
	})
	create(t, plain, hashed, empty, broken, lines, missing)

	if ok, err := passhash.Verify(login(t, ns, "files", "plain").PasswordHash, "plain"); !ok || err != nil {
		t.Errorf("the plain password is not the login's: %v", err)
	}
	if got := login(t, ns, "files", "hashed").PasswordHash; got != hash {
		t.Errorf("the given hash became %q", got)
	}
	says(t, empty, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonSecretKeyNotFound)
	reaches(t, empty, kstatus.FailedStatus)
	for _, u := range []*v1alpha1.FTPUser{broken, lines} {
		c := says(t, u, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonInvalidPassword)
		if strings.Contains(c.Message, "two") || strings.Contains(c.Message, "v=19$broken") {
			t.Errorf("the message quotes the password: %s", c.Message)
		}
	}
	says(t, missing, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound)
	reaches(t, missing, kstatus.InProgressStatus)

	create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "later"}, Data: map[string][]byte{"password": []byte("x")}})
	login(t, ns, "files", "missing")
	says(t, missing, v1alpha1.ConditionResolvedRefs, metav1.ConditionTrue, v1alpha1.ReasonResolvedRefs)
}

func TestOlderUserKeepsTheLogin(t *testing.T) {
	ns := namespace(t)
	create(t, newServer(ns, "files"))
	first := newUser(ns, "zoe", "files", func(u *v1alpha1.FTPUser) { u.Spec.Username = "shared" })
	create(t, first)
	says(t, first, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	// Creation times have whole seconds: the younger must be younger by one.
	eventually(t, func() error {
		if !metav1.Now().After(first.CreationTimestamp.Add(1e9)) {
			return fmt.Errorf("still the same second")
		}
		return nil
	})
	second := newUser(ns, "amy", "files", func(u *v1alpha1.FTPUser) { u.Spec.Username = "shared"; u.Spec.Home = "/amy" })
	create(t, second)
	c := says(t, second, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonUsernameConflict)
	if !strings.Contains(c.Message, "zoe") {
		t.Errorf("the message does not name the other user: %s", c.Message)
	}
	reaches(t, second, kstatus.FailedStatus)
	if second.Status.Username != "" || first.Status.Username != "shared" {
		t.Errorf("the login in force is %q, and %q of the other user", first.Status.Username, second.Status.Username)
	}
	if got := login(t, ns, "files", "shared"); got.UID != string(first.UID) {
		t.Error("the younger user has taken the login")
	}
	remove(t, first)
	says(t, second, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	eventually(t, func() error {
		if u, err := findLogin(t, ns, "files", "shared"); err != nil || u.UID != string(second.UID) {
			return errors.Join(err, errors.New("the login is not the second user's"))
		}
		return nil
	})
}

func TestUserBeforeItsServer(t *testing.T) {
	ns := namespace(t)
	user := newUser(ns, "alice", "files")
	create(t, user)
	says(t, user, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonServerNotFound)
	reaches(t, user, kstatus.InProgressStatus)
	server := newServer(ns, "files")
	create(t, server)
	says(t, user, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	remove(t, server)
	says(t, user, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonServerNotFound)
}
