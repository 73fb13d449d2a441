package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// The kinds of evidence. Each is a folder.
const (
	evidenceObjects   = "objects"       // all but Secrets, each version
	evidenceServers   = "server-logs"   // what FTP servers log
	evidenceOperator  = "operator-logs" // what the operator logs
	evidenceMetrics   = "metrics"       // the endpoints that need no token
	evidenceProcesses = "processes"     // command lines and environments
)

// evidence is all that can be seen of a run without the right to read Secrets,
// and the secrets themselves, for a search at the end. It gathers while tests
// run, as they remove their namespaces.
type evidence struct {
	dir string
	ctx context.Context

	mu      sync.Mutex
	secrets map[string]string // what each was for, by its text
	streams map[string]bool   // containers whose log is read
	wg      sync.WaitGroup
}

// seen is the evidence of this run.
var seen *evidence

// observed tells whether a namespace belongs to the tests, or is the operator's.
func observed(ns string) bool {
	return strings.HasPrefix(ns, "ftp-e2e-") || ns == operatorNamespace
}

// gatherEvidence starts.
func gatherEvidence() (*evidence, func(), error) {
	dir, err := os.MkdirTemp("", "ftp-e2e")
	if err != nil {
		return nil, nil, err
	}
	for _, kind := range []string{evidenceObjects, evidenceServers, evidenceOperator, evidenceMetrics, evidenceProcesses} {
		if err := os.Mkdir(filepath.Join(dir, kind), 0o700); err != nil {
			return nil, nil, err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &evidence{dir: dir, ctx: ctx, secrets: map[string]string{}, streams: map[string]bool{}}
	for _, list := range []client.ObjectList{
		&corev1.SecretList{}, &corev1.PodList{}, &corev1.EventList{}, &corev1.ServiceList{}, &corev1.ConfigMapList{},
		&appsv1.DeploymentList{}, &v1alpha1.FTPServerList{}, &v1alpha1.FTPUserList{},
	} {
		e.wg.Go(func() { e.watch(list) })
	}
	return e, func() {
		cancel()
		e.wg.Wait()
		_ = os.RemoveAll(dir)
	}, nil
}

// watch takes note of each version of each object of a kind.
func (e *evidence) watch(list client.ObjectList) {
	for e.ctx.Err() == nil {
		err := kube.List(e.ctx, list, notMany)
		if err == nil {
			_ = meta.EachListItem(list, func(o runtime.Object) error { e.see(o); return nil })
			err = e.events(list)
		}
		if err != nil && e.ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "e2e: evidence:", err)
			<-time.After(time.Second)
		}
	}
}

// notMany leaves out the Secrets of TestManySecrets, which are half a gigabyte.
var notMany = client.MatchingFieldsSelector{Selector: fields.OneTermNotEqualSelector("metadata.namespace", manyNamespace)}

func (e *evidence) events(list client.ObjectList) error {
	w, err := kube.Watch(e.ctx, list, notMany, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}})
	if err != nil {
		return err
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		e.see(event.Object)
	}
	return nil
}

// see takes note of one version of an object, and follows the log of a pod.
func (e *evidence) see(o runtime.Object) {
	accessor, ok := o.(client.Object)
	if !ok || !observed(accessor.GetNamespace()) {
		return
	}
	switch o := o.(type) {
	case *corev1.Secret:
		e.noteSecret(o)
		return
	case *corev1.Pod:
		for _, c := range o.Status.ContainerStatuses {
			if c.State.Running != nil {
				e.follow(o, c)
			}
		}
	}
	e.write(evidenceObjects, accessor.GetNamespace(), o)
}

// write appends text, or an object as JSON, to a file of a kind of evidence.
func (e *evidence) write(kind, name string, what any) {
	text, ok := what.([]byte)
	if !ok {
		var err error
		if text, err = json.Marshal(what); err != nil {
			panic(err) // objects come from the API
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	file, err := os.OpenFile(filepath.Join(e.dir, kind, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = file.Write(append(text, '\n'))
		_ = file.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e: evidence:", err)
	}
}

// follow reads the log of a container to its end.
func (e *evidence) follow(pod *corev1.Pod, c corev1.ContainerStatus) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.streams[c.ContainerID] {
		return
	}
	e.streams[c.ContainerID] = true
	kind := evidenceServers
	if pod.Namespace == operatorNamespace {
		kind = evidenceOperator
	}
	e.wg.Go(func() {
		stream, err := clients.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: true, Container: c.Name}).Stream(e.ctx)
		if err != nil {
			return // it is gone already
		}
		defer func() { _ = stream.Close() }()
		for b := make([]byte, 64<<10); ; {
			n, err := stream.Read(b)
			if n > 0 {
				e.write(kind, pod.Namespace+"-"+pod.Name, b[:n:n])
			}
			if err != nil {
				return
			}
		}
	})
}

// leaving gathers what goes with a namespace.
func (e *evidence) leaving(ctx context.Context, ns string) error {
	kinds, err := namespacedKinds()
	if err != nil {
		return err
	}
	objects, err := dynamic.NewForConfig(quietly())
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		if kind.Resource == "secrets" {
			continue
		}
		list, err := objects.Resource(kind).Namespace(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		e.write(evidenceObjects, ns, list)
	}
	if err := e.endpoints(ctx, ns); err != nil {
		return err
	}
	return e.processes(ctx)
}

// namespacedKinds are all kinds of the cluster that can be listed in a namespace.
var namespacedKinds = sync.OnceValues(func() (out []schema.GroupVersionResource, err error) {
	groups, err := discovery.ServerPreferredNamespacedResources(clients.Discovery())
	if err != nil {
		return nil, err
	}
	for _, group := range groups {
		gv, err := schema.ParseGroupVersion(group.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, kind := range group.APIResources {
			if slices.Contains(kind.Verbs, "list") {
				out = append(out, gv.WithResource(kind.Name))
			}
		}
	}
	return out, nil
})

// quietly is for clients that ask for everything, also for what is deprecated.
func quietly() *rest.Config {
	cfg := rest.CopyConfig(cluster)
	cfg.WarningHandler = rest.NoWarnings{}
	return cfg
}

// endpoints reads what pods tell everybody.
func (e *evidence) endpoints(ctx context.Context, ns string) error {
	var all corev1.PodList
	if err := kube.List(ctx, &all, client.InNamespace(ns)); err != nil {
		return err
	}
	for _, pod := range all.Items {
		for _, path := range []string{"metrics", "healthz", "readyz", "status"} {
			text, err := clients.CoreV1().RESTClient().Get().Namespace(ns).Resource("pods").
				Name(pod.Name + ":8080").SubResource("proxy").Suffix(path).DoRaw(ctx)
			if err == nil { // a pod that does not run tells nothing
				e.write(evidenceMetrics, ns+"-"+pod.Name, text)
			}
		}
	}
	return nil
}

// processes reads the command lines and environments of both programs, on every
// node.
func (e *evidence) processes(ctx context.Context) error {
	if len(node) == 0 {
		return nil
	}
	const script = `
for d in /proc/[0-9]*; do
	case $(readlink "$d/exe") in */ftpserver | */ftp-operator) cat "$d/cmdline" "$d/environ" ;; esac
done 2>/dev/null
true`
	var nodes corev1.NodeList
	if err := kube.List(ctx, &nodes); err != nil {
		return err
	}
	for _, n := range nodes.Items {
		args := slices.Concat(node, []string{nodeNumber(n.Name), "sh", "-c", script})
		text, err := exec.CommandContext(ctx, args[0], args[1:]...).Output()
		if err != nil {
			return fmt.Errorf("look at the processes of %s: %w", n.Name, err)
		}
		e.write(evidenceProcesses, n.Name, text)
	}
	return nil
}

// nodeNumber is what FTP_NODE wants to have.
func nodeNumber(name string) string { return strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyz-") }

// remove gathers the last evidence of a namespace and removes it.
func remove(t *testing.T, ns *corev1.Namespace) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := seen.leaving(ctx, ns.Name); err != nil {
		t.Error(err)
	}
	if err := client.IgnoreNotFound(kube.Delete(ctx, ns)); err != nil {
		t.Error(err)
	}
}
