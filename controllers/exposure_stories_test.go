package controllers

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

func TestNodePortsAreAnnounced(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceNodePort })
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	announced := checkNodePorts(t, ns, 8)
	quiet(t, ns, "files")

	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Passive.PortsPerReplica = 12 })
	reaches(t, server, kstatus.CurrentStatus)
	if wider := checkNodePorts(t, ns, 12); !slices.Equal(wider[:8], announced) {
		t.Errorf("widening moved the ports: %v, then %v", announced, wider)
	}
	get(t, ns, "files", server)
	if a := server.Status.Addresses; len(a) != 1 || a[0].Value != "192.0.2.7" {
		t.Errorf("addresses are %v, want the pod's node", a)
	}

	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceClusterIP })
	reaches(t, server, kstatus.CurrentStatus)
	get(t, ns, "files", server)
	if got := server.Status.Ports.Passive; got[0] != 30000 || got[11] != 30011 {
		t.Errorf("with a ClusterIP again, the ports are %v", got)
	}
}

func checkNodePorts(t *testing.T, ns string, n int) []int {
	t.Helper()
	var announced []int
	eventually(t, func() error {
		var svc corev1.Service
		get(t, ns, "files", &svc)
		announced = nil
		for _, p := range serverConfig(t, ns, "files").Passive.Ports {
			announced = append(announced, p.Announce)
		}
		if len(svc.Spec.Ports) != n+1 || len(announced) != n {
			return fmt.Errorf("%d ports in the Service, %d announced, want %d", len(svc.Spec.Ports)-1, len(announced), n)
		}
		for _, p := range svc.Spec.Ports {
			if p.Name != render.ControlPortName && (p.Port != p.NodePort || !slices.Contains(announced, int(p.Port))) {
				return fmt.Errorf("port %s is %d, on nodes %d, announced are %v", p.Name, p.Port, p.NodePort, announced)
			}
		}
		return nil
	})
	return announced
}

func TestLoadBalancerAddress(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceLoadBalancer })
	create(t, server)
	runPods(t, ns, "files")
	says(t, server, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAddressPending)
	if !serverConfig(t, ns, "files").Passive.AddressPending {
		t.Error("the server is not told that the address is pending")
	}
	var svc corev1.Service
	get(t, ns, "files", &svc)
	if svc.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal {
		t.Errorf("externalTrafficPolicy is %q", svc.Spec.ExternalTrafficPolicy)
	}
	svc.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.9"}, {Hostname: "lb.example.com"}}
	if err := kube.Status().Update(t.Context(), &svc); err != nil {
		t.Fatal(err)
	}
	reaches(t, server, kstatus.CurrentStatus)
	p := serverConfig(t, ns, "files").Passive
	if p.AddressPending || len(p.Addresses) != 2 || p.Addresses[0].Address != "203.0.113.9" {
		t.Errorf("PASV is to answer %+v", p)
	}
	if names := certificate(t, ns, "files").DNSNames; !slices.Contains(names, "lb.example.com") {
		t.Errorf("the certificate has the names %v", names)
	}
	quiet(t, ns, "files")
}
