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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

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
	drifted := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "files-0"}}
	change(t, drifted, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "other" })
	reportDeployment(t, drifted, 1) // as Kubernetes acts on it first
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
