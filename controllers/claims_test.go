package controllers

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// storageClass makes a class of a name of its own, whose volumes grow or not.
func storageClass(t *testing.T, grows bool, annotations map[string]string) *storagev1.StorageClass {
	t.Helper()
	class := &storagev1.StorageClass{
		ObjectMeta:  metav1.ObjectMeta{GenerateName: "test-", Annotations: annotations},
		Provisioner: "example.com/none", AllowVolumeExpansion: &grows,
	}
	create(t, class)
	t.Cleanup(func() { remove(t, class) })
	return class
}

// ofClass has a server's volume be of a class, in Gi.
func ofClass(class string, gi int) func(*v1alpha1.FTPServer) {
	return func(s *v1alpha1.FTPServer) {
		size := resource.MustParse(fmt.Sprintf("%dGi", gi))
		s.Spec.Storage.Volume.Size = &size
		s.Spec.Storage.Volume.StorageClassName = &class
	}
}

// boundServer is a server whose claim of 1 Gi is bound.
func boundServer(t *testing.T, namespace, class string) (*v1alpha1.FTPServer, *corev1.PersistentVolumeClaim) {
	t.Helper()
	server := newServer(namespace, "files", ofClass(class, 1))
	create(t, server)
	runPods(t, namespace, "files")
	claim := &corev1.PersistentVolumeClaim{}
	get(t, namespace, "files-data", claim)
	claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	if err := kube.Status().Update(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	reaches(t, server, kstatus.CurrentStatus)
	return server, claim
}

func TestVolumeGrows(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	class := storageClass(t, true, nil)
	server, claim := boundServer(t, ns, class.Name)
	change(t, server, ofClass(class.Name, 2))
	eventually(t, func() error {
		get(t, ns, "files-data", claim)
		if got := claim.Spec.Resources.Requests.Storage().String(); got != "2Gi" {
			return fmt.Errorf("it asks for %s", got)
		}
		return nil
	})
	reaches(t, server, kstatus.CurrentStatus)
	quiet(t, ns, "files")
}

// A volume whose class does not let it grow is told of, and the old size taken
// back is as if nothing had been.
func TestVolumeOfAClassThatDoesNotGrow(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	class := storageClass(t, false, nil)
	server, claim := boundServer(t, ns, class.Name)
	change(t, server, ofClass(class.Name, 2))
	says(t, server, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonChildRejected)
	reaches(t, server, kstatus.FailedStatus)
	change(t, server, ofClass(class.Name, 1))
	reaches(t, server, kstatus.CurrentStatus)
	if get(t, ns, "files-data", claim); claim.Spec.Resources.Requests.Storage().String() != "1Gi" {
		t.Errorf("it asks for %v", claim.Spec.Resources.Requests)
	}
}

// A claim without a class has that of the cluster's default, by admission; it is
// not the operator's, and stays when the operator writes the claim again.
func TestDefaultStorageClassStays(t *testing.T) {
	class := storageClass(t, true, map[string]string{"storageclass.kubernetes.io/is-default-class": "true"})
	ns := namespace(t)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) { s.Spec.Storage.Volume.DeletionPolicy = v1alpha1.DeletionDelete })
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Storage.Volume.DeletionPolicy = v1alpha1.DeletionRetain })
	claim := &corev1.PersistentVolumeClaim{}
	eventually(t, func() error {
		if get(t, ns, "files-data", claim); len(claim.OwnerReferences) > 0 {
			return fmt.Errorf("it still has the owner %v", claim.OwnerReferences)
		}
		return nil
	})
	if claim.Spec.StorageClassName == nil || *claim.Spec.StorageClassName != class.Name {
		t.Errorf("its class is %v", claim.Spec.StorageClassName)
	}
	reaches(t, server, kstatus.CurrentStatus)
	quiet(t, ns, "files")
}

// The policy can change either way, and the claim is the same: with Delete it has
// the server as its owner, with Retain nobody.
func TestDeletionPolicyChanges(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	first := &corev1.PersistentVolumeClaim{}
	get(t, ns, "files-data", first)
	for _, policy := range []v1alpha1.DeletionPolicy{v1alpha1.DeletionDelete, v1alpha1.DeletionRetain, v1alpha1.DeletionDelete} {
		change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Storage.Volume.DeletionPolicy = policy })
		eventually(t, func() error {
			claim := &corev1.PersistentVolumeClaim{}
			get(t, ns, "files-data", claim)
			if owned := metav1.IsControlledBy(claim, server); claim.UID != first.UID || owned != (policy == v1alpha1.DeletionDelete) ||
				len(claim.OwnerReferences) > 1 {
				return fmt.Errorf("with %s it has the owners %v", policy, claim.OwnerReferences)
			}
			return nil
		})
		reaches(t, server, kstatus.CurrentStatus)
	}
}

// A retained claim has nothing of the server by which a tool would delete it.
func TestRetainedClaimIsNobodys(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	server := newServer(ns, "files")
	server.Labels = map[string]string{"app.kubernetes.io/instance": "argo", "kustomize.toolkit.fluxcd.io/name": "flux"}
	server.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "argo"}
	create(t, server)
	claim := &corev1.PersistentVolumeClaim{}
	eventually(t, func() error { return kube.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "files-data"}, claim) })
	if fmt.Sprint(claim.Labels) != fmt.Sprint(render.Labels("files")) || len(claim.Annotations)+len(claim.OwnerReferences) > 0 {
		t.Errorf("labels %v, annotations %v, owners %v", claim.Labels, claim.Annotations, claim.OwnerReferences)
	}
}

// A claim of the name that lacks the labels was made by somebody else: it is not
// taken up, though it has no owner either.
func TestUnlabelledClaimIsNotTakenUp(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	server := newServer(ns, "files")
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "files-data"}}
	claim.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: *server.Spec.Storage.Volume.Size}
	create(t, claim, server)
	says(t, server, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonNameTaken)
	change(t, claim, func(c *corev1.PersistentVolumeClaim) { c.SetLabels(render.Labels("files")) })
	eventually(t, func() error { // the operator itself looks again after pollNoted
		reconcileAll(t, ns, "files")
		if get(t, ns, "files", server); !meta.IsStatusConditionTrue(server.Status.Conditions, v1alpha1.ConditionAccepted) {
			return fmt.Errorf("not accepted: %+v", server.Status.Conditions)
		}
		return nil
	})
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
