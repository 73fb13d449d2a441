package controllers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// A new value of the annotation makes a new password, once; everything else
// about the Secret stays.
func TestPasswordIsMadeAnewOnRequest(t *testing.T) {
	ns := namespace(t)
	user := newUser(ns, "alice", "files", func(u *v1alpha1.FTPUser) {
		u.Annotations = map[string]string{v1alpha1.AnnotationRotatePassword: "there from the start"}
	})
	create(t, newServer(ns, "files"), user)
	before := login(t, ns, "files", "alice").PasswordHash
	var secret corev1.Secret
	get(t, ns, "alice-password", &secret)
	old := string(secret.Data["password"])
	reconcileAll(t, ns, "files")
	get(t, ns, "alice-password", &secret)
	if string(secret.Data["password"]) != old {
		t.Fatal("the request that the user was made with made a second password")
	}

	change(t, user, func(u *v1alpha1.FTPUser) { u.Annotations[v1alpha1.AnnotationRotatePassword] = "2030-01-01" })
	eventually(t, func() error {
		u, err := findLogin(t, ns, "files", "alice")
		if err == nil && u.PasswordHash == before {
			err = errors.New("the login still has the old password")
		}
		return err
	})
	get(t, ns, "alice-password", &secret)
	if p := string(secret.Data["password"]); p == old || len(p) != len(old) || string(secret.Data["username"]) != "alice" || !metav1.IsControlledBy(&secret, user) {
		t.Errorf("the Secret of the new password: %d characters, new: %v, %v", len(p), p != old, secret.ObjectMeta)
	}
	settled := secret.ResourceVersion
	change(t, user, func(u *v1alpha1.FTPUser) { u.Annotations["note"] = "x" })
	for range 3 {
		reconcileAll(t, ns, "files")
	}
	if get(t, ns, "alice-password", &secret); secret.ResourceVersion != settled {
		t.Error("one request made two passwords")
	}
}

// A Secret that has lost the operator's label is kept in the cache without its
// annotations: that must not look like a request that was never met.
func TestRotationWithoutTheLabel(t *testing.T) {
	ns := namespace(t)
	user := newUser(ns, "alice", "files")
	create(t, newServer(ns, "files"), user)
	login(t, ns, "files", "alice")
	change(t, user, func(u *v1alpha1.FTPUser) {
		u.Annotations = map[string]string{v1alpha1.AnnotationRotatePassword: "1"}
	})
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "alice-password"}}
	eventually(t, func() error {
		get(t, ns, "alice-password", secret)
		if secret.Annotations[render.AnnotationRotated] != "1" {
			return errors.New("not yet made anew")
		}
		return nil
	})
	change(t, secret, func(s *corev1.Secret) { delete(s.Labels, render.LabelManagedBy) })
	without := secret.ResourceVersion
	eventually(t, func() error { // the cache has it so
		m, err := userReconciler.secrets.metadata(t.Context(), client.ObjectKeyFromObject(secret))
		if err == nil && m.ResourceVersion != without {
			err = errors.New("the cache lags behind")
		}
		return err
	})
	for range 5 {
		reconcileAll(t, ns, "files")
	}
	if get(t, ns, "alice-password", secret); secret.ResourceVersion != without {
		t.Fatal("the password was made again")
	}
	change(t, user, func(u *v1alpha1.FTPUser) { u.Annotations[v1alpha1.AnnotationRotatePassword] = "2" })
	eventually(t, func() error {
		get(t, ns, "alice-password", secret)
		if secret.Annotations[render.AnnotationRotated] != "2" || secret.Labels[render.LabelManagedBy] != render.FieldOwner {
			return fmt.Errorf("labels %v, annotations %v", secret.Labels, secret.Annotations)
		}
		return nil
	})
}

// A Secret that nobody may change is told of, and goes on being the password.
func TestRotationOfAnImmutableSecretIsTold(t *testing.T) {
	ns := namespace(t)
	user := newUser(ns, "alice", "files")
	create(t, newServer(ns, "files"), user)
	hash := login(t, ns, "files", "alice").PasswordHash
	immutable := true
	change(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "alice-password"}}, func(s *corev1.Secret) { s.Immutable = &immutable })
	change(t, user, func(u *v1alpha1.FTPUser) {
		u.Annotations = map[string]string{v1alpha1.AnnotationRotatePassword: "1"}
	})
	c := says(t, user, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonChildRejected)
	if !strings.Contains(c.Message, "alice-password") {
		t.Errorf("the message names no Secret: %s", c.Message)
	}
	if login(t, ns, "files", "alice").PasswordHash != hash {
		t.Error("the login has another password")
	}
	change(t, user, func(u *v1alpha1.FTPUser) { u.Annotations = nil })
	says(t, user, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
}

// Of a given Secret only its owner makes a new password, and the user is told.
func TestRotationOfAGivenPasswordIsTold(t *testing.T) {
	ns := namespace(t)
	given := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "given"}, Data: map[string][]byte{"password": []byte("x")}}
	user := newUser(ns, "alice", "files", func(u *v1alpha1.FTPUser) {
		u.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: "given"}
	})
	create(t, given, newServer(ns, "files"), user)
	login(t, ns, "files", "alice")
	before := whole(t, given)
	change(t, user, func(u *v1alpha1.FTPUser) { u.Annotations = map[string]string{v1alpha1.AnnotationRotatePassword: "1"} })
	eventually(t, func() error {
		c := says(t, user, v1alpha1.ConditionResolvedRefs, metav1.ConditionTrue, v1alpha1.ReasonResolvedRefs)
		if !strings.Contains(c.Message, "has no effect where passwordSecretRef is given") {
			return fmt.Errorf("the message is %q", c.Message)
		}
		return nil
	})
	if after := whole(t, given); after != before {
		t.Errorf("the given Secret was changed to %s", after)
	}
}

// Suspension and expiry are what the spec asks for: the user is Ready, and the
// reason says that the login is refused.
func TestLoginsThatAreKeptOut(t *testing.T) {
	ns := namespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	soonOver := newUser(ns, "bob", "files", func(u *v1alpha1.FTPUser) {
		u.Spec.ExpiresAt = &metav1.Time{Time: clock.Now().Add(3 * time.Second).Truncate(time.Second)}
	})
	create(t, server, user, soonOver)
	runPods(t, ns, "files")
	says(t, user, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	change(t, user, func(u *v1alpha1.FTPUser) { u.Spec.Login = v1alpha1.LoginSuspended })
	says(t, user, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSuspended)
	reaches(t, user, kstatus.CurrentStatus)

	// By itself, at its time.
	says(t, soonOver, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonExpired)
	reaches(t, soonOver, kstatus.CurrentStatus)
	if at := login(t, ns, "files", "bob").ExpiresAt; !at.Equal(soonOver.Spec.ExpiresAt.Time) {
		t.Errorf("the server is told of %s", at)
	}
	quiet(t, ns, "files")
	change(t, soonOver, func(u *v1alpha1.FTPUser) { u.Spec.ExpiresAt = nil })
	says(t, soonOver, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

// What narrows a login reaches the server; a server of the previous version of
// the contract refuses that login, the status says so, and other users are
// served there as ever.
func TestNarrowedLoginOnAnOlderServer(t *testing.T) {
	ns := namespace(t)
	server, plain := newServer(ns, "files"), newUser(ns, "plain", "files")
	narrow := newUser(ns, "narrow", "files", func(u *v1alpha1.FTPUser) {
		u.Spec.Paths = []v1alpha1.PathRule{{Path: "/in", Role: "WriteOnly"}, {Path: "/out", Role: "ReadOnly"}}
		u.Spec.AllowedCIDRs = []string{"10.0.0.0/8"}
		u.Spec.Limits.SessionsPerReplica = 2
	})
	create(t, server, plain, narrow)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	says(t, narrow, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	got := login(t, ns, "files", "narrow")
	want := []config.PathRule{{Path: "/in", Role: config.RoleWriteOnly}, {Path: "/out", Role: config.RoleReadOnly}}
	if !slices.Equal(got.Paths, want) || !slices.Equal(got.AllowedCIDRs, []string{"10.0.0.0/8"}) || got.MaxSessions != 2 || got.Login != config.LoginEnabled {
		t.Errorf("the server is told %+v", got)
	}
	if old := previousLogin(t, ns, "narrow"); old.Login != config.LoginSuspended {
		t.Errorf("an older server is told %+v", old)
	}

	pods.set(t, func() { pods.older[host(ns, "files")] = true })
	reconcileAll(t, ns, "files")
	says(t, narrow, v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonUnsupportedByServer)
	reaches(t, narrow, kstatus.FailedStatus)
	says(t, plain, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	says(t, server, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	quiet(t, ns, "files")
	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Anonymous = &v1alpha1.AnonymousSpec{} })
	c := says(t, server, v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonUnsupportedByServer)
	if !strings.Contains(c.Message, "anonymous") {
		t.Errorf("the message does not say what: %s", c.Message)
	}
	pods.set(t, func() { delete(pods.older, host(ns, "files")) })
	reconcileAll(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	reaches(t, narrow, kstatus.CurrentStatus)
	if a := serverConfig(t, ns, "files").Anonymous; a == nil || a.Home != "/pub" || a.Role != config.RoleReadOnly {
		t.Errorf("the server is told of anonymous logins: %+v", a)
	}
}

// previousLogin is a login as servers of the previous version are told it.
func previousLogin(t *testing.T, namespace, username string) config.User {
	t.Helper()
	shard := config.Shard(username)
	var s corev1.Secret
	get(t, namespace, render.UsersSecretName("files", shard), &s)
	users, err := config.DecodeUsers(s.Data[config.PreviousUsersFileName(shard)], config.Strict)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(users, func(u config.User) bool { return u.Name == username })
	if i < 0 {
		t.Fatalf("there is no login %s", username)
	}
	return users[i]
}

// Annotating or re-applying a Secret with the same password moves nothing.
func TestSamePasswordMovesNothing(t *testing.T) {
	ns := namespace(t)
	given := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "given"}, Data: map[string][]byte{"password": []byte("x")}}
	create(t, given, newServer(ns, "files"), newUser(ns, "alice", "files", func(u *v1alpha1.FTPUser) {
		u.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: "given"}
	}))
	hash := login(t, ns, "files", "alice").PasswordHash
	runPods(t, ns, "files")
	reaches(t, newServer(ns, "files"), kstatus.CurrentStatus)
	settled := settle(t, ns, "files")
	start := time.Now()
	change(t, given, func(s *corev1.Secret) { s.Labels = map[string]string{"note": "x"} })
	settled["Secret/"+given.Name] = given.ResourceVersion
	serverReconciler.passwords.replace(client.ObjectKey{Namespace: ns, Name: "files"}, nil) // as a new process
	reconcileAll(t, ns, "files")
	unmoved(t, ns, settled, start)
	if login(t, ns, "files", "alice").PasswordHash != hash {
		t.Error("the hash is another")
	}
}

// A new key of the salts takes effect at once, and not by the next start of the
// operator, among other changes.
func TestNewSaltTakesEffect(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1)
	w.create(w.password("alice", "x"), w.userWithPassword("alice"))
	w.settle()
	old := login(t, w.namespace, theServer, "alice").PasswordHash
	edit(w, render.KeysSecretName(theServer), &corev1.Secret{}, func(s *corev1.Secret) {
		s.Data[render.KeySalt] = []byte("another key, of 32 bytes or more")
	})
	w.forgetSecrets()
	w.settle()
	now := login(t, w.namespace, theServer, "alice").PasswordHash
	if now == old {
		t.Error("the hash is that of the old key")
	}
	w.boot()
	w.settle()
	if again := login(t, w.namespace, theServer, "alice").PasswordHash; again != now {
		t.Error("a new process makes another hash")
	}
}

// Where one Secret cannot be read, what was made of the others is not made again.
func TestUnreadablePasswordLeavesTheOthers(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1)
	w.create(w.password("alice", "x"), w.userWithPassword("alice"), w.password("bob", "x"), w.userWithPassword("bob"))
	w.settle()
	w.create(w.password("carol", "x"), w.userWithPassword("carol"), w.password("dave", "x"), w.userWithPassword("dave"))
	edit(w, "bob-login", &corev1.Secret{}, func(s *corev1.Secret) { s.Data["password"] = []byte("new") })
	failing := true
	var mu sync.Mutex
	read := map[string]int{}
	w.wire.fails = func(what string) error {
		name, isSecret := strings.CutPrefix(what, "Get live *v1.Secret ")
		name = strings.TrimSuffix(name, "-login")
		mu.Lock()
		defer mu.Unlock()
		if isSecret {
			read[name]++
		}
		if failing && name == "bob" {
			return apierrors.NewInternalError(errors.New("a fault of the test"))
		}
		return nil
	}
	w.pass("server/" + theServer)
	w.pass("server/" + theServer)
	if w.failure == nil {
		t.Error("the error is kept from the queue")
	}
	for name, want := range map[string]int{"alice": 0, "bob": 2, "carol": 1, "dave": 1} {
		if read[name] != want {
			t.Errorf("the password of %s was read %d times, and not %d", name, read[name], want)
		}
	}
	failing = false
	w.settle()
	for _, name := range []string{"alice", "bob", "carol", "dave"} {
		userReady(name)(w)
	}
	if read["carol"] != 1 {
		t.Errorf("the password of carol was read %d times", read["carol"])
	}
}
