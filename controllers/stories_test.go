package controllers

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
)

func parseGVK(kind string) schema.GroupVersionKind {
	parts := strings.Split(kind, "/")
	n := len(parts)
	return schema.FromAPIVersionAndKind(strings.Join(parts[:n-1], "/"), parts[n-1])
}

// A server and a user are applied, the pod starts, both become Current, and
// from then on nothing is written any more.
func TestFromApplyToReadyAndQuiet(t *testing.T) {
	ns := namespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	create(t, server, user)
	says(t, server, v1alpha1.ConditionWorkloadAvailable, metav1.ConditionFalse, v1alpha1.ReasonRollingOut)
	reaches(t, server, kstatus.InProgressStatus)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	reaches(t, user, kstatus.CurrentStatus)

	get(t, ns, "files", server)
	if server.Status.Replicas != 1 || server.Status.Users != 1 || len(server.Status.Addresses) != 1 || server.Status.CARef.Name != "files-ca" {
		t.Errorf("status is %+v", server.Status)
	}
	get(t, ns, "alice", user)
	if user.Status.Username != "alice" || user.Status.PasswordSecretRef.Name != "alice-password" {
		t.Errorf("status is %+v", user.Status)
	}
	quiet(t, ns, "files")
}

// quiet forces ten more passes and finds that no resourceVersion moves.
func quiet(t *testing.T, namespace, server string) {
	t.Helper()
	settled := versions(t, namespace)
	eventually(t, func() error { // events are written behind the passes
		was := settled
		settled = versions(t, namespace)
		if !maps.Equal(was, settled) {
			return fmt.Errorf("something moved")
		}
		return nil
	})
	for range 10 {
		reconcileAll(t, namespace, server)
	}
	serverReconciler.forget(client.ObjectKey{Namespace: namespace, Name: server})
	reconcileAll(t, namespace, server) // as a new process, which remembers nothing
	for name, version := range versions(t, namespace) {
		if settled[name] != version {
			t.Errorf("%s was written again: %q, then %q", name, settled[name], version)
		}
	}
}

// An edit that leaves the server Ready is no event; a transition is one.
func TestEventsTellOfTransitionsOnly(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	for _, level := range []v1alpha1.LogLevel{v1alpha1.LogDebug, v1alpha1.LogWarn} {
		change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Logging.Level = level })
		says(t, server, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	}
	pods.set(t, func() { pods.silent[host(ns, "files")] = true })
	reconcileAll(t, ns, "files")
	var told []eventsv1.Event
	eventually(t, func() error { // events are written behind the passes
		var list eventsv1.EventList
		if err := kube.List(t.Context(), &list, client.InNamespace(ns)); err != nil {
			return err
		}
		told = list.Items
		if !slices.ContainsFunc(told, func(e eventsv1.Event) bool { return e.Reason == string(v1alpha1.ReasonStatusUnreachable) }) {
			return errors.New("the last transition is not told yet")
		}
		return nil
	})
	ready := 0
	for _, e := range told {
		if e.Reason == string(v1alpha1.ReasonReady) {
			ready++
		}
		if e.Series != nil {
			t.Errorf("%s was told %d times", e.Reason, e.Series.Count)
		}
	}
	if ready != 1 {
		t.Errorf("Ready was told %d times", ready)
	}
}

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
	change(t, &secret, func(s *corev1.Secret) { s.Annotations = map[string]string{"note": "x"} })
	before := versions(t, ns)
	reconcileAll(t, ns, "files")
	reconcileAll(t, ns, "files")
	if !maps.Equal(before, versions(t, ns)) {
		t.Error("a note on the password's Secret made something be written")
	}
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

func TestScaledToZeroIsReady(t *testing.T) {
	ns := namespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	create(t, server, user)
	pod := runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Replicas = new(int32) })
	eventually(t, func() error {
		var d appsv1.Deployment
		get(t, ns, "files-0", &d)
		if *d.Spec.Replicas != 0 {
			return fmt.Errorf("the Deployment still has %d", *d.Spec.Replicas)
		}
		return nil
	})
	remove(t, pod)
	says(t, server, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonScaledToZero)
	reaches(t, server, kstatus.CurrentStatus)
	reaches(t, user, kstatus.CurrentStatus)
	quiet(t, ns, "files")
}

func TestSilentPodIsUnknownAndNotFalse(t *testing.T) {
	ns := namespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	create(t, server, user)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	pods.set(t, func() { pods.silent[host(ns, "files")] = true })
	reconcileAll(t, ns, "files")
	says(t, server, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonStatusUnreachable)
	says(t, user, v1alpha1.ConditionProgrammed, metav1.ConditionUnknown, v1alpha1.ReasonStatusUnreachable)
	pods.set(t, func() { delete(pods.silent, host(ns, "files")) })
	reaches(t, server, kstatus.CurrentStatus)
	reaches(t, user, kstatus.CurrentStatus)
}

func TestRefusalIsTold(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	pods.set(t, func() { pods.refusing[host(ns, "files")] = "passive.range: not today" })
	reconcileAll(t, ns, "files")
	c := says(t, server, v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonRefused)
	if !strings.Contains(c.Message, "passive.range: not today") {
		t.Errorf("the message leaves out the pod's: %s", c.Message)
	}
}

// A pod that holds old content is poked again and again, with a new value each
// time, until it tells that it has the new; a user that it has loaded is
// Programmed before the server is.
func TestPodsArePokedUntilTheyHaveLoaded(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	pod := runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	if value := pod.Annotations[render.AnnotationPoked]; value != "" {
		t.Errorf("a pod that is up to date was poked: %s", value)
	}
	pods.freeze(t, ns, "files")
	user := newUser(ns, "alice", "files")
	create(t, user)
	var seen []string
	eventually(t, func() error {
		get(t, ns, pod.Name, pod)
		if v := pod.Annotations[render.AnnotationPoked]; v != "" && !slices.Contains(seen, v) {
			seen = append(seen, v)
		}
		if len(seen) < 3 {
			return fmt.Errorf("poked %d times: %v", len(seen), seen)
		}
		return nil
	})
	says(t, server, v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonPending)
	says(t, user, v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonPending)
	pods.thaw(t, ns, "files")
	reaches(t, user, kstatus.CurrentStatus)
	reaches(t, server, kstatus.CurrentStatus)
}

func TestNodePortsAreAnnounced(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceNodePort })
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	announced := checkNodePorts(t, ns, 8)
	quiet(t, ns, "files")

	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Passive.PortsPerReplica = 12 })
	reaches(t, server, kstatus.CurrentStatus)
	if wider := checkNodePorts(t, ns, 12); !slices.Equal(wider[:8], announced) {
		t.Errorf("widening moved the ports: %v, then %v", announced, wider)
	}
	get(t, ns, "files", server)
	if a := server.Status.Addresses; len(a) != 1 || a[0].Value != "192.0.2.7" {
		t.Errorf("addresses are %v, want the pod's node", a)
	}

	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceClusterIP })
	reaches(t, server, kstatus.CurrentStatus)
	get(t, ns, "files", server)
	if got := server.Status.Ports.Passive; got[0] != 30000 || got[11] != 30011 {
		t.Errorf("with a ClusterIP again, the ports are %v", got)
	}
}

// checkNodePorts finds that each passive port of the Service has the number of
// its node port, and that the configuration announces it.
func checkNodePorts(t *testing.T, ns string, n int) []int {
	t.Helper()
	var announced []int
	eventually(t, func() error {
		var svc corev1.Service
		get(t, ns, "files", &svc)
		announced = nil
		for _, p := range serverConfig(t, ns, "files").Passive.Ports {
			announced = append(announced, p.Announce)
		}
		if len(svc.Spec.Ports) != n+1 || len(announced) != n {
			return fmt.Errorf("%d ports in the Service, %d announced, want %d", len(svc.Spec.Ports)-1, len(announced), n)
		}
		for _, p := range svc.Spec.Ports {
			if p.Name != render.ControlPortName && (p.Port != p.NodePort || !slices.Contains(announced, int(p.Port))) {
				return fmt.Errorf("port %s is %d, on nodes %d, announced are %v", p.Name, p.Port, p.NodePort, announced)
			}
		}
		return nil
	})
	return announced
}

func TestLoadBalancerAddress(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceLoadBalancer })
	create(t, server)
	runPods(t, ns, "files")
	says(t, server, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAddressPending)
	if !serverConfig(t, ns, "files").Passive.AddressPending {
		t.Error("the server is not told that the address is pending")
	}
	var svc corev1.Service
	get(t, ns, "files", &svc)
	if svc.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal {
		t.Errorf("externalTrafficPolicy is %q", svc.Spec.ExternalTrafficPolicy)
	}
	svc.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.9"}, {Hostname: "lb.example.com"}}
	if err := kube.Status().Update(t.Context(), &svc); err != nil {
		t.Fatal(err)
	}
	reaches(t, server, kstatus.CurrentStatus)
	p := serverConfig(t, ns, "files").Passive
	if p.AddressPending || len(p.Addresses) != 2 || p.Addresses[0].Address != "203.0.113.9" {
		t.Errorf("PASV is to answer %+v", p)
	}
	if names := certificate(t, ns, "files").DNSNames; !slices.Contains(names, "lb.example.com") {
		t.Errorf("the certificate has the names %v", names)
	}
	quiet(t, ns, "files")
}

func TestPodTemplateStaysWhenOnlyContentChanges(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	var d appsv1.Deployment
	get(t, ns, "files-0", &d)
	generation := d.Generation
	create(t, newUser(ns, "alice", "files"))
	change(t, server, func(s *v1alpha1.FTPServer) {
		s.Spec.TLS.Mode = v1alpha1.TLSOptional
		s.Spec.Passive.FirstPort, s.Spec.Passive.PortsPerReplica = 40000, 64
		s.Spec.Limits.SessionsPerReplica = 5
		s.Spec.Logging.Level = v1alpha1.LogDebug
		s.Spec.Service.Port = 2121
	})
	reaches(t, server, kstatus.CurrentStatus)
	get(t, ns, "files-0", &d)
	if d.Generation != generation {
		t.Error("the Deployment was changed: its pod would be replaced")
	}
	if c := serverConfig(t, ns, "files"); len(c.Passive.Ports) != 64 || c.Limits.Sessions != 5 || c.Log.Level != "Debug" {
		t.Errorf("the configuration is %+v", c)
	}
}

// A volume that its class does not let grow is told of, and holds up nothing
// else.
func TestVolumeThatCannotGrow(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	change(t, server, func(s *v1alpha1.FTPServer) {
		size := resource.MustParse("2Gi")
		s.Spec.Storage.Volume.Size, s.Spec.Logging.Level = &size, v1alpha1.LogDebug
	})
	c := says(t, server, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonChildRejected)
	if !strings.Contains(c.Message, "PersistentVolumeClaim files-data") {
		t.Errorf("the message does not name the claim: %s", c.Message)
	}
	if level := serverConfig(t, ns, "files").Log.Level; level != "Debug" {
		t.Errorf("the log level stayed %s", level)
	}
}

func TestExistingClaim(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) {
		s.Spec.Storage.Volume = &v1alpha1.VolumeSpec{ExistingClaimRef: &v1alpha1.LocalReference{Name: "theirs"}}
	})
	create(t, server)
	says(t, server, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonClaimNotFound)
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "theirs"}}
	claim.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: *newServer(ns, "x").Spec.Storage.Volume.Size}
	create(t, claim)
	says(t, server, v1alpha1.ConditionResolvedRefs, metav1.ConditionTrue, v1alpha1.ReasonResolvedRefs)
	get(t, ns, "theirs", claim)
	if len(claim.Labels)+len(claim.OwnerReferences) > 0 {
		t.Errorf("the claim was touched: %v %v", claim.Labels, claim.OwnerReferences)
	}
	var none corev1.PersistentVolumeClaim
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "files-data"}, &none); err == nil {
		t.Error("a second claim was made")
	}
}
