package render_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// fronted is a server with a front, as the API server would default it.
func fronted(in *render.Input) {
	in.Server.Spec.Replicas, in.Slots, in.Deployments = ptr.To[int32](2), 2, running(2)
	in.Server.Spec.Front = &v1alpha1.FrontSpec{Replicas: ptr.To[int32](2), ConnectionsPerReplica: 5000}
	in.Server.Spec.Front.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("20m")}
	in.FrontServes = true
	in.FrontAddresses = []netip.Addr{netip.MustParseAddr("10.244.1.7"), netip.MustParseAddr("fd00::7")}
}

// running are the Deployments of so many slots.
func running(n int) (out []render.SlotDeployment) {
	for i := range n {
		out = append(out, render.SlotDeployment{Slot: i, Replicas: 1})
	}
	return out
}

// balanced is one behind a load balancer that tells addresses, with shares.
func balanced(in *render.Input) {
	fronted(in)
	s := &in.Server.Spec
	s.Service.Type, s.Service.ExternalTrafficPolicy = v1alpha1.ServiceLoadBalancer, v1alpha1.ExternalTrafficCluster
	s.Service.ProxyProtocol = &v1alpha1.ProxyProtocolSpec{Trusted: []v1alpha1.ProxySource{{CIDR: "10.0.0.0/16"}, {CIDR: "fd00:1::/64"}}}
	s.TLS.Implicit = &v1alpha1.ImplicitTLSSpec{Port: 990}
	s.Pod.TerminationGracePeriod = &metav1.Duration{Duration: time.Minute}
	s.Pod.ImagePullSecrets = []v1alpha1.LocalReference{{Name: "pull"}}
	s.Front = &v1alpha1.FrontSpec{
		Replicas: ptr.To[int32](1), ConnectionsPerReplica: 500, Image: "example.com/haproxy:3",
		SlowStart: &metav1.Duration{},
		Slots:     []v1alpha1.FrontSlot{{Slot: ptr.To[int32](0), Weight: ptr.To[int32](0)}, {Slot: ptr.To[int32](1), Weight: ptr.To[int32](256), Role: v1alpha1.FrontBackup}},
	}
}

// hidden is one behind a load balancer that does not tell them.
func hidden(in *render.Input) {
	fronted(in)
	s := &in.Server.Spec
	s.Service.Type, s.Service.ExternalTrafficPolicy = v1alpha1.ServiceLoadBalancer, v1alpha1.ExternalTrafficCluster
}

// objectOf finds an object by kind and name.
func objectOf[T render.Object](t *testing.T, out render.Output, name string) T {
	t.Helper()
	for _, o := range out.Objects {
		if found, ok := o.(T); ok && found.GetName() == name {
			return found
		}
	}
	t.Fatalf("there is no %s", name)
	panic("unreachable")
}

func rendered(t *testing.T, change ...func(*render.Input)) render.Output {
	t.Helper()
	out, err := render.Objects(input(change...))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func front(t *testing.T, change ...func(*render.Input)) corev1.PodTemplateSpec {
	t.Helper()
	return objectOf[*appsv1.Deployment](t, rendered(t, change...), "files-front").Spec.Template
}

// What runs in the front changes neither with how many replicas run, nor where,
// nor with what the servers load by themselves.
func TestFrontIsNotReplacedForWhatChangesOften(t *testing.T) {
	same := front(t, fronted, func(in *render.Input) {
		in.Server.Spec.Replicas, in.Slots, in.Deployments = ptr.To[int32](7), 8, running(7)
		in.Server.Spec.TLS = v1alpha1.TLSSpec{Mode: v1alpha1.TLSOptional, MinVersion: "1.3", Implicit: &v1alpha1.ImplicitTLSSpec{Port: 990}}
		in.Server.Spec.Limits.IdleTimeout = &metav1.Duration{Duration: time.Hour}
		in.Server.Spec.Passive.PortsPerReplica = 9
		in.Server.Spec.Front.Replicas = ptr.To[int32](5)
		in.Server.Spec.Pod.Image, in.Server.Spec.Pod.RunAsUser = "example.com/other:1", 7
		in.FrontAddresses, in.FrontServes, in.Users = nil, false, nil
	})
	if !equality.Semantic.DeepEqual(front(t, fronted), same) {
		t.Error("the front would be replaced")
	}
	slots := func(n int) func(*render.Input) { return func(in *render.Input) { in.Slots = n } }
	if !equality.Semantic.DeepEqual(front(t, fronted, slots(9)), front(t, fronted, slots(16))) {
		t.Error("the front would be replaced for each slot more")
	}
	for _, shape := range []func(*render.Input){fronted, balanced} {
		wide := objectOf[*appsv1.Deployment](t, rendered(t, shape, slots(9)), "files-front")
		lives := func(in *render.Input) { in.FrontSlots = render.FrontSlots(wide) }
		if !equality.Semantic.DeepEqual(wide.Spec.Template, front(t, shape, slots(8), lives)) {
			t.Error("the front would be replaced where the ninth slot goes")
		}
		if !equality.Semantic.DeepEqual(front(t, shape, slots(17)), front(t, shape, slots(17), lives)) {
			t.Error("the front would not hear of a seventeenth slot")
		}
	}
}

// Of what does replace the front, the documentation tells (docs/front.md).
func TestFrontIsReplaced(t *testing.T) {
	pod := func(change func(*v1alpha1.PodSpec)) func(*render.Input) {
		return func(in *render.Input) { change(&in.Server.Spec.Pod) }
	}
	of := func(change func(*v1alpha1.FrontSpec)) func(*render.Input) {
		return func(in *render.Input) { change(in.Server.Spec.Front) }
	}
	for name, change := range map[string]func(*render.Input){
		"more slots": func(in *render.Input) { in.Slots = 9 },
		"a weight": of(func(f *v1alpha1.FrontSpec) {
			f.Slots = []v1alpha1.FrontSlot{{Slot: ptr.To[int32](0), Weight: ptr.To[int32](1)}}
		}),
		"connections":    of(func(f *v1alpha1.FrontSpec) { f.ConnectionsPerReplica++ }),
		"slow start":     of(func(f *v1alpha1.FrontSpec) { f.SlowStart = &metav1.Duration{} }),
		"resources":      of(func(f *v1alpha1.FrontSpec) { f.Resources.Requests = nil }),
		"its image":      of(func(f *v1alpha1.FrontSpec) { f.Image = "example.com/haproxy:3" }),
		"the operator's": func(in *render.Input) { in.FrontImage = "example.com/front:2" },
		"hidden":         hidden,
		"headers": func(in *render.Input) {
			in.Server.Spec.Service.ProxyProtocol = &v1alpha1.ProxyProtocolSpec{Trusted: []v1alpha1.ProxySource{{CIDR: "10.0.0.0/16"}}}
		},
		"grace period": pod(func(p *v1alpha1.PodSpec) { p.TerminationGracePeriod = &metav1.Duration{Duration: time.Hour} }),
		"nodes":        pod(func(p *v1alpha1.PodSpec) { p.NodeSelector = map[string]v1alpha1.LabelValue{"a": "b"} }),
		"tolerations":  pod(func(p *v1alpha1.PodSpec) { p.Tolerations = []corev1.Toleration{{Key: "a"}} }),
		"priority":     pod(func(p *v1alpha1.PodSpec) { p.PriorityClassName = "high" }),
		"pull secrets": pod(func(p *v1alpha1.PodSpec) { p.ImagePullSecrets = []v1alpha1.LocalReference{{Name: "pull"}} }),
	} {
		if equality.Semantic.DeepEqual(front(t, fronted), front(t, fronted, change)) {
			t.Errorf("%s: the front would not hear of it", name)
		}
	}
}

// Switching the front on or off replaces no replica.
func TestFrontTouchesNoSlot(t *testing.T) {
	slot := func(change ...func(*render.Input)) *appsv1.Deployment {
		return objectOf[*appsv1.Deployment](t, rendered(t, change...), "files-0")
	}
	without := slot(fronted, func(in *render.Input) { in.Server.Spec.Front, in.FrontServes, in.FrontAddresses = nil, false, nil })
	if !equality.Semantic.DeepEqual(slot(fronted), without) {
		t.Error("a replica would be replaced")
	}
	if spec := without.Spec.Template.Spec; spec.Hostname != "files-0" || spec.Subdomain != "files-slots" {
		t.Errorf("the pod is called %s.%s", spec.Hostname, spec.Subdomain)
	}
}

// Until the front serves, the control port leads to the replicas; passive ports
// always do.
func TestFrontTakesTheControlPortsOnly(t *testing.T) {
	targets := func(change ...func(*render.Input)) string {
		implicit := func(in *render.Input) { in.Server.Spec.TLS.Implicit = &v1alpha1.ImplicitTLSSpec{Port: 990} }
		var out []string
		for _, p := range objectOf[*corev1.Service](t, rendered(t, append(change, implicit)...), "files").Spec.Ports {
			out = append(out, p.Name+">"+p.TargetPort.String())
		}
		return strings.Join(out, " ")
	}
	if got, want := targets(fronted), "ftp>front ftps>front-ftps s0p0>s0p0 s0p1>s0p1 s1p0>s1p0 s1p1>s1p1"; got != want {
		t.Errorf("ports lead to %s, want %s", got, want)
	}
	before := func(in *render.Input) { in.FrontServes = false }
	if got, want := targets(fronted, before), "ftp>ftp ftps>2990 s0p0>s0p0 s0p1>s0p1 s1p0>s1p0 s1p1>s1p1"; got != want {
		t.Errorf("before it serves, ports lead to %s, want %s", got, want)
	}
	declared := map[string]bool{}
	for _, c := range front(t, fronted).Spec.Containers {
		for _, p := range c.Ports {
			declared[p.Name] = true
		}
	}
	for _, name := range []string{"ftp", "status", "s0p0"} {
		if declared[name] {
			t.Errorf("the front declares %s, which leads to replicas", name)
		}
	}
}

// Nobody counts a pod of the front as a replica.
func TestFrontIsNoReplica(t *testing.T) {
	selector, err := metav1.LabelSelectorAsSelector(render.ScaleSelector("files"))
	if err != nil {
		t.Fatal(err)
	}
	pod := front(t, fronted)
	if pod.Labels["app.kubernetes.io/name"] == "" || selector.Matches(labels.Set(pod.Labels)) || !render.OfFront(&pod) {
		t.Errorf("a pod of the front has the labels %v", pod.Labels)
	}
	stopped := rendered(t, fronted, func(in *render.Input) { in.Server.Spec.Replicas = ptr.To[int32](0) })
	if n := *objectOf[*appsv1.Deployment](t, stopped, "files-front").Spec.Replicas; n != 0 {
		t.Errorf("a front of %d waits for replicas that are not to run", n)
	}
}

// The pod has left time between when it is told to stop and when it is killed,
// whatever the grace period. One that is hung has not all of it.
func TestFrontEndsInTime(t *testing.T) {
	for grace, want := range map[time.Duration]string{
		time.Second:      "hard-stop-after 500ms, no sleep, hung 1",
		2 * time.Second:  "hard-stop-after 500ms, sleep 1, hung 2",
		3 * time.Second:  "hard-stop-after 1000ms, sleep 1, hung 3",
		10 * time.Second: "hard-stop-after 4000ms, sleep 5, hung 10",
		5 * time.Minute:  "hard-stop-after 294000ms, sleep 5, hung 30",
	} {
		pod := front(t, fronted, func(in *render.Input) { in.Server.Spec.Pod.TerminationGracePeriod = &metav1.Duration{Duration: grace} })
		got := "no hard-stop-after"
		for line := range strings.Lines(pod.Annotations[render.AnnotationFrontConfig]) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "hard-stop-after") {
				got = line
			}
		}
		c := pod.Spec.Containers[0]
		if c.Lifecycle == nil {
			got += ", no sleep"
		} else {
			got += fmt.Sprintf(", sleep %d", c.Lifecycle.PreStop.Sleep.Seconds)
		}
		if got += fmt.Sprintf(", hung %d", ptr.Deref(c.LivenessProbe.TerminationGracePeriodSeconds, -1)); got != want {
			t.Errorf("with %s: %s, want %s", grace, got, want)
		}
	}
}

// HAProxy itself takes what is written for it, without a warning. FTP_HAPROXY names
// the program; hack/images/haproxy.sh has the one of the image.
func TestHaproxyTakesItsConfiguration(t *testing.T) {
	haproxy := os.Getenv("FTP_HAPROXY")
	if haproxy == "" {
		t.Skip("FTP_HAPROXY is not set: name a haproxy, such as hack/images/haproxy.sh makes")
	}
	for name, change := range map[string]func(*render.Input){"fronted": fronted, "balanced": balanced, "hidden": hidden} {
		for _, ips := range []string{"10.0.0.1", "10.0.0.1,fd00::1", "fd00::1"} {
			file := filepath.Join(t.TempDir(), "haproxy.cfg")
			if err := os.WriteFile(file, []byte(front(t, change).Annotations[render.AnnotationFrontConfig]), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(haproxy, "-c", "-f", file)
			cmd.Env = append(os.Environ(), "POD_IP="+strings.Split(ips, ",")[0], "POD_IPS="+ips)
			out, err := cmd.CombinedOutput()
			if err != nil || strings.Contains(string(out), "WARNING") {
				t.Errorf("%s with %s: %v\n%s", name, ips, err, out)
			}
		}
	}
}
