package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

const (
	operatorNamespace = "ftp-operator-system"
	operatorAccount   = "system:serviceaccount:" + operatorNamespace + ":ftp-operator"
)

// onlyFull leaves a test out of the gate.
func onlyFull(t *testing.T) {
	t.Helper()
	if os.Getenv("FTP_TEST_FULL") == "" {
		t.Skip("Only in make test-full")
	}
}

// command runs a program and returns what it prints; the error has the rest.
func command(ctx context.Context, input, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

func kubectlProgram() string {
	if found, err := exec.LookPath("kubectl"); err == nil {
		return found
	}
	return filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
}

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := command(soon(t), "", kubectlProgram(), args...)
	must(t, err)
	return strings.TrimSpace(out)
}

func helm(t *testing.T, args ...string) string {
	t.Helper()
	tool, err := command(t.Context(), "", filepath.Join(root, "hack/tools/install.sh"), "helm")
	must(t, err)
	out, err := command(soon(t), "", strings.TrimSpace(tool), args...)
	must(t, err)
	return out
}

// manifest is what a kustomization of the release makes, with its images.
func (r release) manifest(ctx context.Context, dir, serverImage string, namespaces ...string) (string, error) {
	out, err := command(ctx, "", kubectlProgram(), "kustomize", filepath.Join(r.config, dir))
	out = strings.ReplaceAll(out, "localhost/ftp-operator:dev", r.operator)
	out = strings.ReplaceAll(out, "localhost/ftpserver:dev", serverImage)
	return strings.Replace(out, `name: NAMESPACES
          value: ""`, `name: NAMESPACES
          value: `+strings.Join(namespaces, ","), 1), err
}

func apply(ctx context.Context, manifest string) error {
	_, err := command(ctx, manifest, kubectlProgram(), "apply", "--server-side", "--force-conflicts", "-f", "-")
	return err
}

// applyCRDs installs the release's definitions.
func (r release) applyCRDs(t *testing.T) {
	t.Helper()
	kubectl(t, "apply", "--server-side", "--force-conflicts", "-k", filepath.Join(r.config, "crd"))
	kubectl(t, "wait", "--for=condition=Established", "--timeout=60s", "crd/ftpservers.ftp-operator.io", "crd/ftpusers.ftp-operator.io")
}

// install installs the operator for all namespaces, with kustomize, or puts it
// in the place of another version. Servers that name no image run serverImage.
func (r release) install(t *testing.T, serverImage string) {
	t.Helper()
	manifest, err := r.manifest(soon(t), "default", serverImage)
	must(t, err)
	must(t, apply(soon(t), manifest))
	leads(t, r.operator)
}

// leads waits until the one pod of the operator runs the image and holds the lease.
func leads(t *testing.T, image string) {
	t.Helper()
	kubectl(t, "-n", operatorNamespace, "rollout", "status", "deployment/ftp-operator", "--timeout=100s")
	eventually(t, func() string {
		pod, problem := operatorPod(t)
		if problem != "" {
			return problem
		}
		if got := pod.Spec.Containers[0].Image; got != image {
			return "the operator still runs " + got
		}
		var lease coordinationv1.Lease
		if err := kube.Get(soon(t), client.ObjectKey{Namespace: operatorNamespace, Name: "ftp-operator"}, &lease); err != nil {
			return err.Error()
		}
		if holder := ptr.Deref(lease.Spec.HolderIdentity, ""); !strings.HasPrefix(holder, pod.Name+"_") {
			return fmt.Sprintf("%q holds the lease and not %s", holder, pod.Name)
		}
		return ""
	})
}

// operatorPod is the one pod of the operator.
func operatorPod(t *testing.T) (pod corev1.Pod, problem string) {
	t.Helper()
	var list corev1.PodList
	must(t, kube.List(soon(t), &list, client.InNamespace(operatorNamespace), client.MatchingLabels{"app.kubernetes.io/name": "ftp-operator"}))
	if len(list.Items) != 1 {
		return pod, fmt.Sprintf("the operator has %d pods", len(list.Items))
	}
	return list.Items[0], ""
}

// passed waits until the operator that runs now has worked on every server and
// every user at least once.
func passed(t *testing.T) {
	t.Helper()
	var servers v1alpha1.FTPServerList
	var users v1alpha1.FTPUserList
	must(t, errors.Join(kube.List(soon(t), &servers), kube.List(soon(t), &users)))
	want := map[string]int{"ftpserver": len(servers.Items), "ftpuser": len(users.Items)}
	eventually(t, func() string {
		pod, problem := operatorPod(t)
		if problem != "" {
			return problem
		}
		text, err := command(soon(t), "", kubectlProgram(), "get", "--raw",
			fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:8080/proxy/metrics", operatorNamespace, pod.Name))
		if err != nil {
			return err.Error()
		}
		for controller, n := range want {
			if done := passes(text, controller); done < n {
				return fmt.Sprintf("the operator has made %d passes over %d objects of %s", done, n, controller)
			}
		}
		return ""
	})
}

// passes reads from the operator's metrics how many passes it has ended without
// an error.
func passes(metrics, controller string) int {
	n := 0
	for _, m := range regexp.MustCompile(`(?m)^controller_runtime_reconcile_total\{controller="`+controller+`",result="(\w+)"\} (\d+)$`).FindAllStringSubmatch(metrics, -1) {
		if count, err := strconv.Atoi(m[2]); err == nil && m[1] != "error" {
			n += count
		}
	}
	return n
}

// remove removes whatever operator there is, but not the definitions.
func remove(t *testing.T) {
	t.Helper()
	if strings.Contains(helm(t, "list", "--namespace", operatorNamespace, "--short"), "ftp-operator") {
		helm(t, "uninstall", "ftp-operator", "--namespace", operatorNamespace, "--wait")
	}
	kubectl(t, "delete", "--ignore-not-found", "-k", filepath.Join(current.config, "default"))
	var d appsv1.Deployment
	if err := kube.Get(soon(t), client.ObjectKey{Namespace: operatorNamespace, Name: "ftp-operator"}, &d); !apierrors.IsNotFound(err) {
		t.Fatalf("The operator is still there: %v", err)
	}
}

// putBack leaves the cluster with the current operator for all namespaces.
func putBack() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, dir := range []string{"crd", "default"} {
		manifest, err := current.manifest(ctx, dir, current.server)
		if err != nil {
			return err
		}
		if err := apply(ctx, manifest); err != nil {
			return err
		}
	}
	_, err := command(ctx, "", kubectlProgram(), "-n", operatorNamespace, "rollout", "status", "deployment/ftp-operator", "--timeout=100s")
	return err
}
