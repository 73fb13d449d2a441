package controllers

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// With slots that drain there may be more passive ports than a status can hold:
// then the first of them are told, and the API server takes the status.
func TestStatusHoldsItsPorts(t *testing.T) {
	server := newServer(namespace(t), "many")
	server.Spec.Storage.Volume.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
	server.Spec.Replicas = ptr.To[int32](16)
	server.Spec.Passive = v1alpha1.PassiveSpec{PortsPerReplica: 64, FirstPort: 30000}
	if err := kube.Create(t.Context(), server); err != nil {
		t.Fatal(err)
	}
	s := &scope{server: server, service: &corev1.Service{}}
	s.service.Spec.Ports = []corev1.ServicePort{{Name: render.ControlPortName, Port: 21}}
	s.surplus = []policy.Slot{{Number: 19}}
	if n := s.portSlots(); n != 20 {
		t.Fatalf("there are ports of %d slots", n)
	}
	ports := s.ports()
	if !slices.IsSorted(ports.Passive) || ports.Passive[0] != 30000 || ports.Passive[len(ports.Passive)-1] != 30000+16*64-1 {
		t.Errorf("it tells %d ports, from %d to %d", len(ports.Passive), ports.Passive[0], ports.Passive[len(ports.Passive)-1])
	}
	before := server.DeepCopy()
	server.Status.Ports = ports
	if err := kube.Status().Patch(t.Context(), server, client.MergeFrom(before), client.DryRunAll); err != nil {
		t.Error(err)
	}
}
