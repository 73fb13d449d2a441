package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

const fieldOwner = render.FieldOwner

// absent is a resourceVersion that no object has: the store's counter is past it
// before the first object is written. What is applied with it is created where
// there is nothing, and conflicts with whatever is there.
const absent = "1"

// applied is what an object looked like when it was last found as rendered.
type applied struct {
	uid             types.UID
	resourceVersion string
	generation      int64 // moves with the spec, and not with the status
	content         [sha256.Size]byte
}

// applier writes objects by server-side apply. An object that nobody has
// touched since, and whose rendering is the same, is not written again; one
// that was changed by hand is.
type applier struct {
	client client.Client
	live   client.Reader

	mu   sync.Mutex
	kept map[client.ObjectKey]map[string]applied // by server, then by kind and name
}

func newApplier(c client.Client, live client.Reader) *applier {
	return &applier{client: c, live: live, kept: map[client.ObjectKey]map[string]applied{}}
}

// target is what an object is written onto.
type target struct {
	// found is what find has found, or nil.
	found client.Object
	// uid is that of the object to write onto; empty: there must be none.
	uid types.UID
	// version is what the object must be at; empty: it may have been changed.
	version string
}

// onto is what was found, at whatever version it is by now.
func onto(found client.Object) target {
	if found == nil {
		return target{}
	}
	return target{found: found, uid: found.GetUID()}
}

// apply writes one object of the server, and returns it as it is now. The error
// is a conflict where something else is in the target's place: nothing is
// written, and the next pass judges what is there.
func (a *applier) apply(ctx context.Context, owner *v1alpha1.FTPServer, obj client.Object, base target) (client.Object, error) {
	u, content, err := rendered(obj)
	if err != nil {
		return nil, err
	}
	want := applied{content: content}
	if found := base.found; found != nil {
		want.uid, want.resourceVersion, want.generation = found.GetUID(), found.GetResourceVersion(), found.GetGeneration()
		if a.last(owner, u.GetKind(), u.GetName()) == want {
			return found, nil
		}
	}
	options := []client.ApplyOption{client.FieldOwner(fieldOwner)}
	if base.uid == "" {
		u.SetResourceVersion(absent)
	} else {
		// Not another object that takes its place in between.
		u.SetUID(base.uid)
		u.SetResourceVersion(base.version)
		options = append(options, client.ForceOwnership)
	}
	if err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), options...); err != nil {
		return nil, err
	}
	want.uid, want.resourceVersion, want.generation = u.GetUID(), u.GetResourceVersion(), u.GetGeneration()
	a.keep(owner, u, want)
	return u, nil
}

// rendered is an object as it is sent, and what identifies its content.
func rendered(obj client.Object) (*unstructured.Unstructured, [sha256.Size]byte, error) {
	body, err := json.Marshal(obj)
	if err != nil {
		return nil, [sha256.Size]byte{}, err
	}
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal(body, &u.Object); err != nil {
		return nil, [sha256.Size]byte{}, err
	}
	unstructured.RemoveNestedField(u.Object, "status")
	return u, sha256.Sum256(body), nil
}

// untouched tells that this process has written a Deployment just so, and nobody
// has changed its spec since.
func (a *applier) untouched(owner *v1alpha1.FTPServer, want, d *appsv1.Deployment) bool {
	_, content, err := rendered(want)
	last := a.last(owner, "Deployment", d.Name)
	return err == nil && last.content == content && last.uid == d.UID && last.generation == d.Generation
}

// changesTemplate asks the API server whether to apply a Deployment onto what was
// found would change the pod template, and so replace the pod. Nothing is
// written.
func (a *applier) changesTemplate(ctx context.Context, want, found *appsv1.Deployment) (bool, error) {
	u, _, err := rendered(want)
	if err != nil {
		return false, err
	}
	u.SetUID(found.UID)
	u.SetResourceVersion(found.ResourceVersion)
	err = a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(fieldOwner), client.ForceOwnership, client.DryRunAll)
	if err != nil {
		return false, err
	}
	would, err := asDeployment(u)
	return err == nil && !equality.Semantic.DeepEqual(would.Spec.Template, found.Spec.Template), err
}

// asDeployment is a Deployment in its own type.
func asDeployment(u *unstructured.Unstructured) (*appsv1.Deployment, error) {
	d := &appsv1.Deployment{}
	return d, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, d)
}

// find looks in the cache first, and asks the API server where the cache knows
// nothing: it does not know what is somebody else's.
func (a *applier) find(ctx context.Context, obj client.Object) (client.Object, error) {
	cached, err := a.cached(obj)
	if err != nil {
		return nil, err
	}
	key := client.ObjectKeyFromObject(obj)
	if err = a.client.Get(ctx, key, cached); err == nil {
		return cached, nil
	}
	if !apierrors.IsNotFound(err) {
		return nil, err
	}
	m, err := a.metadata(obj)
	if err != nil {
		return nil, err
	}
	if err = a.live.Get(ctx, key, m); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return m, nil
}

// cached is an empty object of the form in which the cache holds the kind.
func (a *applier) cached(obj client.Object) (client.Object, error) {
	if _, ok := obj.(*corev1.Secret); ok {
		return a.metadata(obj)
	}
	gvk, err := apiutil.GVKForObject(obj, a.client.Scheme())
	if err != nil {
		return nil, err
	}
	empty, err := a.client.Scheme().New(gvk)
	if err != nil {
		return nil, err
	}
	return asObject(empty)
}

func asObject(o runtime.Object) (client.Object, error) {
	c, ok := o.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is no object with a name", o)
	}
	return c, nil
}

func (a *applier) metadata(obj client.Object) (*metav1.PartialObjectMetadata, error) {
	gvk, err := apiutil.GVKForObject(obj, a.client.Scheme())
	if err != nil {
		return nil, err
	}
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(gvk)
	return m, nil
}

func (a *applier) last(owner *v1alpha1.FTPServer, kind, name string) applied {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kept[client.ObjectKeyFromObject(owner)][kind+"/"+name]
}

func (a *applier) keep(owner *v1alpha1.FTPServer, u *unstructured.Unstructured, last applied) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := client.ObjectKeyFromObject(owner)
	if a.kept[key] == nil {
		a.kept[key] = map[string]applied{}
	}
	a.kept[key][u.GetKind()+"/"+u.GetName()] = last
}

func (a *applier) forget(server client.ObjectKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.kept, server)
}
