package controllers

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// children are the objects that a server has, by kind.
var children = map[string]func(meta metav1.ObjectMeta) client.Object{
	"Deployment files-0": func(m metav1.ObjectMeta) client.Object {
		labels := map[string]string{"x": "y"}
		return &appsv1.Deployment{ObjectMeta: m, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "x", Image: "x"}}},
			},
		}}
	},
	"Service files": func(m metav1.ObjectMeta) client.Object {
		return &corev1.Service{ObjectMeta: m, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	},
	"ServiceAccount files":    func(m metav1.ObjectMeta) client.Object { return &corev1.ServiceAccount{ObjectMeta: m} },
	"NetworkPolicy files-ftp": func(m metav1.ObjectMeta) client.Object { return &networkingv1.NetworkPolicy{ObjectMeta: m} },
	"ConfigMap files-ca":      func(m metav1.ObjectMeta) client.Object { return &corev1.ConfigMap{ObjectMeta: m} },
	"PersistentVolumeClaim files-data": func(m metav1.ObjectMeta) client.Object {
		c := &corev1.PersistentVolumeClaim{ObjectMeta: m}
		c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
		c.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}
		return c
	},
	"Secret files-config":  secretWith("config.v2.yaml"),
	"Secret files-tls":     secretWith("tls.crt"),
	"Secret files-keys":    secretWith("password-salt"),
	"Secret files-users-3": secretWith("users-3.v2.yaml"),
}

func secretWith(key string) func(metav1.ObjectMeta) client.Object {
	return func(m metav1.ObjectMeta) client.Object {
		return &corev1.Secret{ObjectMeta: m, Data: map[string][]byte{key: []byte("somebody else's")}}
	}
}

// whole is an object as the API server holds it.
func whole(t *testing.T, o client.Object) string {
	t.Helper()
	gvk, err := apiutil.GVKForObject(o, kube.Scheme())
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	get(t, o.GetNamespace(), o.GetName(), u)
	return fmt.Sprint(u.Object)
}

// For each child, an object of that name which is somebody else's is left byte
// for byte as it was; once it is gone the server takes the name.
func TestNameTaken(t *testing.T) {
	for kind, build := range children {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			ns := namespace(t)
			_, name, _ := strings.Cut(kind, " ")
			// Labels alone make nothing ours.
			theirs := build(metav1.ObjectMeta{Namespace: ns, Name: name, Labels: map[string]string{render.LabelManagedBy: render.FieldOwner}})
			create(t, theirs)
			before := whole(t, theirs)
			server := newServer(ns, "files")
			create(t, server)
			c := says(t, server, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNameTaken)
			if !strings.Contains(c.Message, kind) {
				t.Errorf("the message does not name %s: %s", kind, c.Message)
			}
			reaches(t, server, kstatus.FailedStatus)
			noPodUses(t, theirs)
			if after := whole(t, theirs); after != before {
				t.Errorf("it was changed from\n%s to\n%s", before, after)
			}
			remove(t, theirs)
			clearFinalizers(t, theirs)
			eventually(t, func() error { // the operator itself looks again after pollNoted
				reconcileAll(t, ns, "files")
				get(t, ns, "files", server)
				for _, c := range server.Status.Conditions {
					if c.Type == v1alpha1.ConditionStalled {
						return fmt.Errorf("still stalled: %s", c.Message)
					}
				}
				return nil
			})
		})
	}
}

// noPodUses finds that no Deployment was made whose pod would run with, or
// mount, somebody else's object.
func noPodUses(t *testing.T, theirs client.Object) {
	t.Helper()
	var list appsv1.DeploymentList
	if err := kube.List(t.Context(), &list, client.InNamespace(theirs.GetNamespace())); err != nil {
		t.Fatal(err)
	}
	for _, d := range list.Items {
		if d.UID != theirs.GetUID() {
			t.Errorf("the Deployment %s was made beside somebody else's %s", d.Name, theirs.GetName())
		}
	}
}

// clearFinalizers does what the cluster's controllers would do on deletion:
// there are none here.
func clearFinalizers(t *testing.T, o client.Object) {
	t.Helper()
	if err := kube.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		return
	}
	o.SetFinalizers(nil)
	if err := kube.Update(t.Context(), o); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
}

func TestGeneratedPasswordNameTaken(t *testing.T) {
	ns := namespace(t)
	theirs := secretWith("password")(metav1.ObjectMeta{Namespace: ns, Name: "alice-password"})
	user := newUser(ns, "alice", "files")
	create(t, theirs, newServer(ns, "files"), user)
	before := whole(t, theirs)
	says(t, user, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNameTaken)
	if after := whole(t, theirs); after != before {
		t.Errorf("it was changed from\n%s to\n%s", before, after)
	}
	if _, err := findLogin(t, ns, "files", "alice"); err == nil {
		t.Error("somebody else's Secret became a password")
	}
}

func TestDriftIsCorrected(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)

	change(t, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "files"}}, func(s *corev1.Service) {
		s.Spec.Selector = map[string]string{"app": "other"}
	})
	change(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "files-config"}}, func(s *corev1.Secret) {
		s.Data["config.v2.yaml"] = []byte("listen: nowhere")
	})
	change(t, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "files-0"}}, func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Containers[0].Image = "other"
	})
	remove(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "files-ca"}})
	eventually(t, func() error {
		var svc corev1.Service
		var secret corev1.Secret
		var d appsv1.Deployment
		get(t, ns, "files", &svc)
		get(t, ns, "files-config", &secret)
		get(t, ns, "files-0", &d)
		if svc.Spec.Selector["app"] == "other" || strings.Contains(string(secret.Data["config.v2.yaml"]), "nowhere") ||
			d.Spec.Template.Spec.Containers[0].Image != testImage {
			return fmt.Errorf("not yet put right")
		}
		return kube.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "files-ca"}, &corev1.ConfigMap{})
	})
}

// Deleting in any order leaves nothing that waits: nothing of ours has a
// finalizer, and what is left goes with its owner.
func TestDeletionNeverWaits(t *testing.T) {
	for name, order := range map[string][]int{
		"server first": {0, 1, 2}, "user first": {1, 0, 2}, "secret first": {2, 1, 0}, "secret, server, user": {2, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := namespace(t)
			server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
			create(t, server, user)
			login(t, ns, "files", "alice")
			objects := []client.Object{server, user, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "alice-password"}}}
			for _, i := range order {
				remove(t, objects[i])
				if i < 2 {
					gone(t, objects[i])
				}
			}
			everythingIsOwned(t, ns)
		})
	}
}

// everythingIsOwned finds that what is left has an owner and no finalizer, but
// for the retained claim.
func everythingIsOwned(t *testing.T, namespace string) {
	t.Helper()
	for _, kind := range []string{"apps/v1/Deployment", "v1/Service", "v1/Secret", "v1/ConfigMap", "v1/ServiceAccount", "networking.k8s.io/v1/NetworkPolicy", "v1/PersistentVolumeClaim"} {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(parseGVK(kind))
		if err := kube.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Items {
			if o.Name == "kube-root-ca.crt" {
				continue
			}
			claim := o.Name == render.ClaimName("files")
			if owned := len(o.OwnerReferences) == 1; owned == claim {
				t.Errorf("%s %s: owned is %v", kind, o.Name, owned)
			}
			if _, instance := o.Labels[render.LabelInstance]; claim && instance {
				t.Error("the retained claim carries a label that tools prune by")
			}
			if len(o.Finalizers) > 0 && !claim {
				t.Errorf("%s %s waits for %v", kind, o.Name, o.Finalizers)
			}
		}
	}
}

func TestTerminatingNamespaceIsLeftAlone(t *testing.T) {
	ns := namespace(t)
	create(t, newServer(ns, "files"), newUser(ns, "alice", "files"))
	login(t, ns, "files", "alice")
	remove(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}})
	remove(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "alice-password"}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "files-tls"}})
	eventually(t, func() error { // the cache has seen it too
		m, err := serverReconciler.secrets.metadata(t.Context(), client.ObjectKey{Namespace: ns, Name: "files-tls"})
		if err == nil && m != nil {
			err = fmt.Errorf("the Secret is still cached")
		}
		return err
	})
	reconcileAll(t, ns, "files") // fails the test where an error comes back
}

func TestRetainedClaimIsTakenUpAgain(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "files-data"}}
	eventually(t, func() error { return kube.Get(t.Context(), client.ObjectKeyFromObject(claim), claim) })
	uid := claim.UID
	remove(t, server)
	gone(t, server)
	again := newServer(ns, "files", func(s *v1alpha1.FTPServer) {
		s.Spec.Storage.Volume.DeletionPolicy = v1alpha1.DeletionDelete
	})
	create(t, again)
	collect(t, ns, server.UID, again)
	runPods(t, ns, "files")
	says(t, again, v1alpha1.ConditionWorkloadAvailable, metav1.ConditionTrue, v1alpha1.ReasonWorkloadAvailable)
	get(t, ns, "files-data", claim)
	if claim.UID != uid || !metav1.IsControlledBy(claim, again) {
		t.Errorf("the claim was not taken up: owners %v", claim.OwnerReferences)
	}
}

// collect does what the garbage collector would do for a server that is gone,
// until the one that takes its place has all names: a pass that was under way
// may have made one more.
func collect(t *testing.T, namespace string, old types.UID, again *v1alpha1.FTPServer) {
	t.Helper()
	eventually(t, func() error {
		deleteOwned(t, namespace, old)
		get(t, namespace, again.Name, again)
		if !meta.IsStatusConditionTrue(again.Status.Conditions, v1alpha1.ConditionAccepted) {
			return fmt.Errorf("not accepted: %+v", again.Status.Conditions)
		}
		// What a pass of the old server has made meanwhile is its own.
		var d appsv1.Deployment
		if err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: render.DeploymentName(again.Name, 0)}, &d); err != nil {
			return err
		}
		if !metav1.IsControlledBy(&d, again) {
			return fmt.Errorf("the Deployment is not the new server's: %+v", d.OwnerReferences)
		}
		return nil
	})
}

func deleteOwned(t *testing.T, namespace string, owner types.UID) {
	t.Helper()
	for _, kind := range []string{"apps/v1/Deployment", "v1/Service", "v1/Secret", "v1/ConfigMap", "v1/ServiceAccount", "networking.k8s.io/v1/NetworkPolicy"} {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(parseGVK(kind))
		if err := kube.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		for i := range list.Items {
			if refs := list.Items[i].OwnerReferences; len(refs) > 0 && refs[0].UID == owner {
				list.Items[i].SetGroupVersionKind(parseGVK(kind))
				remove(t, &list.Items[i])
			}
		}
	}
}

// certificate is what clients are shown, verified with what is published.
func certificate(t *testing.T, namespace, server string) *x509.Certificate {
	t.Helper()
	return certificateAt(t, namespace, server, clock.Now())
}

func certificateAt(t *testing.T, namespace, server string, now time.Time) *x509.Certificate {
	t.Helper()
	var secret corev1.Secret
	var bundle corev1.ConfigMap
	get(t, namespace, render.TLSSecretName(server), &secret)
	get(t, namespace, render.CAConfigMapName(server), &bundle)
	block, _ := pem.Decode(secret.Data[corev1.TLSCertKey])
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(bundle.Data[render.KeyCACert]))
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now}); err != nil {
		t.Errorf("the published bundle does not verify the certificate: %v", err)
	}
	return cert
}

// What one tenant has signed, clients of another's server do not trust.
func TestEachServerHasAnAuthorityOfItsOwn(t *testing.T) {
	victim, attacker := newServer(namespace(t), "files"), newServer(namespace(t), "files")
	attacker.Spec.Passive.Addresses = []v1alpha1.PassiveAddress{{Address: "files." + victim.Namespace + ".svc.cluster.local"}}
	create(t, victim)
	create(t, attacker)
	for _, s := range []*v1alpha1.FTPServer{victim, attacker} {
		runPods(t, s.Namespace, "files")
		reaches(t, s, kstatus.CurrentStatus)
	}
	var bundle corev1.ConfigMap
	get(t, victim.Namespace, render.CAConfigMapName("files"), &bundle)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(bundle.Data["ca.crt"])) {
		t.Fatal("no bundle")
	}
	name := "files." + victim.Namespace + ".svc.cluster.local"
	if _, err := certificate(t, victim.Namespace, "files").Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: clock.Now()}); err != nil {
		t.Error(err)
	}
	if _, err := certificate(t, attacker.Namespace, "files").Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: clock.Now()}); err == nil {
		t.Error("a certificate that another tenant asked for is trusted")
	}
}

func TestCertificateIsRenewedAtTwoThirdsOfItsLife(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	first := certificate(t, ns, "files")
	for _, name := range []string{"files", "files." + ns + ".svc.cluster.local"} {
		if !slices.Contains(first.DNSNames, name) {
			t.Errorf("the certificate lacks the name %s", name)
		}
	}
	if len(first.IPAddresses) != 1 {
		t.Errorf("the certificate has the addresses %v, want the cluster IP", first.IPAddresses)
	}
	clock.Advance(pki.DefaultLifetimes.Leaf/3*2 - 2*time.Hour)
	reconcileAll(t, ns, "files")
	if early := certificate(t, ns, "files"); !early.Equal(first) {
		t.Error("the certificate was renewed early")
	}
	clock.Advance(4 * time.Hour)
	reconcileAll(t, ns, "files")
	if renewed := certificate(t, ns, "files"); renewed.Equal(first) {
		t.Error("the certificate was not renewed")
	}
	reaches(t, server, kstatus.CurrentStatus)
}

// Two operators that start at once agree on one authority.
func TestOneAuthority(t *testing.T) {
	server := newServer(namespace(t), "files")
	server.UID = "one"
	var wg sync.WaitGroup
	found := make([]string, 8)
	for i := range found {
		wg.Go(func() {
			s, err := serverReconciler.madeOnce(t.Context(), &scope{server: server}, render.AuthoritySecretName("files"), func() (*corev1.Secret, error) {
				pair, err := pki.NewCA("files", clock.Now(), time.Hour)
				return render.Authority(server, pki.Stored{Signing: pair}), err
			})
			if err != nil || s == nil {
				t.Error(s, err)
				return
			}
			found[i] = string(s.Data[corev1.TLSCertKey])
		})
	}
	wg.Wait()
	if n := len(slices.Compact(slices.Sorted(slices.Values(found)))); n != 1 {
		t.Errorf("there are %d authorities", n)
	}
}
