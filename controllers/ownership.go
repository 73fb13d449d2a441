package controllers

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

var (
	// errNameTaken: an object of that name is somebody else's.
	errNameTaken = errors.New("the name is taken")
	// errLeaving: an object of that name is about to go; its end wakes us.
	errLeaving = errors.New("an object of that name is still being deleted")
	// errOthersLeaving is errLeaving of an object that is not ours, so that
	// nothing may use it meanwhile.
	errOthersLeaving = fmt.Errorf("%w, and was another's", errLeaving)
)

// ours tells whether the server may write the object: the error is errNameTaken
// or errLeaving. A retained claim has no owner and is taken up again.
func ours(owner *v1alpha1.FTPServer, found client.Object) error {
	if metav1.GetControllerOf(found) == nil && retained(owner, found) {
		return leaving(found)
	}
	return belongs(found, owner, v1alpha1.FTPServerKind)
}

// belongs tells whether an object is controlled by an owner of the kind, and
// stays. What an earlier owner of the same name has left is about to be
// collected.
func belongs(found, owner client.Object, kind string) error {
	controller := metav1.GetControllerOf(found)
	switch {
	case controller != nil && controller.UID == owner.GetUID():
		return leaving(found)
	case leaving(found) != nil,
		controller != nil && refersTo(controller, kind) && controller.Name == owner.GetName():
		return errOthersLeaving
	}
	return errNameTaken
}

func leaving(found client.Object) error {
	if found.GetDeletionTimestamp().IsZero() {
		return nil
	}
	return errLeaving
}

// refersTo tells whether a reference is to a kind of this API, in any version.
func refersTo(ref *metav1.OwnerReference, kind string) bool {
	group, err := schema.ParseGroupVersion(ref.APIVersion)
	return err == nil && group.Group == v1alpha1.GroupVersion.Group && ref.Kind == kind
}

func retained(owner *v1alpha1.FTPServer, found client.Object) bool {
	labels := found.GetLabels()
	return found.GetName() == render.ClaimName(owner.Name) &&
		labels[render.LabelManagedBy] == render.FieldOwner && labels[render.LabelServer] == owner.Name &&
		isClaim(found)
}

func isClaim(found client.Object) bool {
	if m, ok := found.(*metav1.PartialObjectMetadata); ok {
		return m.Kind == "PersistentVolumeClaim"
	}
	_, ok := found.(*corev1.PersistentVolumeClaim)
	return ok
}
