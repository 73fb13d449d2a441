package render

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// The numbers that a passive port may have (spec.passive.firstPort).
const (
	firstPort = 1024
	lastPort  = 65535
)

// PassivePortName names passive port i of a slot, on Service and container. By
// it Kubernetes routes the public port to the one slot that declares it.
func PassivePortName(slot, i int) string { return fmt.Sprintf("s%dp%d", slot, i) }

// PassivePort is a passive port of the Service.
type PassivePort struct {
	// Slot is the replica that it leads to, and Index which of its ports.
	Slot, Index int
	// Number is what clients are told.
	Number int32
}

// Name is that of the port, on Service and container.
func (p PassivePort) Name() string { return PassivePortName(p.Slot, p.Index) }

// Slots is how many replicas the spec has passive ports for: at least one, as
// the ports stay while the server is stopped.
func Slots(s *v1alpha1.FTPServer) int {
	return max(int(ptr.Deref(s.Spec.Passive.Slots, 0)), Replicas(s), 1)
}

// PassivePorts are the passive ports that the Service is to have for so many
// slots: from firstPort on, or with type NodePort from firstNodePort on or as
// Kubernetes has allocated them, so that one number fits clients inside and
// outside. Until it has, a number is taken that no other port of the Service has,
// nor had: a new port of an old one's number would inherit its node port, which is
// still in use.
func PassivePorts(s *v1alpha1.FTPServer, live *corev1.Service, slots int) []PassivePort {
	if given := givenPassivePorts(s, slots); given != nil {
		return given
	}
	nodePorts := map[string]int32{}
	if s.Spec.Service.Type == v1alpha1.ServiceNodePort {
		nodePorts = kept(s, live, slots)
	}
	taken := map[int32]bool{s.Spec.Service.Port: true}
	if implicit := s.Spec.TLS.Implicit; implicit != nil {
		taken[implicit.Port] = true
	}
	if len(nodePorts) > 0 {
		for _, p := range live.Spec.Ports {
			taken[p.NodePort], taken[p.Port] = true, true
		}
	}
	out := passivePorts(s, slots, s.Spec.Passive.FirstPort)
	next := s.Spec.Passive.FirstPort
	for i := range out {
		if n, ok := nodePorts[out[i].Name()]; ok {
			out[i].Number = n
			continue
		}
		for taken[next] || next > lastPort {
			if next++; next > lastPort {
				next = firstPort
			}
		}
		out[i].Number = next
		next++
	}
	return out
}

// AnnouncedPorts are the passive ports that clients are told: those that the live
// Service has, as it has them, so that they go on leading to the pods where
// Kubernetes refuses others. A slot that it has none for is told what it is to
// have.
func AnnouncedPorts(s *v1alpha1.FTPServer, live *corev1.Service, slots int) []PassivePort {
	numbers := public(live)
	var out []PassivePort
	for ofSlot := range slices.Chunk(PassivePorts(s, live, slots), max(1, int(s.Spec.Passive.PortsPerReplica))) {
		out = append(out, announced(ofSlot, numbers)...)
	}
	return out
}

func announced(ofSlot []PassivePort, numbers map[string]int32) []PassivePort {
	var out []PassivePort
	for _, p := range ofSlot {
		if n := numbers[p.Name()]; n != 0 {
			p.Number = n
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return ofSlot
	}
	return out
}

// givenPassivePorts are the passive ports where the spec says their node ports.
func givenPassivePorts(s *v1alpha1.FTPServer, slots int) []PassivePort {
	first := s.Spec.Passive.FirstNodePort
	if first == nil || s.Spec.Service.Type != v1alpha1.ServiceNodePort {
		return nil
	}
	return passivePorts(s, slots, *first)
}

// passivePorts are numbered from first on, slot after slot.
func passivePorts(s *v1alpha1.FTPServer, slots int, first int32) []PassivePort {
	each := int(s.Spec.Passive.PortsPerReplica)
	out := make([]PassivePort, 0, slots*each)
	for slot := range slots {
		for i := range each {
			out = append(out, PassivePort{Slot: slot, Index: i, Number: first + int32(len(out))}) //nolint:gosec // the schema bounds them
		}
	}
	return out
}
