package render

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// Password is the Secret with the password made for a user. It goes with the
// user. It is made once, and anew where the user's annotation asks for it:
// whoever reads it may keep it.
func Password(u *v1alpha1.FTPUser, password string) *corev1.Secret {
	owner := metav1.NewControllerRef(u, v1alpha1.GroupVersion.WithKind(v1alpha1.FTPUserKind))
	made := secret(metav1.ObjectMeta{
		Name:            PasswordSecretName(u.Name),
		Namespace:       u.Namespace,
		Labels:          map[string]string{LabelName: appName, LabelManagedBy: FieldOwner},
		OwnerReferences: []metav1.OwnerReference{*owner},
	}, corev1.SecretTypeBasicAuth, map[string][]byte{
		KeyUsername: []byte(u.Username()),
		KeyPassword: []byte(password),
	})
	if asked := u.Annotations[v1alpha1.AnnotationRotatePassword]; asked != "" {
		made.Annotations = map[string]string{AnnotationRotated: asked}
	}
	return made
}

// Rotated is the Secret with another password, made because the user's
// annotation has this value. It has the operator's label again, should that have
// been lost.
func Rotated(found *corev1.Secret, asked, password string) *corev1.Secret {
	after := found.DeepCopy()
	metav1.SetMetaDataLabel(&after.ObjectMeta, LabelManagedBy, FieldOwner)
	metav1.SetMetaDataAnnotation(&after.ObjectMeta, AnnotationRotated, asked)
	if after.Data == nil {
		after.Data = map[string][]byte{}
	}
	after.Data[KeyPassword] = []byte(password)
	return after
}
