package render

import (
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// FieldOwner is the operator's name in server-side apply.
const FieldOwner = "ftp-operator"

// Labels on what the operator makes.
const (
	LabelName      = "app.kubernetes.io/name"
	LabelInstance  = "app.kubernetes.io/instance"
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// LabelServer is the name of the FTPServer. Unlike the instance label no
	// other tool gives it a meaning, so that a retained claim can carry it.
	LabelServer = "ftp-operator.io/server"
	// LabelSlot is the number of a replica.
	LabelSlot = "ftp-operator.io/slot"
	// LabelFront is on the pods of the front, which are no replicas.
	LabelFront      = "ftp-operator.io/front"
	frontLabelValue = "true"

	appName = "ftpserver"
)

// AnnotationPoked is what the operator changes on a pod to have the kubelet
// refresh its volumes.
const AnnotationPoked = "ftp-operator.io/poked"

// AnnotationTemplate is on the Deployments: what identifies the pod template that
// they were rendered with.
const AnnotationTemplate = "ftp-operator.io/template"

// AnnotationRotated is on the Secret with a generated password: the value of
// v1alpha1.AnnotationRotatePassword that the password was made for.
const AnnotationRotated = "ftp-operator.io/rotated"

// Keys of the Secrets and of the ConfigMap.
const (
	KeyStatusToken = "status-token"
	KeyStatusCert  = "status.crt"
	KeyStatusKey   = "status.key"
	KeyCACert      = "ca.crt"
	KeySalt        = "password-salt"
	KeyUsername    = "username"
	KeyPassword    = "password"

	// Of the authority, beside what signs: what is to sign next, since when that
	// is published, and what has signed before.
	keyNextCert      = "next.crt"
	keyNextKey       = "next.key"
	keyNextPublished = "next-published"
	keyPreviousCert  = "previous.crt"
)

// GivenCertKey and GivenKeyKey are where the Secret with the certificates holds
// a given one. The schema keeps the names of the operator's own from being given.
func GivenCertKey(name string) string { return name + ".crt" }

// GivenKeyKey is the key of the private key.
func GivenKeyKey(name string) string { return name + ".key" }

// The names of a server's children.

// ServiceName is the Service that clients connect to.
func ServiceName(server string) string { return server }

// SlotsServiceName is the headless Service that gives each replica a name.
func SlotsServiceName(server string) string { return server + "-slots" }

// FrontName is the front's Deployment, and what belongs to it.
func FrontName(server string) string { return server + "-front" }

// ServiceAccountName is the pods' ServiceAccount.
func ServiceAccountName(server string) string { return server }

// DeploymentName is the Deployment of a slot.
func DeploymentName(server string, slot int) string { return fmt.Sprintf("%s-%d", server, slot) }

// ClaimName is the PersistentVolumeClaim that the operator makes.
func ClaimName(server string) string { return server + "-data" }

// ConfigSecretName is the Secret with the configuration.
func ConfigSecretName(server string) string { return server + "-config" }

// UsersSecretName is the Secret with the users of a shard.
func UsersSecretName(server string, shard int) string {
	return fmt.Sprintf("%s-users-%d", server, shard)
}

// TLSSecretName is the Secret with the certificate that clients see.
func TLSSecretName(server string) string { return server + "-tls" }

// KeysSecretName is the Secret with the key that passwords are salted with. No
// pod mounts it.
func KeysSecretName(server string) string { return server + "-keys" }

// AuthoritySecretName is the Secret with the server's certificate authority. No
// pod mounts it.
func AuthoritySecretName(server string) string { return server + "-authority" }

// CAConfigMapName is the ConfigMap with the certificates to verify the server's.
func CAConfigMapName(server string) string { return server + "-ca" }

// NetworkPolicyName is the NetworkPolicy of the pods.
func NetworkPolicyName(server string) string { return server + "-ftp" }

// DisruptionBudgetName is the PodDisruptionBudget of the pods.
func DisruptionBudgetName(server string) string { return server + "-ftp" }

// PasswordSecretName is the Secret with the password made for an FTPUser.
func PasswordSecretName(user string) string { return user + "-password" }

// StatusHost is the name in the certificate of the pods' /status. It resolves
// nowhere: the operator dials the pod's address and verifies this name.
func StatusHost(s *v1alpha1.FTPServer) string {
	return fmt.Sprintf("%s.%s.status.ftp-operator.io", s.Name, s.Namespace)
}

// ManagedSelector selects everything that the operator makes for servers.
func ManagedSelector() labels.Selector {
	return labels.SelectorFromSet(labels.Set{LabelManagedBy: FieldOwner})
}

// The selectors of a server's pods. They are immutable in Kubernetes and
// so they are here.

// ServiceSelector selects the pods of all slots, and of the front. Which of them
// a port of the Service leads to, its target's name says.
func ServiceSelector(server string) map[string]string {
	return map[string]string{LabelName: appName, LabelServer: server}
}

// ScaleSelector selects the pods that count as replicas.
func ScaleSelector(server string) *metav1.LabelSelector {
	return &metav1.LabelSelector{
		MatchLabels:      ServiceSelector(server),
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: LabelSlot, Operator: metav1.LabelSelectorOpExists}},
	}
}

// SlotSelector selects the pods of one slot.
func SlotSelector(server string, slot int) map[string]string {
	m := ServiceSelector(server)
	m[LabelSlot] = strconv.Itoa(slot)
	return m
}

// FrontSelector selects the pods of the front.
func FrontSelector(server string) map[string]string {
	m := ServiceSelector(server)
	m[LabelFront] = frontLabelValue
	return m
}

// OfFront tells that a pod is one of the front.
func OfFront(o metav1.Object) bool { return o.GetLabels()[LabelFront] != "" }

// SlotOf is the number of the slot that an object belongs to, by its label.
func SlotOf(o metav1.Object) (number int, ok bool) {
	number, err := strconv.Atoi(o.GetLabels()[LabelSlot])
	return number, err == nil && number >= 0
}

// Labels select what was made for a server.
func Labels(server string) map[string]string { return retainedLabels(server) }

// childLabels are on every child that goes with the server.
func childLabels(server string) map[string]string {
	m := retainedLabels(server)
	m[LabelInstance] = server
	return m
}

// retainedLabels are on a claim that may outlive the server: nothing that a
// GitOps tool prunes by.
func retainedLabels(server string) map[string]string {
	return map[string]string{LabelName: appName, LabelManagedBy: FieldOwner, LabelServer: server}
}
