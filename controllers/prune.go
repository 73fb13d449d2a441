package controllers

import (
	"context"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// prunable are the kinds whose objects are deleted once they are no longer
// rendered. Nothing that cannot be made again as it was may ever be in it: not
// PersistentVolumeClaims, which hold the files, and not Secrets, which hold the
// authority that clients trust, the key of the salts and passwords that were
// handed out. Those go with their owner, by garbage collection, or stay.
var prunable = []client.ObjectList{
	&networkingv1.NetworkPolicyList{},
	&policyv1.PodDisruptionBudgetList{},
	&appsv1.DeploymentList{}, // of slots whose last pod has ended
}

// prune deletes what the server has made of the prunable kinds and is no longer
// rendered: what carries its labels, and is controlled by its UID.
func (r *FTPServerReconciler) prune(ctx context.Context, s *scope) error {
	if !s.rendered() {
		return nil // what should be there is not known
	}
	for _, kind := range prunable {
		list := kind.DeepCopyObject().(client.ObjectList)
		err := r.Client.List(ctx, list, client.InNamespace(s.server.Namespace), client.MatchingLabels(render.Labels(s.server.Name)))
		if err != nil {
			return &stepError{"look for what is no longer needed", err}
		}
		if err := meta.EachListItem(list, func(o runtime.Object) error { return r.pruneOne(ctx, s, o) }); err != nil {
			return err
		}
	}
	return nil
}

// pruneOne deletes an object if it is the server's, and as it was when it was
// judged.
func (r *FTPServerReconciler) pruneOne(ctx context.Context, s *scope, o runtime.Object) error {
	found, err := asObject(o)
	if err != nil {
		return err
	}
	if ours(s.server, found) != nil || s.renders(found) || s.frontNeeded(found) {
		return nil
	}
	uid, version := found.GetUID(), found.GetResourceVersion()
	err = r.Client.Delete(ctx, found, client.Preconditions{UID: &uid, ResourceVersion: &version},
		client.PropagationPolicy(metav1.DeletePropagationBackground))
	if client.IgnoreNotFound(err) != nil {
		return &stepError{"delete " + found.GetName() + ", which is no longer needed", err}
	}
	return nil
}

// frontNeeded tells of an object of a front that is no longer asked for, while
// clients are still led to it: the Service that is to lead elsewhere was rejected.
func (s *scope) frontNeeded(o client.Object) bool {
	return o.GetName() == s.front.Name && render.LeadsToFront(s.service)
}

// renders tells whether an object is among those that were rendered.
func (s *scope) renders(o client.Object) bool {
	for _, obj := range s.out.Objects {
		if obj.GetName() == o.GetName() && reflect.TypeOf(obj) == reflect.TypeOf(o) {
			return true
		}
	}
	return false
}
