package controllers

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// generatedPassword is how many random bytes a password is made of. As text
// they are 32 characters.
const generatedPassword = 24

// rotationAsked passes changes of the annotation that asks for a new password.
var rotationAsked = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetAnnotations()[v1alpha1.AnnotationRotatePassword] != e.ObjectNew.GetAnnotations()[v1alpha1.AnnotationRotatePassword]
	},
}

// password makes the Secret with the user's password where the spec names none.
// It is made once, and anew where that is asked for. problem tells that the name
// can't be had.
func (r *FTPUserReconciler) password(ctx context.Context, u *v1alpha1.FTPUser) (problem *policy.Finding, err error) {
	if u.Spec.PasswordSecretRef != nil {
		return nil, nil
	}
	key := client.ObjectKey{Namespace: u.Namespace, Name: render.PasswordSecretName(u.Name)}
	m, err := r.secrets.metadata(ctx, key)
	if err != nil {
		return nil, err
	}
	if m == nil {
		found, err := r.secrets.createOnce(ctx, r.Client, render.Password(u, randomText(generatedPassword)))
		if err != nil || found == nil {
			return nil, err
		}
		return passwordProblem(u, found), nil
	}
	if problem = passwordProblem(u, m); problem != nil {
		return problem, nil
	}
	return nil, r.rotate(ctx, u, m)
}

// rotate puts a new password in the user's Secret where one was asked for that
// was not made yet. The version that was judged goes along, so that of two
// operators one makes it.
func (r *FTPUserReconciler) rotate(ctx context.Context, u *v1alpha1.FTPUser, m *metav1.PartialObjectMetadata) error {
	asked := u.Annotations[v1alpha1.AnnotationRotatePassword]
	if asked == "" || m.Annotations[render.AnnotationRotated] == asked {
		return nil
	}
	before := &corev1.Secret{}
	before.Namespace, before.Name, before.ResourceVersion = m.Namespace, m.Name, m.ResourceVersion
	after := before.DeepCopy()
	after.Annotations = map[string]string{render.AnnotationRotated: asked}
	after.Data = map[string][]byte{render.KeyPassword: []byte(randomText(generatedPassword))}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	return client.IgnoreNotFound(r.Client.Patch(ctx, after, patch, client.FieldOwner(fieldOwner)))
}

// passwordProblem judges what stands where the user's password would be made;
// it is nil where that is the user's own. Its end wakes us.
func passwordProblem(u *v1alpha1.FTPUser, found client.Object) *policy.Finding {
	err := belongs(found, u, v1alpha1.FTPUserKind)
	if err == nil {
		return nil
	}
	problem := policy.PasswordNameTaken(found.GetName())
	if errors.Is(err, errLeaving) {
		problem = policy.ChildLeaving("Secret " + found.GetName())
	}
	return &problem
}
