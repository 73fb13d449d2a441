package controllers

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
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

// After many rolls nothing is there that was not there before.
func TestRollsInARow(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 4)
	w.create(w.newUser("alice"))
	w.settle()
	before, ports := slices.Sorted(maps.Keys(objects(versions(t, w.namespace)))), w.passivePorts()
	rolls := 3
	if os.Getenv("FTP_TEST_FULL") == "1" {
		rolls = 20
	}
	for i := range rolls {
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
