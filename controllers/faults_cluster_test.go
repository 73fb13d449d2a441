package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/controllers/probe"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// cluster does, for one namespace and one step at a time, what Kubernetes'
// controllers and the kubelet do. Unlike fakePods its pods load what they mount
// when they start and when they are poked, and not by themselves.
type cluster struct {
	namespace string
	started   int
	// garbage tells that an owner was deleted.
	garbage bool
	// draining has pods that are told to end go on with their transfers.
	draining bool
	// lost are the pods whose node does not answer: they do not end.
	lost map[types.UID]bool
	// problem is told of what must not be.
	problem func(format string, args ...any)

	mu   sync.Mutex
	pods map[types.UID]*ranPod
}

// brokenImage is in the name of images that no node can pull.
const brokenImage = "broken"

// ranPod is a pod that runs.
type ranPod struct {
	host     string
	ip       string
	slot     string // the name of its Deployment
	template string
	poked    string
	token    string
	loaded   *config.Status
}

func newCluster(namespace string) *cluster {
	return &cluster{namespace: namespace, pods: map[types.UID]*ranPod{}, lost: map[types.UID]bool{}}
}

// Status implements Prober.
func (c *cluster) Status(ctx context.Context, t probe.Target) (*config.Status, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pods {
		if p.host != t.Host || p.ip != t.IP {
			continue
		}
		if t.Token == "" || t.Token != p.token {
			return nil, errors.New("it answered 401 Unauthorized")
		}
		s := *p.loaded
		if t.Users == 0 {
			s.Users = nil
		}
		return &s, nil
	}
	return nil, errors.New("dial: connection refused")
}

// tick takes each of them one step further, and tells whether one moved.
func (c *cluster) tick(ctx context.Context) (moved bool, err error) {
	if c.garbage {
		c.garbage = false
		collected, err := c.collect(ctx)
		if err != nil || collected {
			return true, err
		}
	}
	if bound, err := c.bind(ctx); err != nil || bound {
		return true, err
	}
	var deployments appsv1.DeploymentList
	if err := kube.List(ctx, &deployments, client.InNamespace(c.namespace)); err != nil {
		return false, err
	}
	var pods corev1.PodList
	if err := kube.List(ctx, &pods, client.InNamespace(c.namespace)); err != nil {
		return false, err
	}
	byDeployment := map[string][]*corev1.Pod{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		of := pod.Labels[render.LabelServer] + "-" + pod.Labels[render.LabelSlot]
		if render.OfFront(pod) {
			of = render.FrontName(pod.Labels[render.LabelServer])
		}
		byDeployment[of] = append(byDeployment[of], pod)
	}
	for i := range deployments.Items {
		d := &deployments.Items[i]
		if d.Labels[render.LabelServer] == "" {
			continue // somebody else's
		}
		did, err := c.roll(ctx, d, byDeployment[d.Name])
		if err != nil {
			return false, fmt.Errorf("%s: %w", d.Name, err)
		}
		delete(byDeployment, d.Name)
		moved = moved || did
	}
	for _, pods := range byDeployment { // of Deployments that are gone
		for _, pod := range pods {
			did, err := c.stop(ctx, pod)
			if err != nil {
				return false, err
			}
			moved = moved || did
		}
	}
	return moved, nil
}

// bind does what the volume controller would.
func (c *cluster) bind(ctx context.Context) (bound bool, err error) {
	var claims corev1.PersistentVolumeClaimList
	if err := kube.List(ctx, &claims, client.InNamespace(c.namespace), client.HasLabels{render.LabelServer}); err != nil {
		return false, err
	}
	for i := range claims.Items {
		claim := &claims.Items[i]
		if claim.Status.Phase == corev1.ClaimBound || !claim.DeletionTimestamp.IsZero() {
			continue
		}
		bound, claim.Status.Phase = true, corev1.ClaimBound
		if err := kube.Status().Update(ctx, claim); err != nil {
			return true, err
		}
	}
	return bound, nil
}

// stop tells a pod to end, and once it has finished its transfers ends it.
func (c *cluster) stop(ctx context.Context, pod *corev1.Pod) (moved bool, err error) {
	if pod.DeletionTimestamp.IsZero() {
		return true, client.IgnoreNotFound(kube.Delete(ctx, pod))
	}
	if c.draining || c.lost[pod.UID] {
		return false, nil
	}
	return true, c.end(ctx, pod)
}

// end ends a pod and what runs in it, at once.
func (c *cluster) end(ctx context.Context, pod *corev1.Pod) error {
	c.mu.Lock()
	delete(c.pods, pod.UID)
	c.mu.Unlock()
	return client.IgnoreNotFound(kube.Delete(ctx, pod, client.GracePeriodSeconds(0)))
}

// roll replaces, starts, ends or refreshes the pods of a Deployment. As in
// Kubernetes, Recreate waits for pods of another template to end, and not for
// those of the same.
func (c *cluster) roll(ctx context.Context, d *appsv1.Deployment, pods []*corev1.Pod) (moved bool, err error) {
	template, err := json.Marshal(d.Spec.Template)
	if err != nil {
		return false, err
	}
	live, older, ending := (*corev1.Pod)(nil), false, false
	for _, pod := range pods {
		ran := c.ran(pod)
		other := ran == nil || ran.template != string(template)
		if !pod.DeletionTimestamp.IsZero() || other || *d.Spec.Replicas == 0 {
			older, ending = older || other, ending || !c.lost[pod.UID]
			did, err := c.stop(ctx, pod)
			if err != nil || did {
				return true, err
			}
			continue
		}
		live = pod
	}
	switch {
	case live == nil && *d.Spec.Replicas > 0 && !older:
		if ending {
			c.problem("%s: a pod is started while one of the slot still ends", d.Name)
		}
		return true, c.run(ctx, d, string(template))
	case live == nil:
		return c.report(ctx, d, nil)
	case c.ran(live).poked != live.Annotations[render.AnnotationPoked]:
		return true, c.load(ctx, d, live, string(template))
	}
	return c.report(ctx, d, live)
}

func (c *cluster) ran(pod *corev1.Pod) *ranPod {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pods[pod.UID]
}

func (c *cluster) run(ctx context.Context, d *appsv1.Deployment, template string) error {
	c.started++
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: c.namespace, Name: fmt.Sprintf("%s-pod-%d", d.Name, c.started),
			Labels: d.Spec.Template.Labels, Annotations: d.Spec.Template.Annotations,
		},
		Spec: d.Spec.Template.Spec,
	}
	pod.Spec.NodeName = "node" // so that it ends when it is told to, and not at once
	if err := kube.Create(ctx, pod); err != nil {
		return err
	}
	ip := fmt.Sprintf("127.1.%d.%d", c.started/250, c.started%250+1)
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning,
		PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}},
		HostIP: "192.0.2.7", HostIPs: []corev1.HostIP{{IP: "192.0.2.7"}},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	if broken(pod) {
		pod.Status.Phase, pod.Status.Conditions[0].Status = corev1.PodPending, corev1.ConditionFalse
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: render.ContainerName, State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"},
		}}}
	}
	if err := kube.Status().Update(ctx, pod); err != nil {
		return err
	}
	return c.load(ctx, d, pod, template)
}

func broken(pod *corev1.Pod) bool { return strings.Contains(pod.Spec.Containers[0].Image, brokenImage) }

// load has a pod read the Secrets as they are now.
func (c *cluster) load(ctx context.Context, d *appsv1.Deployment, pod *corev1.Pod, template string) error {
	server := d.Labels[render.LabelServer]
	var s corev1.Secret
	if err := kube.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: render.ConfigSecretName(server)}, &s); err != nil {
		return err
	}
	p := &ranPod{
		host: host(c.namespace, server), ip: pod.Status.PodIP, slot: d.Name, template: template,
		poked: pod.Annotations[render.AnnotationPoked], token: string(s.Data[render.KeyStatusToken]),
	}
	var err error
	if p.loaded, err = loaded(ctx, probe.Target{Host: p.host, Token: p.token}, current); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pods[pod.UID] = p
	return nil
}

// report writes the status of a Deployment that has acted on its newest template,
// and has a pod of it or none.
func (c *cluster) report(ctx context.Context, d *appsv1.Deployment, pod *corev1.Pod) (moved bool, err error) {
	want := appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Conditions: d.Status.Conditions}
	if pod != nil {
		want.Replicas, want.UpdatedReplicas = 1, 1
		if !broken(pod) {
			want.ReadyReplicas, want.AvailableReplicas = 1, 1
		}
	}
	was := d.Status
	if was.ObservedGeneration == want.ObservedGeneration && was.Replicas == want.Replicas && was.AvailableReplicas == want.AvailableReplicas {
		return false, nil
	}
	d.Status = want
	return true, kube.Status().Update(ctx, d)
}

// childKinds are the kinds of which servers and users have children.
var childKinds = []string{
	"apps/v1/Deployment", "v1/Service", "v1/Secret", "v1/ConfigMap", "v1/ServiceAccount", "v1/PersistentVolumeClaim",
	"networking.k8s.io/v1/NetworkPolicy", "policy/v1/PodDisruptionBudget",
}

// collect deletes what belongs to an owner that is gone.
func (c *cluster) collect(ctx context.Context) (collected bool, err error) {
	alive := map[types.UID]bool{}
	for _, kind := range append([]string{"ftp-operator.io/v1alpha1/FTPServer", "ftp-operator.io/v1alpha1/FTPUser"}, childKinds...) {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(parseGVK(kind))
		if err := kube.List(ctx, &list, client.InNamespace(c.namespace)); err != nil {
			return false, err
		}
		for i := range list.Items {
			o := &list.Items[i]
			alive[o.UID] = true
			if len(o.OwnerReferences) == 0 || alive[o.OwnerReferences[0].UID] {
				continue
			}
			o.SetGroupVersionKind(parseGVK(kind))
			if err := kube.Delete(ctx, o, client.Preconditions{UID: &o.UID}); client.IgnoreNotFound(err) != nil {
				return false, err
			}
			collected = true
		}
	}
	return collected, nil
}
