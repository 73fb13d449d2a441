package controllers

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
// It is made once, and anew where that is asked for. has tells that the password
// has a place that is the user's; problem that the name can't be had, or that
// Kubernetes will not have the Secret.
func (r *FTPUserReconciler) password(ctx context.Context, u *v1alpha1.FTPUser) (has bool, problem *policy.Finding, err error) {
	if u.Spec.PasswordSecretRef != nil {
		return true, nil, nil
	}
	key := client.ObjectKey{Namespace: u.Namespace, Name: render.PasswordSecretName(u.Name)}
	m, err := r.secrets.metadata(ctx, key)
	if err != nil {
		return false, nil, err
	}
	if m == nil {
		wanted := render.Password(u, randomText(generatedPassword))
		found, err := r.secrets.createOnce(ctx, r.Client, wanted)
		if rejected(err) {
			return false, refusedPassword(wanted, err), nil
		}
		if err != nil || found == nil {
			return false, nil, err
		}
		problem = passwordProblem(u, found)
		return problem == nil, problem, nil
	}
	if problem = passwordProblem(u, m); problem != nil {
		return false, problem, nil
	}
	problem, err = r.rotate(ctx, u, m)
	return true, problem, err
}

// rotate puts a new password in the user's Secret where one was asked for that
// was not made yet; problem tells that Kubernetes will not have it. What was made
// is read from the API server, as the cache keeps no annotations of a Secret that
// has lost the operator's label. The version that was read goes along, so that of
// two operators one makes it.
func (r *FTPUserReconciler) rotate(ctx context.Context, u *v1alpha1.FTPUser, m *metav1.PartialObjectMetadata) (problem *policy.Finding, err error) {
	asked := u.Annotations[v1alpha1.AnnotationRotatePassword]
	if asked == "" || m.Annotations[render.AnnotationRotated] == asked {
		return nil, nil
	}
	found, err := r.secrets.content(ctx, client.ObjectKeyFromObject(m))
	if err != nil || found == nil || found.Annotations[render.AnnotationRotated] == asked {
		return nil, err
	}
	if problem = passwordProblem(u, found); problem != nil {
		return problem, nil
	}
	after := render.Rotated(found, asked, randomText(generatedPassword))
	patch := client.MergeFromWithOptions(found, client.MergeFromWithOptimisticLock{})
	err = r.Client.Patch(ctx, after, patch, client.FieldOwner(fieldOwner))
	switch {
	case apierrors.IsInvalid(err):
		refused := policy.RotationRefused(found.Name)
		return &refused, nil
	case rejected(err):
		return refusedPassword(after, err), nil
	}
	return nil, client.IgnoreNotFound(err)
}

// refusedPassword is the finding for a Secret with a password that Kubernetes
// refuses. What it says is told without the password, in clear or as it was sent:
// a policy may quote anything.
func refusedPassword(s *corev1.Secret, err error) *policy.Finding {
	password := s.Data[render.KeyPassword]
	said := strings.NewReplacer(string(password), "…", base64.StdEncoding.EncodeToString(password), "…").Replace(err.Error())
	refused := policy.PasswordRefused(s.Name, said)
	return &refused
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
