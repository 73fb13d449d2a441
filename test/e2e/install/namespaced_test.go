package install

import (
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

func serverIn(t *testing.T, namespace string) *v1alpha1.FTPServer {
	t.Helper()
	server := &v1alpha1.FTPServer{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "files"}}
	get(t, server)
	return server
}

// served gives the operator its rights in a namespace.
func served(t *testing.T, namespace string) {
	t.Helper()
	kubectl(t, "apply", "--server-side", "-n", namespace, "-k", filepath.Join(current.config, "namespaced/served"))
}

// TestNamespaced: an operator without any right over the cluster serves the
// namespaces that it was given, and no other; one that is missing holds up none.
func TestNamespaced(t *testing.T) {
	remove(t)
	current.applyCRDs(t)
	a, b, other := newNamespace(t), newNamespace(t), newNamespace(t)
	late := strings.Replace(other, "install", "late", 1) // nobody has made it yet
	served(t, a)
	served(t, b)
	manifest, err := current.manifest(soon(t), "namespaced", current.server, a, b, late)
	must(t, err)
	must(t, apply(soon(t), manifest))
	leads(t, current.operator)
	noClusterRights(t, a, other)

	log := kubectl(t, "-n", operatorNamespace, "logs", "deployment/ftp-operator")
	if !strings.Contains(log, "Namespace is not served") || !strings.Contains(log, late) {
		t.Errorf("The log does not say that %s is not served:\n%s", late, log)
	}
	stranger, _ := newServer(t, other, nil)
	for _, ns := range []string{a, b} {
		server, user := serving(t, ns, nil)
		works(t, connection(t, server, user), "/file")
	}
	untouched(t, stranger)

	t.Run("a namespace that comes later", func(t *testing.T) {
		before, _ := operatorPod(t)
		namespace(t, metav1.ObjectMeta{Name: late})
		served(t, late)
		serving(t, late, nil)
		if after, _ := operatorPod(t); after.UID != before.UID || after.Status.ContainerStatuses[0].RestartCount != 0 {
			t.Error("The operator's pod was replaced or restarted")
		}
		untouched(t, stranger)
	})
	t.Run("rights that are withdrawn", func(t *testing.T) {
		binding := []string{"-n", b, "delete", "rolebinding", "ftp-operator-served"}
		good, poor := serverIn(t, a), serverIn(t, b)
		kubectl(t, binding...)
		waiting := newUser(t, poor, "bob")
		eventually(t, func() string {
			if strings.Contains(kubectl(t, "-n", operatorNamespace, "logs", "deployment/ftp-operator"), "is forbidden") {
				return ""
			}
			return "the operator has not met the missing right"
		})
		ready(t, newUser(t, good, "bob"))
		served(t, b)
		ready(t, waiting)

		kubectl(t, binding...)
		restartOperator(t) // also with a cache that is made anew
		ready(t, newUser(t, good, "carol"))
	})
	t.Run("one more namespace", func(t *testing.T) {
		served(t, other)
		kubectl(t, "-n", operatorNamespace, "set", "env", "deployment/ftp-operator", "NAMESPACES="+strings.Join([]string{a, b, other}, ","))
		ready(t, stranger)
	})
}

// TestNamespacedHelm: the same by the chart, which grants the rights itself.
func TestNamespacedHelm(t *testing.T) {
	onlyFull(t)
	remove(t)
	current.applyCRDs(t)
	a, b, other := newNamespace(t), newNamespace(t), newNamespace(t)
	set := func(namespaces ...string) []string {
		return chart("--set", "crds.install=false", "--set", "watchNamespaces={"+strings.Join(namespaces, ",")+"}")
	}
	helm(t, append([]string{"install", "--create-namespace"}, set(a)...)...)
	leads(t, current.operator)
	noClusterRights(t, a, other)
	server, user := serving(t, a, nil)
	stranger, _ := newServer(t, other, nil)
	added, _ := newServer(t, b, nil)
	works(t, connection(t, server, user), "/file")
	untouched(t, added)

	helm(t, append([]string{"upgrade"}, set(a, b)...)...)
	ready(t, added)
	untouched(t, stranger)
	helm(t, "uninstall", "ftp-operator", "--namespace", operatorNamespace, "--wait")
	works(t, connection(t, server, user), "/without-operator")
}

// noClusterRights finds that the operator may read what it must in one
// namespace, and nothing in another or in all.
func noClusterRights(t *testing.T, served, other string) {
	t.Helper()
	// What kubectl auth can-i asks.
	may := func(verb string, r metav1.GroupResource, namespace string) bool {
		t.Helper()
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               operatorAccount,
			Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:" + operatorNamespace, "system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Group: r.Group, Resource: r.Resource, Verb: verb},
		}}
		must(t, kube.Create(soon(t), review))
		return review.Status.Allowed
	}
	for _, r := range []metav1.GroupResource{
		{Resource: "secrets"}, {Resource: "pods"}, {Resource: "configmaps"}, {Group: "ftp-operator.io", Resource: "ftpservers"}, {Group: "apps", Resource: "deployments"},
	} {
		for _, verb := range []string{"list", "watch"} {
			if !may(verb, r, served) {
				t.Errorf("It may not %s %s in a namespace that it serves", verb, r.Resource)
			}
		}
		for _, verb := range []string{"get", "list", "watch", "create", "patch"} {
			for _, namespace := range []string{other, "kube-system", ""} {
				if may(verb, r, namespace) {
					t.Errorf("It may %s %s in %q", verb, r.Resource, namespace)
				}
			}
		}
	}
	var bindings rbacv1.ClusterRoleBindingList
	must(t, kube.List(soon(t), &bindings))
	for _, binding := range bindings.Items {
		for _, s := range binding.Subjects {
			if s.Kind == rbacv1.ServiceAccountKind && s.Name == "ftp-operator" {
				t.Errorf("The ClusterRoleBinding %s is for the operator", binding.Name)
			}
		}
	}
}

// untouched finds that nobody has acted on a server.
func untouched(t *testing.T, s *v1alpha1.FTPServer) {
	t.Helper()
	get(t, s)
	if len(s.Status.Conditions) > 0 || s.Status.ObservedGeneration > 0 {
		t.Errorf("Somebody has acted on the server in %s: %+v", s.Namespace, s.Status)
	}
	var deployments appsv1.DeploymentList
	must(t, kube.List(soon(t), &deployments, client.InNamespace(s.Namespace)))
	var secrets corev1.SecretList
	must(t, kube.List(soon(t), &secrets, client.InNamespace(s.Namespace)))
	if len(deployments.Items)+len(secrets.Items) > 0 {
		t.Errorf("Somebody has made objects in %s", s.Namespace)
	}
}

func restartOperator(t *testing.T) {
	t.Helper()
	pod, problem := operatorPod(t)
	if problem != "" {
		t.Fatal(problem)
	}
	must(t, kube.Delete(soon(t), &pod))
	eventually(t, func() string {
		if now, problem := operatorPod(t); problem != "" || now.UID == pod.UID {
			return "the old pod is still there: " + problem
		}
		return ""
	})
	leads(t, current.operator)
}

// split divides an image's name into repository and tag.
func split(image string) (repository, tag string) {
	i := strings.LastIndex(image, ":")
	return image[:i], image[i+1:]
}
