package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// faultKind is what goes wrong at one call of the operator to the API server.
type faultKind string

const (
	faultNone faultKind = ""
	// faultRefused: it fails before it took effect.
	faultRefused faultKind = "refused"
	// faultConflict: it takes no effect, as something was changed meanwhile.
	faultConflict faultKind = "conflict"
	// faultLost: it took effect, and the operator is told that it timed out.
	faultLost faultKind = "lost"
	// faultDied: it took effect, and nothing of the process comes after it.
	faultDied faultKind = "died"
	// faultStopped: it took effect, and the process is told to end.
	faultStopped faultKind = "stopped"
)

// apiCall is one call of the operator, as it was made.
type apiCall struct {
	what  string
	write bool
}

// wire is the operator's way to the API server. It counts the calls, and has one
// of them go wrong. Reads are live, but see what the operator's cache would
// hold, so that each run of a pass makes the same calls.
type wire struct {
	mu    sync.Mutex
	calls []apiCall
	at    int // index in calls of the one that goes wrong
	kind  faultKind
	fired bool
	dead  bool
	stop  context.CancelFunc

	// behind is what the cache has of Deployments, pods and Services, where it
	// lags.
	behind *lag

	// fails is asked at each call for the error that it is to fail with, before it
	// takes effect.
	fails func(what string) error
	// between is called before each call, with its index in calls.
	between func(at int)
	// before sees each write just before it is made, wrote each that took effect.
	before func(verb string, obj client.Object)
	wrote  func(verb string, obj client.Object)
}

var errDead = errors.New("the process has ended")

// call makes a call, or has it go wrong.
func (w *wire) call(write bool, verb, object string, do func() error) error {
	w.mu.Lock()
	if w.dead {
		w.mu.Unlock()
		return errDead
	}
	kind := faultNone
	if len(w.calls) == w.at && w.kind != faultNone {
		kind, w.fired = w.kind, true
	}
	at := len(w.calls)
	w.calls = append(w.calls, apiCall{verb + " " + object, write})
	w.mu.Unlock()
	if w.between != nil {
		w.between(at)
	}
	if w.fails != nil {
		if err := w.fails(verb + " " + object); err != nil {
			return err
		}
	}
	switch kind {
	case faultRefused:
		return apierrors.NewInternalError(errors.New("a fault of the test"))
	case faultConflict:
		return apierrors.NewConflict(schema.GroupResource{Resource: "things"}, object, errors.New("a fault of the test"))
	}
	err := do()
	switch kind {
	case faultLost:
		return apierrors.NewTimeoutError("a fault of the test", 1)
	case faultDied:
		w.mu.Lock()
		w.dead = true
		w.mu.Unlock()
	case faultStopped:
		w.stop()
	}
	return err
}

// write is call for what changes obj.
func (w *wire) write(verb string, obj client.Object, do func() error) error {
	return w.call(true, verb, objectName(obj), func() error {
		if w.before != nil {
			w.before(verb, obj)
		}
		err := do()
		if err == nil && w.wrote != nil {
			w.wrote(verb, obj)
		}
		return err
	})
}

func objectName(o client.Object) string {
	kind := o.GetObjectKind().GroupVersionKind().Kind
	if kind == "" {
		kind = fmt.Sprintf("%T", o)
	}
	return kind + " " + o.GetName()
}

// live is the client that reads what there is.
func (w *wire) live() client.WithWatch { return interceptor.NewClient(operatorKube, w.funcs()) }

// cached is the client that reads what the operator's cache would hold: of what
// others share with it, only what carries its label.
func (w *wire) cached() client.WithWatch {
	funcs := w.funcs()
	funcs.Get = func(ctx context.Context, _ client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
		return w.call(false, "Get", fmt.Sprintf("%T %s", o, key.Name), func() error {
			if w.behind != nil {
				switch o := o.(type) {
				case *appsv1.Deployment:
					return w.behind.get(key, o)
				case *corev1.Service:
					return w.behind.service(key, o)
				}
			}
			// Not as the operator: what the cache reads by list and watch, it may
			// have no right to get.
			err := kube.Get(ctx, key, o, opts...)
			if err == nil && labelled(o) && !render.ManagedSelector().Matches(labels.Set(o.GetLabels())) {
				return apierrors.NewNotFound(schema.GroupResource{Resource: fmt.Sprintf("%T", o)}, key.Name)
			}
			return err
		})
	}
	funcs.List = func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
		return w.call(false, "List", fmt.Sprintf("%T", list), func() error {
			if w.behind != nil && w.behind.list(list) {
				return nil
			}
			return listIndexed(ctx, c, list, opts...)
		})
	}
	return interceptor.NewClient(operatorKube, funcs)
}

// labelled tells whether the operator's cache holds only what is labelled of an
// object's kind.
func labelled(o client.Object) bool {
	for kind := range CacheOptions(nil).ByObject {
		if fmt.Sprintf("%T", kind) == fmt.Sprintf("%T", o) {
			return true
		}
	}
	return false
}

// listIndexed lists users by the fields that the cache has indexes of.
func listIndexed(ctx context.Context, c client.Client, list client.ObjectList, opts ...client.ListOption) error {
	o := (&client.ListOptions{}).ApplyOptions(opts)
	fields := o.FieldSelector
	o.FieldSelector = nil
	if err := c.List(ctx, list, o); err != nil || fields == nil {
		return err
	}
	users, ok := list.(*v1alpha1.FTPUserList)
	if !ok {
		return fmt.Errorf("%T is not found by %s in this test", list, fields)
	}
	server, byServer := fields.RequiresExactMatch(indexServer)
	secret, byPassword := fields.RequiresExactMatch(indexPassword)
	users.Items = slices.DeleteFunc(users.Items, func(u v1alpha1.FTPUser) bool {
		return (byServer && u.Spec.ServerRef.Name != server) || (byPassword && passwordRef(&u).Name != secret)
	})
	return nil
}

func (w *wire) funcs() interceptor.Funcs {
	return interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			return w.call(false, "Get live", fmt.Sprintf("%T %s", o, key.Name), func() error { return c.Get(ctx, key, o, opts...) })
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			return w.call(false, "List live", fmt.Sprintf("%T", list), func() error { return c.List(ctx, list, opts...) })
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			return w.write("Create", o, func() error { return c.Create(ctx, o, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return w.write("Delete", o, func() error { return c.Delete(ctx, o, opts...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			return w.write("Patch", o, func() error { return c.Patch(ctx, o, p, opts...) })
		},
		Apply: func(ctx context.Context, c client.WithWatch, a runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			o := appliedObject(a)
			if len((&client.ApplyOptions{}).ApplyOptions(opts).DryRun) > 0 {
				return w.call(false, "Try to apply", objectName(o), func() error { return c.Apply(ctx, a, opts...) })
			}
			return w.write("Apply", o, func() error { return c.Apply(ctx, a, opts...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			return w.write("Patch "+sub, o, func() error { return c.SubResource(sub).Patch(ctx, o, p, opts...) })
		},
		Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error {
			return errUnforeseen
		},
		DeleteAllOf: func(context.Context, client.WithWatch, client.Object, ...client.DeleteAllOfOption) error {
			return errUnforeseen
		},
		SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
			return errUnforeseen
		},
		SubResourceCreate: func(context.Context, client.Client, string, client.Object, client.Object, ...client.SubResourceCreateOption) error {
			return errUnforeseen
		},
		SubResourceApply: func(context.Context, client.Client, string, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
			return errUnforeseen
		},
	}
}

// errUnforeseen: the operator makes a kind of call that the faults leave out.
var errUnforeseen = errors.New("this test does not know how such a call can go wrong: teach it")

// appliedObject is the object in an apply configuration.
func appliedObject(a runtime.ApplyConfiguration) client.Object {
	if o, ok := a.(client.Object); ok {
		return o
	}
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%T", a)}}
}

// faultsOf are the ways in which a call can go wrong. What is read and then lost
// is as good as not read; what follows a read is the same as what follows the
// write before it.
func faultsOf(c apiCall) []faultKind {
	if !c.write {
		return []faultKind{faultRefused}
	}
	return []faultKind{faultRefused, faultConflict, faultLost, faultDied, faultStopped}
}
