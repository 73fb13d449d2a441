package controllers

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// patchStatus tells what a whole pass has found.
func (r *FTPServerReconciler) patchStatus(ctx context.Context, s *scope) error {
	before := s.server.DeepCopy()
	st := &s.server.Status
	st.ObservedGeneration = s.server.Generation
	st.Selector = metav1.FormatLabelSelector(render.ScaleSelector(s.server.Name))
	st.Replicas = s.livePods()
	st.Slots = s.slotStatus()
	st.Addresses = nil
	if !s.addresses.Outdated {
		st.Addresses = s.addresses.List
	}
	st.ClientAddresses = s.clientAddresses
	st.Ports = s.ports()
	if s.rendered() {
		st.Users = int32(len(s.logins)) //nolint:gosec // bounded by the size of the Secrets
	}
	st.CARef = nil
	if s.bundle != nil {
		st.CARef = &v1alpha1.LocalReference{Name: s.bundle.Name}
	}
	policy.SetConditions(&st.Conditions, s.server.Generation, s.findings(), policy.ServerReady(len(s.slots)))
	return r.writeStatus(ctx, before, s.server)
}

// writeStatus writes the status of a server if it differs from that of before.
func (r *FTPServerReconciler) writeStatus(ctx context.Context, before, server *v1alpha1.FTPServer) error {
	if equality.Semantic.DeepEqual(before.Status, server.Status) {
		return nil
	}
	if err := r.Client.Status().Patch(ctx, server, onlyOnto(before), client.FieldOwner(fieldOwner)); err != nil {
		return client.IgnoreNotFound(err)
	}
	r.written.note(server)
	announce(r.Recorder, server, before.Status.Conditions, server.Status.Conditions)
	return nil
}

// onlyOnto is the patch of a status that takes effect only on the object as it
// was judged. It holds what differs, so that on any other it would leave a
// status that nobody has found.
func onlyOnto(before client.Object) client.Patch {
	return client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
}

func (s *scope) findings() []policy.Named {
	references := append(s.claimFindings(), s.references...)
	pendingPorts := render.PortsPending(s.server, s.service, s.portSlots())
	return []policy.Named{
		{Type: v1alpha1.ConditionAccepted, Finding: policy.ServerAccepted(s.invalid, s.taken, s.leaving, s.rejected)},
		{Type: v1alpha1.ConditionResolvedRefs, Finding: policy.References(references...)},
		{Type: v1alpha1.ConditionCertificatesValid, Finding: s.validity},
		{Type: v1alpha1.ConditionAddressAssigned, Finding: policy.AddressAssigned(s.server, len(s.slots), s.addresses, pendingPorts)},
		{Type: v1alpha1.ConditionClientAddressesKnown, Finding: policy.ClientAddressesKnown(s.server.Spec, s.service, s.front.Silent(render.FrontTells)), Advisory: true},
		{Type: v1alpha1.ConditionWorkloadAvailable, Finding: s.workloadAvailable(policy.WorkloadAvailable(s.slots, s.surplus, s.pods, s.now))},
		{Type: v1alpha1.ConditionProgrammed, Finding: s.programmed()},
	}
}

// claimFindings are what is wrong with the claim that the spec refers to.
func (s *scope) claimFindings() []policy.Finding {
	switch n := render.Replicas(s.server); {
	case s.claimGone():
		return []policy.Finding{policy.ClaimMissing(s.claimRef().Name)}
	case n > 1 && !s.mayBeShared():
		return []policy.Finding{policy.VolumeNotShared(s.claim, n)}
	}
	return nil
}

// livePods counts the pods that are not ending.
func (s *scope) livePods() int32 {
	n := 0
	for _, slot := range s.slots {
		n += len(slot.Live())
	}
	return int32(n)
}

func (s *scope) slotStatus() []v1alpha1.SlotStatus {
	var out []v1alpha1.SlotStatus
	for _, slot := range s.slots {
		out = append(out, v1alpha1.SlotStatus{
			Name:       slot.Name,
			Ready:      policy.SlotAvailable(slot, s.now).Status,
			Programmed: s.slotProgrammed(slot).Status,
		})
	}
	return out
}

// maxToldPorts is how many passive ports a status can hold, and a spec ask for.
// While slots that were scaled away drain, there may be more.
const maxToldPorts = 1024

func (s *scope) ports() *v1alpha1.ServerPorts {
	control := render.ControlPort(s.service)
	if control == 0 || s.addresses.Outdated {
		return nil
	}
	ports := &v1alpha1.ServerPorts{
		Control:  control,
		Implicit: render.ImplicitPort(s.service),
	}
	for _, p := range render.AnnouncedPorts(s.server, s.service, s.portSlots()) {
		if len(ports.Passive) == maxToldPorts {
			break
		}
		ports.Passive = append(ports.Passive, p.Number)
	}
	return ports
}

// maxNote is how long the note of an event may be, in bytes: the API server
// refuses a longer one. NoteLengthLimit in
// https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/events.go
const maxNote = 1024

// announce tells of a change of Ready or Stalled by an event, so that there is
// one for each transition and none for a pass that changes nothing.
func announce(recorder events.EventRecorder, obj client.Object, before, after []metav1.Condition) {
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionStalled} {
		was, is := meta.FindStatusCondition(before, kind), meta.FindStatusCondition(after, kind)
		if is == nil || (was != nil && was.Status == is.Status && was.Reason == is.Reason) {
			continue
		}
		level := corev1.EventTypeNormal
		if kind == v1alpha1.ConditionStalled {
			level = corev1.EventTypeWarning
		}
		recorder.Eventf(obj, nil, level, is.Reason, "Reconcile", "%s", policy.Limited(is.Message, maxNote))
	}
}
