package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/controllers/probe"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// fakePods stands in for kubelets and servers: it answers for each server with
// what its Secrets hold, as a pod would that has just loaded them.
type fakePods struct {
	mu sync.Mutex
	// frozen servers answer with what they had loaded when they were frozen.
	frozen map[string]*config.Status
	// silent servers do not answer.
	silent map[string]bool
	// hanging servers take the question and answer nothing.
	hanging map[string]bool
	// hangNow is how many such questions there are now, hangMost how many there
	// have been at once.
	hangNow, hangMost int
	// refusing servers refuse new configurations.
	refusing map[string]string
	// older servers know the previous version of the contract only.
	older map[string]bool
	// roots are what each server was verified with when it was asked last.
	roots map[string]string
}

// hangFor is how long a question to a hanging server takes: probe.Timeout in
// small.
const hangFor = probe.Timeout / 4

func newFakePods() *fakePods {
	return &fakePods{
		frozen: map[string]*config.Status{}, silent: map[string]bool{}, hanging: map[string]bool{}, refusing: map[string]string{},
		older: map[string]bool{}, roots: map[string]string{},
	}
}

// Status implements Prober.
func (f *fakePods) Status(ctx context.Context, t probe.Target) (*config.Status, error) {
	f.mu.Lock()
	silent, frozen, refusal, older := f.silent[t.Host], f.frozen[t.Host], f.refusing[t.Host], f.older[t.Host]
	f.roots[t.Host] = string(t.Roots)
	hangs := f.hanging[t.Host]
	if hangs {
		f.hangNow++
		f.hangMost = max(f.hangMost, f.hangNow)
	}
	f.mu.Unlock()
	if hangs {
		ctx, cancel := context.WithTimeout(ctx, hangFor)
		defer cancel()
		<-ctx.Done()
		f.mu.Lock()
		f.hangNow--
		f.mu.Unlock()
		return nil, errors.New("no answer in time")
	}
	if silent {
		return nil, errors.New("no answer in time")
	}
	if frozen != nil {
		return frozen, nil
	}
	know := current
	if older {
		know = previous
	}
	s, err := loaded(ctx, t, know)
	if err == nil && refusal != "" {
		for i := range s.Files {
			s.Files[i].Hash, s.Files[i].Error = "old", refusal
		}
	}
	return s, err
}

// contract is a version of the contract, as a server knows it.
type contract struct {
	version int
	file    string
	users   func(shard int) string
}

var (
	current  = contract{config.Version, config.FileName, config.UsersFileName}
	previous = contract{0, config.PreviousFileName, config.PreviousUsersFileName}
)

// loaded is what a pod would tell that has loaded what the Secrets hold now.
func loaded(ctx context.Context, t probe.Target, know contract) (*config.Status, error) {
	parts := strings.Split(t.Host, ".")
	name, in := parts[0], parts[1]
	get := func(secret string) map[string][]byte {
		var s corev1.Secret
		if err := kube.Get(ctx, client.ObjectKey{Namespace: in, Name: secret}, &s); err != nil {
			return nil
		}
		return s.Data
	}
	main := get(render.ConfigSecretName(name))
	if t.Token == "" || t.Token != string(main[render.KeyStatusToken]) {
		return nil, errors.New("it answered 401 Unauthorized")
	}
	s := &config.Status{Contract: know.version, Users: map[string]string{}}
	tell := func(file string, data []byte) {
		s.Files = append(s.Files, config.FileStatus{Name: file, Hash: config.Hash(data)})
	}
	tell(know.file, main[know.file])
	for key, data := range get(render.TLSSecretName(name)) {
		if strings.HasSuffix(key, ".crt") {
			tell("/etc/ftpserver/tls/"+key, data)
		}
	}
	for i := range config.UserShards {
		file := know.users(i)
		data := get(render.UsersSecretName(name, i))[file]
		tell("/etc/ftpserver/users/"+file, data)
		users, err := config.DecodeUsers(data, config.Strict)
		if err != nil {
			return nil, err
		}
		for _, u := range users {
			digest, err := u.Digest()
			if err != nil {
				return nil, err
			}
			s.Users[u.Name] = digest
		}
	}
	return s, nil
}

func host(namespace, server string) string {
	return fmt.Sprintf("%s.%s.status.ftp-operator.io", server, namespace)
}

// set changes how a server answers, until the test ends.
func (f *fakePods) set(t *testing.T, change func()) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// freeze has a server answer with what it has loaded now, until thaw.
func (f *fakePods) freeze(t *testing.T, namespace, server string) {
	t.Helper()
	var s corev1.Secret
	get(t, namespace, render.ConfigSecretName(server), &s)
	status, err := loaded(t.Context(), probe.Target{Host: host(namespace, server), Token: string(s.Data[render.KeyStatusToken])}, current)
	if err != nil {
		t.Fatal(err)
	}
	f.set(t, func() { f.frozen[host(namespace, server)] = status })
}

func (f *fakePods) thaw(t *testing.T, namespace, server string) {
	t.Helper()
	f.set(t, func() { delete(f.frozen, host(namespace, server)) })
}

// runPods does what the Deployment controller, the scheduler and the kubelet
// would do for a server: make its pod, run it and report.
func runPods(t *testing.T, namespace, server string) *corev1.Pod {
	t.Helper()
	var d appsv1.Deployment
	eventually(t, func() error {
		return kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: render.DeploymentName(server, 0)}, &d)
	})
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: d.Name + "-pod",
			Labels: d.Spec.Template.Labels, Annotations: d.Spec.Template.Annotations,
		},
		Spec: d.Spec.Template.Spec,
	}
	if err := kube.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning,
		PodIP: "127.0.0.1", PodIPs: []corev1.PodIP{{IP: "127.0.0.1"}},
		HostIP: "192.0.2.7", HostIPs: []corev1.HostIP{{IP: "192.0.2.7"}},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	if err := kube.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	reportDeployment(t, &d, 1)
	bindClaim(t, namespace, render.ClaimName(server))
	return pod
}

// bindClaim does what the volume controller would do, if there is a claim.
func bindClaim(t *testing.T, namespace, name string) {
	t.Helper()
	eventually(t, func() error { // the operator may be writing it too
		var claim corev1.PersistentVolumeClaim
		if err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &claim); err != nil {
			return client.IgnoreNotFound(err)
		}
		claim.Status.Phase = corev1.ClaimBound
		return kube.Status().Update(t.Context(), &claim)
	})
}

// reportDeployment writes the status of a Deployment that has acted on its
// newest template and has so many pods. That it has come up once, Kubernetes goes
// on telling when its pod is gone.
func reportDeployment(t *testing.T, d *appsv1.Deployment, pods int32) {
	t.Helper()
	eventually(t, func() error {
		if err := kube.Get(t.Context(), client.ObjectKeyFromObject(d), d); err != nil {
			return err
		}
		d.Status = appsv1.DeploymentStatus{
			ObservedGeneration: d.Generation, Replicas: pods, UpdatedReplicas: pods, ReadyReplicas: pods, AvailableReplicas: pods,
			Conditions: d.Status.Conditions,
		}
		if pods > 0 {
			d.Status.Conditions = []appsv1.DeploymentCondition{
				{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
			}
		}
		return kube.Status().Update(t.Context(), d)
	})
}
