package controllers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// lag is what a cache has that does not hear of changes: the Deployments, pods and
// Services of a namespace with one server.
type lag struct {
	deployments appsv1.DeploymentList
	pods        corev1.PodList
	services    corev1.ServiceList
}

func newLag(ctx context.Context, namespace string) (*lag, error) {
	l := &lag{}
	for _, list := range []client.ObjectList{&l.deployments, &l.pods, &l.services} {
		if err := kube.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// list fills in a list of a kind that lags, and tells whether it is one.
func (l *lag) list(into client.ObjectList) bool {
	switch into := into.(type) {
	case *appsv1.DeploymentList:
		l.deployments.DeepCopyInto(into)
	case *corev1.PodList:
		l.pods.DeepCopyInto(into)
	default:
		return false
	}
	return true
}

func (l *lag) get(key client.ObjectKey, into *appsv1.Deployment) error {
	return take(l.deployments.Items, key, into, "deployments")
}

func (l *lag) service(key client.ObjectKey, into *corev1.Service) error {
	return take(l.services.Items, key, into, "services")
}

// take copies the item of that name, as a client's Get does.
func take[T any, P interface {
	*T
	client.Object
	DeepCopyInto(*T)
}](items []T, key client.ObjectKey, into P, resource string) error {
	for i := range items {
		if item := P(&items[i]); client.ObjectKeyFromObject(item) == key {
			item.DeepCopyInto(into)
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: resource}, key.Name)
}

// checkRoll sees each write just before it is made, and finds that none ends the
// pod of a slot that serves while another, whose pod was ended so, is not back.
func (w *world) checkRoll(_ string, o client.Object) {
	u, ok := o.(interface{ UnstructuredContent() map[string]any })
	if !ok || u.UnstructuredContent()["kind"] != "Deployment" {
		return
	}
	var now appsv1.Deployment
	if !w.read(o.GetName(), &now) || !servesBy(&now) || !w.replacesPod(u.UnstructuredContent(), &now) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.taken {
		var other appsv1.Deployment
		if name == o.GetName() || !w.read(name, &other) || servesBy(&other) || *other.Spec.Replicas == 0 {
			delete(w.taken, name)
			continue
		}
		w.problems = append(w.problems, "the pod of "+o.GetName()+" is ended while that of "+name+" is not back")
	}
	w.taken[o.GetName()] = true
}

// replacesPod tells, by the API server, whether to apply a Deployment changes its
// pod template; what is refused changes nothing.
func (w *world) replacesPod(next map[string]any, now *appsv1.Deployment) bool {
	would := (&unstructured.Unstructured{Object: next}).DeepCopy()
	err := kube.Apply(w.t.Context(), client.ApplyConfigurationFromUnstructured(would), client.FieldOwner(fieldOwner), client.ForceOwnership, client.DryRunAll)
	if err != nil {
		return false
	}
	d, err := asDeployment(would)
	if err != nil {
		w.problem("%v", err)
		return false
	}
	return !equality.Semantic.DeepEqual(d.Spec.Template, now.Spec.Template)
}

// servesBy tells whether a slot serves, by all that Kubernetes says.
func servesBy(d *appsv1.Deployment) bool {
	return d.Status.ObservedGeneration == d.Generation && d.Status.AvailableReplicas > 0
}

// chaos is a roll among faults: each step is anything that may happen.
type chaos struct {
	*world
	random *rand.Rand
	did    []string
}

func (c *chaos) step() {
	c.t.Helper()
	what := c.random.IntN(20)
	switch {
	case what < 8:
		c.did = append(c.did, "pass")
		c.pass("server/" + theServer)
	case what < 13:
		c.did = append(c.did, "tick")
		if _, err := c.cluster.tick(c.t.Context()); err != nil {
			c.t.Fatal(err)
		}
	case what < 15:
		c.did = append(c.did, "the cache hears of all")
		c.lags()
	case what < 17:
		image := []string{"example.com/a", "example.com/b", "example.com/" + brokenImage}[c.random.IntN(3)]
		c.did = append(c.did, image)
		c.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = image })
	case what == 17:
		n := 1 + c.random.Int32N(4)
		c.did = append(c.did, fmt.Sprintf("scale to %d", n))
		c.set(func(s *v1alpha1.FTPServer) { s.Spec.Replicas = &n })
	case what == 18:
		c.did = append(c.did, "restart")
		c.boot()
	default:
		kind := []faultKind{faultRefused, faultConflict, faultLost, faultDied, faultStopped}[c.random.IntN(5)]
		c.did = append(c.did, string(kind))
		c.wire.arm(c.wire.count()+c.random.IntN(30), kind)
	}
}

// set edits the server as a person would.
func (w *world) set(how func(*v1alpha1.FTPServer)) {
	w.t.Helper()
	edit(w, theServer, &v1alpha1.FTPServer{}, how)
}

// shared has a server keep its files on a volume that all replicas mount.
func shared(replicas int32) func(*v1alpha1.FTPServer) {
	return func(s *v1alpha1.FTPServer) {
		s.Spec.Replicas = &replicas
		s.Spec.Storage.Volume.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
	}
}

// A cache that does not know yet that a pod was ended gives no reason to end
// another, also where the spec asks for something else meanwhile, and where the
// operator that ended it is gone.
func TestStaleCacheEndsNoSecondPod(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]string{"back to the first": "", "on to a third": "example.com/c"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := serverOf(t, 3)
			w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/b" })
			w.pass("server/" + theServer)
			w.still() // the first replica is of b, and serves
			w.lags()
			w.pass("server/" + theServer)
			if image := w.deploymentsNow()["files-1"].Spec.Template.Spec.Containers[0].Image; image != "example.com/b" {
				t.Fatalf("the second is of %s", image)
			}
			w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = then })
			for range 3 {
				w.pass("server/" + theServer)
				w.boot()
			}
			if image := w.deploymentsNow()["files-0"].Spec.Template.Spec.Containers[0].Image; image != "example.com/b" {
				t.Errorf("the first is of %s", image)
			}
			w.wire.behind = nil
			w.settle()
			serverReady(w)
		})
	}
}

// A replica that the cache still has as broken, and that serves by now, is not
// renewed by that.
func TestStaleCacheRenewsNoPodThatServes(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 3)
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/" + brokenImage })
	w.settle()
	second := w.rival()
	w.lags()
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/b" })
	second.pass("server/" + theServer)
	w.still()
	second.pass("server/" + theServer) // which ends the pod of the second
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/c" })
	w.pass("server/" + theServer)
	for name, want := range map[string]string{"files-0": "example.com/b", "files-1": "example.com/b", "files-2": testImage} {
		if image := w.deploymentsNow()[name].Spec.Template.Spec.Containers[0].Image; image != want {
			t.Errorf("%s is of %s, want %s", name, image, want)
		}
	}
	w.wire.behind = nil
	w.settle()
	serverReady(w)
}

// A slot that was kept as it is, while a newer template was on its way, and is asked
// for as it is again: to apply that gives back what the API server had filled in,
// which it would choose otherwise by now, and so replaces the pod. That has its turn.
func TestKeptDefaultsEndNoSecondPod(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 3)
	image := func(name string) {
		t.Helper()
		w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/" + name })
		w.pass("server/" + theServer)
	}
	image("untagged") // with what a tag had the API server choose
	w.still()
	w.pass("server/" + theServer) // the second replica's turn
	image("another")              // the first one waits for it
	w.still()
	image("untagged")
	w.settle()
	serverReady(w)
}

// With calls that fail, a cache that lags, and an operator that is restarted at
// any point, no second slot is ended while another is not back; and in the end
// all slots run what the spec asks for.
func TestRollAmongFaults(t *testing.T) {
	seeds := uint64(3)
	if os.Getenv("FTP_TEST_FULL") == "1" {
		seeds = 60
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.create(w.newServer(shared(3)))
			w.settle()
			c := &chaos{world: w, random: rand.New(rand.NewPCG(seed, 2))}
			for range 120 {
				c.step()
			}
			w.wire.behind = nil
			w.wire.arm(-1, faultNone)
			w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image, s.Spec.Replicas = "example.com/last", ptr.To[int32](3) })
			w.settle()
			serverReady(w)
			if n := len(w.cluster.running("")); n != 3 {
				w.problem("%d pods run", n)
			}
			for _, p := range w.problems {
				t.Error(p)
			}
			if t.Failed() {
				t.Logf("seed %d: %v", seed, c.did)
			}
		})
	}
}
