package controllers

import (
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
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

// Between two pods, nothing moves: neither the address that is told, nor what PASV
// answers, nor the certificate. With the policy Local no node answers meanwhile,
// which is told.
func TestAddressesStayBetweenTwoPods(t *testing.T) {
	for traffic, meanwhile := range map[v1alpha1.ExternalTrafficPolicy]v1alpha1.Reason{
		v1alpha1.ExternalTrafficCluster: v1alpha1.ReasonAddressAssigned,
		v1alpha1.ExternalTrafficLocal:   v1alpha1.ReasonAddressPending,
	} {
		t.Run(string(traffic), func(t *testing.T) {
			ns := namespace(t)
			server := newServer(ns, "files", func(s *v1alpha1.FTPServer) {
				s.Spec.Service.Type, s.Spec.Service.ExternalTrafficPolicy = v1alpha1.ServiceNodePort, traffic
			})
			create(t, server)
			pod := runPods(t, ns, "files")
			reaches(t, server, kstatus.CurrentStatus)
			serial := certificate(t, ns, "files").SerialNumber
			for range 2 { // also in a pass that has seen the gap already
				remove(t, pod)
				var d appsv1.Deployment
				get(t, ns, "files-0", &d)
				reportDeployment(t, &d, 0)
				says(t, server, v1alpha1.ConditionWorkloadAvailable, metav1.ConditionFalse, v1alpha1.ReasonPodNotReady)
				reconcileAll(t, ns, "files")
				get(t, ns, "files", server)
				if a := server.Status.Addresses; len(a) != 1 || a[0].Value != "192.0.2.7" {
					t.Errorf("addresses are %v", a)
				}
				if c := meta.FindStatusCondition(server.Status.Conditions, v1alpha1.ConditionAddressAssigned); c.Reason != string(meanwhile) {
					t.Errorf("meanwhile it says %s: %s", c.Reason, c.Message)
				}
				if p := serverConfig(t, ns, "files").Passive; p.AddressPending != (meanwhile == v1alpha1.ReasonAddressPending) || p.AddressPending == (len(p.Addresses) == 1) {
					t.Errorf("PASV answers %+v", p)
				}
				pod = runPods(t, ns, "files")
				reaches(t, server, kstatus.CurrentStatus)
			}
			if c := certificate(t, ns, "files"); c.SerialNumber.Cmp(serial) != 0 {
				t.Errorf("the certificate was made anew, for %v", c.IPAddresses)
			}
		})
	}
}

// The certificate has all names and addresses that clients may use.
func TestCertificateOfSeveralAddresses(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) {
		s.Spec.Service.Type = v1alpha1.ServiceLoadBalancer
		s.Spec.Passive.Addresses = []v1alpha1.PassiveAddress{{Address: "198.51.100.4", ClientCIDRs: []string{"10.0.0.0/8"}}}
	})
	create(t, server)
	runPods(t, ns, "files")
	configured(t, ns, func(c *config.Config) error { // clients of that network need not wait for the load balancer
		if p := c.Passive; len(p.Addresses) != 1 || !p.AddressPending {
			return fmt.Errorf("PASV answers %+v", p)
		}
		return nil
	})
	balance(t, ns, corev1.LoadBalancerIngress{IP: "203.0.113.9", Hostname: "a.example.com"}, corev1.LoadBalancerIngress{IP: "2001:db8::9"})
	reaches(t, server, kstatus.CurrentStatus)
	c := certificate(t, ns, "files")
	for _, name := range []string{"a.example.com", "203.0.113.9", "2001:db8::9", "198.51.100.4", "files." + ns + ".svc"} {
		if err := c.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	var told []string
	for _, a := range serverConfig(t, ns, "files").Passive.Addresses {
		told = append(told, a.Address)
	}
	if !slices.Equal(told, []string{"198.51.100.4", "203.0.113.9", "a.example.com"}) {
		t.Errorf("PASV answers %v", told)
	}
	get(t, ns, "files", server)
	if n := len(server.Status.Addresses); n != 3 {
		t.Errorf("%d addresses are told", n)
	}
	quiet(t, ns, "files")
}

// What was told of one type of Service is not taken for an address of the next,
// for which there is no pod yet.
func TestAddressesOfAnotherType(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	says(t, server, v1alpha1.ConditionAddressAssigned, metav1.ConditionTrue, v1alpha1.ReasonAddressAssigned)
	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceNodePort })
	consistent(t, server)
	reconcileAll(t, ns, "files")
	says(t, server, v1alpha1.ConditionAddressAssigned, metav1.ConditionFalse, v1alpha1.ReasonAddressPending)
	if a := server.Status.Addresses; len(a) != 0 {
		t.Errorf("addresses are %v", a)
	}
}
