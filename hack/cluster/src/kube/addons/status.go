package main

import (
	"context"
	"log"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// conditionAssigned on a Service says whether the load balancer has given it its
// addresses, and else why not. It also marks what is ours to take back.
const conditionAssigned = annotationPrefix + "AddressAssigned"

// tell writes to the Service's status what it got. A conflict means that the
// cache is behind: the retry sees the newer object.
func (b *balancer) tell(ctx context.Context, s *corev1.Service, w wish, a assignment) error {
	before, s := s, s.DeepCopy()
	s.Status.LoadBalancer = corev1.LoadBalancerStatus{Ingress: ingress(w, a)}
	condition := metav1.Condition{
		Type: conditionAssigned, Status: metav1.ConditionTrue,
		Reason: a.reason, Message: a.message, ObservedGeneration: s.Generation,
	}
	if a.reason != reasonAssigned {
		condition.Status = metav1.ConditionFalse
	}
	if old := meta.FindStatusCondition(s.Status.Conditions, conditionAssigned); old != nil && old.Status == condition.Status && old.Message == condition.Message {
		condition.ObservedGeneration = old.ObservedGeneration // a change of the Service alone is no news
	}
	meta.SetStatusCondition(&s.Status.Conditions, condition)
	if err := b.write(ctx, before, s); err != nil {
		return err
	}
	if a.reason != reasonAssigned && !equality.Semantic.DeepEqual(before.Status, s.Status) {
		b.events.Event(s, corev1.EventTypeWarning, a.reason, a.message)
	}
	return nil
}

// takeBack clears what tell has written, from a Service that is no longer ours.
func (b *balancer) takeBack(ctx context.Context, s *corev1.Service) error {
	if s.DeletionTimestamp != nil || meta.FindStatusCondition(s.Status.Conditions, conditionAssigned) == nil {
		return nil
	}
	before, s := s, s.DeepCopy()
	s.Status.LoadBalancer = corev1.LoadBalancerStatus{}
	meta.RemoveStatusCondition(&s.Status.Conditions, conditionAssigned)
	return b.write(ctx, before, s)
}

func (b *balancer) write(ctx context.Context, before, after *corev1.Service) error {
	if equality.Semantic.DeepEqual(before.Status, after.Status) {
		return nil
	}
	_, err := b.client.CoreV1().Services(after.Namespace).UpdateStatus(ctx, after, metav1.UpdateOptions{})
	if err == nil {
		log.Printf("Service %s/%s has status %v", after.Namespace, after.Name, after.Status)
	}
	return err
}

func ingress(w wish, a assignment) []corev1.LoadBalancerIngress {
	if len(a.addresses) > 0 && w.hostname != "" {
		return []corev1.LoadBalancerIngress{{Hostname: w.hostname}}
	}
	var all []corev1.LoadBalancerIngress
	for _, address := range a.addresses {
		all = append(all, corev1.LoadBalancerIngress{IP: address.String(), IPMode: &w.ipMode})
	}
	return all
}

// toldAddresses are the ones that a Service's status tells.
func toldAddresses(s *corev1.Service) []netip.Addr {
	var all []netip.Addr
	for _, i := range s.Status.LoadBalancer.Ingress {
		if a, err := netip.ParseAddr(i.IP); err == nil {
			all = append(all, a)
		}
	}
	return all
}
