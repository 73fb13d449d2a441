package controllers

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/google/go-cmp/cmp"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Four replicas are made at once, and replaced one after the other, the lowest
// number first. Then nothing is written any more.
func TestRollOneAtATime(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 4)
	w.rests()
	var rolled []string // in the order of the writes that gave them the new image
	w.wire.wrote = func(verb string, o client.Object) {
		w.wrote(verb, o)
		for name, d := range w.deploymentsNow() {
			if d.Spec.Template.Spec.Containers[0].Image == "example.com/new" && !slices.Contains(rolled, name) {
				rolled = append(rolled, name)
			}
		}
	}
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/new" })
	w.work()
	w.tells(metav1.ConditionFalse, v1alpha1.ReasonRollingOut)
	var s v1alpha1.FTPServer
	w.read(theServer, &s)
	for _, slot := range s.Status.Slots {
		if slot.Ready != metav1.ConditionFalse {
			t.Errorf("%s is told to run the wanted version", slot.Name)
		}
	}
	w.settle()
	serverReady(w)
	if want := []string{"files-0", "files-1", "files-2", "files-3"}; !slices.Equal(rolled, want) {
		t.Errorf("they were replaced in the order %v, want %v", rolled, want)
	}
	for name, d := range w.deploymentsNow() {
		if d.Spec.Template.Spec.Containers[0].Image != "example.com/new" {
			t.Errorf("%s is of %s", name, d.Spec.Template.Spec.Containers[0].Image)
		}
	}
	w.rests()
}

// What the server reloads leaves every Deployment as it is.
func TestReloadRollsNothing(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 4)
	before, pods := w.versionsOf("Deployment"), w.podsOf()
	for _, reloaded := range []func(*v1alpha1.FTPServerSpec){
		func(s *v1alpha1.FTPServerSpec) {
			s.TLS = v1alpha1.TLSSpec{Mode: v1alpha1.TLSOptional, MinVersion: "1.3", Implicit: &v1alpha1.ImplicitTLSSpec{Port: 990}}
		},
		func(s *v1alpha1.FTPServerSpec) {
			s.Passive = v1alpha1.PassiveSpec{PortsPerReplica: 64, FirstPort: 40000, Slots: ptr.To[int32](6), UnverifiedData: v1alpha1.UnverifiedDataAllow}
		},
		func(s *v1alpha1.FTPServerSpec) {
			s.Passive.Addresses = []v1alpha1.PassiveAddress{{Address: "192.0.2.9", ClientCIDRs: []string{"10.0.0.0/8"}}}
		},
		func(s *v1alpha1.FTPServerSpec) {
			s.Service = v1alpha1.ServiceSpec{Type: v1alpha1.ServiceNodePort, Port: 2121, ExternalTrafficPolicy: v1alpha1.ExternalTrafficCluster,
				SessionAffinity: v1alpha1.SessionAffinityClientIP, Annotations: map[string]string{"example.com/x": "y"}}
		},
		func(s *v1alpha1.FTPServerSpec) { s.Service.Type = v1alpha1.ServiceClusterIP },
		func(s *v1alpha1.FTPServerSpec) {
			s.Files = v1alpha1.FilesSpec{Uploads: v1alpha1.UploadsDirect, Overwrite: v1alpha1.OverwriteDeny, Umask: "077", Hidden: v1alpha1.HiddenHide}
		},
		func(s *v1alpha1.FTPServerSpec) {
			s.Limits = v1alpha1.LimitsSpec{SessionsPerReplica: 7, SessionsPerAddress: 3, IdleTimeout: &metav1.Duration{Duration: time.Minute},
				FailedLogins: v1alpha1.FailedLoginsSpec{Mode: v1alpha1.FailedLoginsNone}}
			s.Limits.DownloadRatePerSession = ptr.To(resource.MustParse("1Mi"))
		},
		func(s *v1alpha1.FTPServerSpec) { s.Anonymous = &v1alpha1.AnonymousSpec{Home: "/pub", Role: "ReadOnly"} },
		func(s *v1alpha1.FTPServerSpec) { s.NetworkPolicy.Mode = v1alpha1.NetworkPolicyNone },
		func(s *v1alpha1.FTPServerSpec) { s.Logging.Level = v1alpha1.LogDebug },
	} {
		w.set(func(s *v1alpha1.FTPServer) { reloaded(&s.Spec) })
		w.settle()
		serverReady(w)
	}
	w.create(w.newUser("alice"))
	w.settle()
	userReady("alice")(w)
	if after := w.versionsOf("Deployment"); !maps.Equal(before, after) || !maps.Equal(pods, w.podsOf()) {
		t.Errorf("a Deployment or pod was touched: %s", cmp.Diff(before, after))
	}
}

// A pod that does not come up stops the roll, and is told of. A corrected spec
// mends what is broken first, all of it at once, and then goes on.
func TestRollStopsAndRecovers(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 4)
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/" + brokenImage })
	w.settle()
	w.tells(metav1.ConditionFalse, v1alpha1.ReasonRolloutStopped, "files-0", "files-0-pod-", "ImagePullBackOff: no such image", "files-1, files-2, files-3")
	for name, d := range w.deploymentsNow() {
		if want := map[bool]string{true: "example.com/" + brokenImage, false: testImage}[name == "files-0"]; d.Spec.Template.Spec.Containers[0].Image != want {
			t.Errorf("%s is of %s", name, d.Spec.Template.Spec.Containers[0].Image)
		}
	}
	w.rests()

	// A second one breaks: its Deployment is lost, and made anew.
	w.delete("files-2", w.deploymentsNow()["files-2"])
	w.settle()
	w.tells(metav1.ConditionFalse, v1alpha1.ReasonRolloutStopped, "files-1, files-3")

	w.boot() // and another operator goes on
	made := w.writes()
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/good" })
	w.work()
	now := w.deploymentsNow()
	for name, want := range map[string]string{
		"files-0": "example.com/good", "files-1": testImage, "files-2": "example.com/good", "files-3": testImage,
	} {
		if got := now[name].Spec.Template.Spec.Containers[0].Image; got != want {
			t.Errorf("at once, %s is of %s, want %s", name, got, want)
		}
	}
	w.settle()
	serverReady(w)
	if rolled := only(*made, "Deployment"); len(rolled) < 4 {
		t.Errorf("only %v", rolled)
	}
	w.rests()
}

// Scaling makes and ends replicas and touches no other. The ports of a new one
// are there before its Deployment; those of one that ends stay until its pod has.
func TestScaling(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 2)
	pods, deployments := w.podsOf(), w.versionsOf("Deployment")
	made := w.writes()
	w.scale(4)
	w.work()
	service, config, slot := slices.Index(*made, "Apply Service files"), slices.Index(*made, "Apply Secret files-config"), slices.Index(*made, "Apply Deployment files-2")
	if service < 0 || config < service || slot < config {
		t.Errorf("the writes are %v", *made)
	}
	w.settle()
	serverReady(w)
	untouched(w, pods, deployments)
	var s v1alpha1.FTPServer
	if w.read(theServer, &s); s.Status.Replicas != 4 || len(s.Status.Slots) != 4 || s.Status.Selector != metav1.FormatLabelSelector(render.ScaleSelector(theServer)) {
		t.Errorf("the status is %+v", s.Status)
	}

	w.cluster.draining = true
	w.scale(1)
	w.settle()
	w.tells(metav1.ConditionTrue, v1alpha1.ReasonScalingDown, "files-1, files-2, files-3")
	serverReady(w)
	if w.read(theServer, &s); s.Status.Replicas != 1 || len(s.Status.Slots) != 1 {
		t.Errorf("while they drain, the status is %+v", s.Status)
	}
	if n := len(w.passivePorts()); n != 4*8 {
		t.Errorf("while they drain, the Service has %d passive ports", n)
	}
	for name, d := range w.deploymentsNow() {
		if want := map[bool]int32{true: 1, false: 0}[name == "files-0"]; *d.Spec.Replicas != want {
			t.Errorf("%s has %d replicas", name, *d.Spec.Replicas)
		}
	}
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/new" })
	w.work()
	if image := w.deploymentsNow()["files-3"].Spec.Template.Spec.Containers[0].Image; image != testImage {
		t.Errorf("what only drains was given the image %s", image)
	}
	w.cluster.draining = false
	w.settle()
	serverReady(w)
	w.tells(metav1.ConditionTrue, v1alpha1.ReasonWorkloadAvailable)
	if left := slices.Sorted(maps.Keys(w.deploymentsNow())); !slices.Equal(left, []string{"files-0"}) || len(w.passivePorts()) != 8 {
		t.Errorf("left are %v and %d ports", left, len(w.passivePorts()))
	}
	w.rests()
}

func untouched(w *world, pods, deployments map[string]string) {
	w.t.Helper()
	nowPods, now := w.podsOf(), w.versionsOf("Deployment")
	for name, version := range deployments {
		if now[name] != version {
			w.t.Errorf("%s was written", name)
		}
	}
	for slot, pod := range pods {
		if nowPods[slot] != pod {
			w.t.Errorf("the pod of %s is %s and was %s", slot, nowPods[slot], pod)
		}
	}
}

// Within passive.slots, scaling never writes the Service, nor the configuration.
func TestScalingWithinSlots(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1, func(s *v1alpha1.FTPServer) { s.Spec.Passive.Slots = ptr.To[int32](4) })
	services, secrets := w.versionsOf("Service"), w.versionsOf("Secret")
	for _, n := range []int{4, 2, 3, 0, 1} {
		w.scale(n)
		w.settle()
		serverReady(w)
		if len(w.deploymentsNow()) != n {
			t.Errorf("with %d replicas there are %d Deployments", n, len(w.deploymentsNow()))
		}
	}
	if after := w.versionsOf("Service"); !maps.Equal(services, after) {
		t.Errorf("the Service was written: %s", cmp.Diff(services, after))
	}
	if after := w.versionsOf("Secret"); !maps.Equal(secrets, after) {
		t.Errorf("a Secret was written: %s", cmp.Diff(secrets, after))
	}
	if n := len(w.passivePorts()); n != 4*8 {
		t.Errorf("the Service has %d passive ports", n)
	}
}

// A replica that is asked for again while its pod still ends comes back once
// that has: a new pod would take over the ports that clients of the old one were
// told.
func TestScaledUpWhileDraining(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ before, between int }{"a replica of two": {2, 1}, "the only one": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := serverOf(t, int32(tc.before))
			w.cluster.draining = true
			last := render.DeploymentName(theServer, tc.before-1)
			old := w.podsOf()[last]
			w.scale(tc.between)
			w.settle()
			w.scale(tc.before)
			w.settle()
			w.tells(metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "A pod of "+last+" finishes its transfers")
			if n := *w.deploymentsNow()[last].Spec.Replicas; n != 0 {
				t.Errorf("it was given %d replicas while its pod still ends", n)
			}
			w.cluster.draining = false
			w.settle()
			serverReady(w)
			if now := w.podsOf()[last]; now == "" || now == old {
				t.Errorf("its pod is %q and was %q", now, old)
			}
		})
	}
}

// Where the API server will not have the Service, no slot is made whose ports it
// lacks; what runs goes on.
func TestNoSlotWithoutPorts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "other"}}
	other.Spec.Type, other.Spec.Ports = corev1.ServiceTypeNodePort, []corev1.ServicePort{{Port: 80}}
	w.create(other)
	t.Cleanup(func() { remove(t, other) })
	taken := other.Spec.Ports[0].NodePort // one that the second slot would have
	w.create(w.newServer(shared(1), func(s *v1alpha1.FTPServer) {
		s.Spec.Service = v1alpha1.ServiceSpec{Type: v1alpha1.ServiceNodePort, Port: 21, ExternalTrafficPolicy: v1alpha1.ExternalTrafficCluster}
		s.Spec.Passive = v1alpha1.PassiveSpec{PortsPerReplica: 1, FirstNodePort: ptr.To(taken - 1)}
	}))
	w.settle()
	if w.condition(v1alpha1.ConditionReady).Status != metav1.ConditionTrue {
		t.Skipf("the node port %d was taken by another test: %s", taken-1, w.condition(v1alpha1.ConditionReady).Message)
	}
	pods := w.podsOf()
	w.scale(2)
	w.settle()
	if c := w.condition(v1alpha1.ConditionAccepted); c.Reason != string(v1alpha1.ReasonChildRejected) {
		t.Errorf("Accepted is %+v", c)
	}
	if !maps.Equal(pods, w.podsOf()) || len(w.deploymentsNow()) != 1 {
		t.Errorf("the pods were %v and are %v", pods, w.podsOf())
	}
	w.tells(metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "The replica files-1 is held back until the Service has its passive ports")
	remove(t, other)
	w.elapse(pollNoted)
	w.settle()
	serverReady(w)
	for _, p := range w.problems {
		t.Error(p)
	}
}

// A slot whose ports the Service has is made, also where the API server will not
// have an edit of the Service.
func TestSlotWithPortsBesideARefusedEdit(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1, func(s *v1alpha1.FTPServer) { s.Spec.Passive.Slots = ptr.To[int32](2) })
	w.set(func(s *v1alpha1.FTPServer) {
		s.Spec.Service.IPFamilyPolicy, s.Spec.Replicas = ptr.To(v1alpha1.IPFamilyPolicy("RequireDualStack")), ptr.To[int32](2)
	})
	w.settle()
	if c := w.condition(v1alpha1.ConditionAccepted); c.Reason != string(v1alpha1.ReasonChildRejected) {
		t.Errorf("Accepted is %+v", c)
	}
	w.tells(metav1.ConditionTrue, v1alpha1.ReasonWorkloadAvailable)
	if n := len(w.podsOf()); n != 2 {
		t.Errorf("there are %d pods", n)
	}
}

// A Service that is being deleted gets no more ports: a new slot waits for the
// next.
func TestNoSlotWhileTheServiceGoes(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1)
	svc := &corev1.Service{}
	edit(w, theServer, svc, func(s *corev1.Service) { s.Finalizers = []string{"example.com/balancer"} })
	if err := kube.Delete(t.Context(), svc); err != nil {
		t.Fatal(err)
	}
	w.scale(2)
	w.settle()
	w.tells(metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "The replica files-1 is held back until the Service has its passive ports")
	if n := len(w.deploymentsNow()); n != 1 {
		t.Errorf("there are %d Deployments", n)
	}
	clearFinalizers(t, svc)
	w.settle()
	serverReady(w)
	if n := len(w.podsOf()); n != 2 {
		t.Errorf("there are %d pods", n)
	}
}

// With node ports, no configuration that is written while replicas come, or get
// more ports, is without numbers: PASV would be refused to all. Nor is it told.
func TestScalingNodePorts(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1, func(s *v1alpha1.FTPServer) {
		s.Spec.Service = v1alpha1.ServiceSpec{Type: v1alpha1.ServiceNodePort, ExternalTrafficPolicy: v1alpha1.ExternalTrafficCluster}
	})
	configurations := 0
	w.wire.wrote = func(verb string, o client.Object) {
		w.wrote(verb, o)
		if told, ok := o.(*v1alpha1.FTPServer); ok {
			if c := meta.FindStatusCondition(told.Status.Conditions, v1alpha1.ConditionAddressAssigned); c.Status != metav1.ConditionTrue {
				w.problem("it was told to be without its ports: %s", c.Message)
			}
		}
		if o.GetName() != render.ConfigSecretName(theServer) {
			return
		}
		configurations++
		var secret corev1.Secret
		w.read(o.GetName(), &secret)
		c, err := config.Decode(secret.Data[config.FileName], config.Strict)
		if err != nil || c.Passive.AddressPending {
			w.problem("it was without its ports: %v", err)
		}
	}
	w.scale(3)
	w.settle()
	serverReady(w)
	if configurations == 0 {
		t.Error("the configuration was not written")
	}
	checkNodePorts(t, w.namespace, 3*8)
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.Passive.PortsPerReplica = 12 })
	w.settle()
	serverReady(w)
	checkNodePorts(t, w.namespace, 3*12)
	w.rests()
}

// An operator that does not know yet which node ports Kubernetes has chosen anew,
// as another has written the Service meanwhile, asks for none that there were.
func TestStaleCacheMovesNoNodePorts(t *testing.T) {
	t.Parallel()
	ports := func(n int32) func(*v1alpha1.FTPServer) {
		return func(s *v1alpha1.FTPServer) { s.Spec.Passive.PortsPerReplica = n }
	}
	w := serverOf(t, 1, ports(12), func(s *v1alpha1.FTPServer) {
		s.Spec.Service = v1alpha1.ServiceSpec{Type: v1alpha1.ServiceNodePort, ExternalTrafficPolicy: v1alpha1.ExternalTrafficCluster}
	})
	second := w.rival()
	w.lags()
	for _, n := range []int32{8, 12} {
		w.set(ports(n))
		second.work()
	}
	var before, after corev1.Service
	w.read(theServer, &before)
	w.pass("server/" + theServer)
	w.boot()
	w.pass("server/" + theServer)
	w.wire.behind = nil
	w.settle()
	serverReady(w)
	if w.read(theServer, &after); !slices.Equal(before.Spec.Ports, after.Spec.Ports) {
		t.Errorf("the ports have moved: %s", cmp.Diff(before.Spec.Ports, after.Spec.Ports))
	}
}

// A Service that has lost the label by which it is watched gets it back, and keeps
// its node ports.
func TestServiceThatLostItsLabel(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1, func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceNodePort })
	var before, after corev1.Service
	w.read(theServer, &before)
	edit(w, theServer, &corev1.Service{}, func(s *corev1.Service) { delete(s.Labels, render.LabelManagedBy) })
	w.settle()
	serverReady(w)
	if w.read(theServer, &after); after.Labels[render.LabelManagedBy] == "" || !slices.Equal(before.Spec.Ports, after.Spec.Ports) {
		t.Errorf("it has the labels %v; its ports: %s", after.Labels, cmp.Diff(before.Spec.Ports, after.Spec.Ports))
	}
	w.rests()
}

// The budget comes with the second replica and goes with it.
func TestDisruptionBudget(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1)
	var budget policyv1.PodDisruptionBudget
	has := func() bool { return w.read(render.DisruptionBudgetName(theServer), &budget) }
	for _, n := range []int{1, 3, 2, 1, 2, 0} {
		w.scale(n)
		w.settle()
		serverReady(w)
		if has() != (n > 1) {
			t.Errorf("with %d replicas there is one: %v", n, has())
		}
		if n > 1 && budget.Spec.MinAvailable.IntValue() != n-1 {
			t.Errorf("with %d replicas it is %+v", n, budget.Spec)
		}
	}
}

// Whoever changed pod templates while no operator ran is put right, and so are
// two of them: one at a time.
func TestDriftIsPutRightOneAtATime(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 3)
	for _, name := range []string{"files-0", "files-1"} {
		edit(w, name, w.deploymentsNow()[name], func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "example.com/theirs" })
	}
	w.still()
	w.boot()
	w.settle()
	serverReady(w)
	w.rests()
	// What is nobody else's to say is no drift.
	edit(w, "files-2", w.deploymentsNow()["files-2"], func(d *appsv1.Deployment) { d.Spec.Template.Annotations = map[string]string{"theirs": "x"} })
	w.settle()
	serverReady(w)
	w.rests()
}

// A Deployment that no hash was noted of, as an earlier version has made it, is
// written again, and where nothing about the pod is new it stays.
func TestUnknownTemplatesAreNotReplacedInVain(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 3)
	pods := w.podsOf()
	for name, d := range w.deploymentsNow() {
		edit(w, name, d, func(d *appsv1.Deployment) { d.Annotations = nil })
	}
	w.boot()
	w.settle()
	serverReady(w)
	if now := w.podsOf(); !maps.Equal(pods, now) {
		t.Errorf("the pods were %v and are %v", pods, now)
	}
	for name, d := range w.deploymentsNow() {
		if render.TemplateHash(d) == "" {
			t.Errorf("there is still no hash on %s", name)
		}
	}
	w.rests()
}

// A Deployment that has lost labels gets them back: it is the same to the roll
// with them and without, also while the newest template is not its turn yet, and
// where it is to end.
func TestLostLabelsArePutRight(t *testing.T) {
	t.Parallel()
	for _, label := range []string{render.LabelSlot, render.LabelServer, render.LabelManagedBy, render.LabelInstance} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			w := serverOf(t, 3)
			lose := func(name string) {
				edit(w, name, w.deploymentsNow()[name], func(d *appsv1.Deployment) { delete(d.Labels, label) })
			}
			has := func(name string) {
				t.Helper()
				if d := w.deploymentsNow()[name]; d.Labels[label] == "" {
					t.Errorf("%s has the labels %v", name, d.Labels)
				}
			}
			lose("files-1")
			lose("files-2")
			pods := w.podsOf()
			w.settle()
			serverReady(w)
			has("files-1")
			has("files-2")
			if now := w.podsOf(); !maps.Equal(pods, now) {
				t.Errorf("the pods were %v and are %v", pods, now)
			}
			w.rests()

			w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/" + brokenImage })
			lose("files-0")
			lose("files-2")
			w.settle()
			w.tells(metav1.ConditionFalse, v1alpha1.ReasonRolloutStopped, "As they were stay files-1, files-2")
			has("files-2")
			if now := w.podsOf(); now["files-1"] != pods["files-1"] || now["files-2"] != pods["files-2"] {
				t.Errorf("the pods were %v and are %v", pods, now)
			}

			lose("files-2")
			w.scale(2)
			w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "" })
			w.settle()
			serverReady(w)
			if left := slices.Sorted(maps.Keys(w.deploymentsNow())); !slices.Equal(left, []string{"files-0", "files-1"}) {
				t.Errorf("left are %v", left)
			}
		})
	}
}

// The replicas of a slot that somebody has changed are put right, also while the
// slot waits for its turn to be renewed.
func TestReplicasArePutRightWhileASlotWaits(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 3)
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/" + brokenImage })
	w.settle()
	edit(w, "files-2", w.deploymentsNow()["files-2"], func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](5) })
	w.work()
	d := w.deploymentsNow()["files-2"]
	if *d.Spec.Replicas != 1 || d.Spec.Template.Spec.Containers[0].Image != testImage {
		t.Errorf("it has %d replicas of %s", *d.Spec.Replicas, d.Spec.Template.Spec.Containers[0].Image)
	}
}

// After many rolls nothing is there that was not there before.
func TestTwentyRolls(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 4)
	w.create(w.newUser("alice"))
	w.settle()
	before, ports := slices.Sorted(maps.Keys(objects(versions(t, w.namespace)))), w.passivePorts()
	for i := range 20 {
		old := w.podsOf()
		w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Annotations = map[string]string{"test/roll": fmt.Sprint(i)} })
		w.settle()
		bothReady(w)
		now := w.podsOf()
		for slot, pod := range old {
			if now[slot] == pod || now[slot] == "" {
				t.Fatalf("roll %d: the pod of %s is %q and was %q", i, slot, now[slot], pod)
			}
		}
		if len(w.cluster.running("")) != 4 {
			t.Fatalf("roll %d: %d pods run", i, len(w.cluster.running("")))
		}
	}
	if after := slices.Sorted(maps.Keys(objects(versions(t, w.namespace)))); !slices.Equal(before, after) || !slices.Equal(ports, w.passivePorts()) {
		t.Errorf("there is more or less than before: %s", cmp.Diff(before, after))
	}
	w.rests()
}

// objects leaves out the pods, whose names are others each time.
func objects(all map[string]string) map[string]string {
	maps.DeleteFunc(all, func(name, _ string) bool { return len(name) > 4 && name[:4] == "Pod/" })
	return all
}

// claimOf is somebody's claim, which names its modes.
func claimOf(namespace string, modes ...corev1.PersistentVolumeAccessMode) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "theirs"}}
	c.Spec.AccessModes = modes
	c.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	return c
}

func onTheirs(replicas int32) func(*v1alpha1.FTPServer) {
	return func(s *v1alpha1.FTPServer) {
		s.Spec.Replicas = &replicas
		s.Spec.Storage.Volume = &v1alpha1.VolumeSpec{ExistingClaimRef: &v1alpha1.LocalReference{Name: "theirs"}}
	}
}

// Of a claim that only one pod can have, only one is made, and one that runs
// goes on; who asks for more is told what to do.
func TestVolumeThatIsNotShared(t *testing.T) {
	t.Parallel()
	for _, mode := range []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadWriteOncePod} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.create(claimOf(w.namespace, mode), w.newServer(onTheirs(1)))
			w.settle()
			serverReady(w)
			pods, deployments := w.podsOf(), w.versionsOf("Deployment")
			w.scale(3)
			w.settle()
			c := w.condition(v1alpha1.ConditionResolvedRefs)
			if c.Reason != string(v1alpha1.ReasonVolumeNotShared) || c.Status != metav1.ConditionFalse {
				t.Errorf("ResolvedRefs is %+v", c)
			}
			if c := w.condition(v1alpha1.ConditionStalled); c.Reason != string(v1alpha1.ReasonVolumeNotShared) {
				t.Errorf("Stalled is %+v", c)
			}
			untouched(w, pods, deployments)
			if n := len(w.deploymentsNow()); n != 1 {
				t.Errorf("there are %d Deployments", n)
			}
			w.rests()
			w.scale(1)
			w.settle()
			serverReady(w)
			for _, p := range w.problems {
				t.Error(p)
			}
		})
	}
}

// Of a claim that is not there nobody knows whether several can have it: one slot
// is made, and the others once it is there and they can. While it is gone, no pod
// that runs is ended: the next could not start.
func TestClaimThatIsNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(w.newServer(onTheirs(3)))
	w.settle()
	if n := len(w.deploymentsNow()); n != 1 {
		t.Errorf("there are %d Deployments", n)
	}
	claim := claimOf(w.namespace, corev1.ReadWriteMany)
	w.create(claim)
	w.settle()
	serverReady(w)
	if n := len(w.podsOf()); n != 3 {
		t.Errorf("there are %d pods", n)
	}
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/new" })
	edit(w, claim.Name, claim, func(c *corev1.PersistentVolumeClaim) { c.Finalizers = nil })
	if err := kube.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	pods := w.podsOf()
	w.settle()
	if now := w.podsOf(); !maps.Equal(pods, now) {
		t.Errorf("the pods were %v and are %v", pods, now)
	}
	for _, p := range w.problems {
		t.Error(p)
	}
}

// A claim that is bound to a volume which can do more than was asked for replaces
// no pod by that; and what the volume can do, it may be used for.
func TestBindingReplacesNoPod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claim := claimOf(w.namespace, corev1.ReadWriteOnce)
	w.create(claim, w.newServer(onTheirs(1)))
	w.settle()
	serverReady(w)
	pods, deployments := w.podsOf(), w.versionsOf("Deployment")
	claim.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound,
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadWriteMany}}
	if err := kube.Status().Update(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	w.settle()
	serverReady(w)
	untouched(w, pods, deployments)
	w.scale(3)
	w.settle()
	serverReady(w)
	untouched(w, pods, deployments)
	if n := len(w.podsOf()); n != 3 {
		t.Errorf("there are %d pods", n)
	}
	for _, p := range w.problems {
		t.Error(p)
	}
}

// A volume that one node or one pod has is let go before the next pod is made:
// where that runs does not matter then.
func TestVolumeOfOneMoves(t *testing.T) {
	t.Parallel()
	for _, mode := range []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadWriteOncePod} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.create(w.newServer(func(s *v1alpha1.FTPServer) {
				s.Spec.Storage.Volume.AccessModes = []corev1.PersistentVolumeAccessMode{mode}
			}))
			w.settle()
			serverReady(w)
			old := w.podsOf()["files-0"]
			w.cluster.draining = true
			w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.NodeSelector = map[string]v1alpha1.LabelValue{"disk": "other"} })
			w.settle()
			if now := w.podsOf(); len(now) != 0 || len(w.cluster.running("")) != 1 {
				t.Errorf("beside %s, which drains, there are %v", old, now)
			}
			w.tells(metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "finishes its transfers")
			w.cluster.draining = false
			w.settle()
			serverReady(w)
			for name, d := range w.deploymentsNow() {
				if d.Spec.Strategy.Type != "Recreate" || len(d.Spec.Template.Spec.Tolerations) > 0 {
					t.Errorf("%s has the strategy %s and tolerates %v", name, d.Spec.Strategy.Type, d.Spec.Template.Spec.Tolerations)
				}
			}
			if now := w.podsOf()["files-0"]; now == old || now == "" {
				t.Error("the pod was not replaced")
			}
			for _, p := range w.problems {
				t.Error(p)
			}
		})
	}
}
