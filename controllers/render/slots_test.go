package render_test

import (
	"fmt"
	"reflect"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// slot0 is the Deployment of the first slot of a server.
func slot0(change ...func(*render.Input)) *appsv1.Deployment {
	return render.Deployment(input(change...), render.SlotDeployment{Slot: 0, Replicas: 1})
}

// Scaling replaces no pod: nothing in a pod template goes by how many there are.
func TestScalingChangesNoTemplate(t *testing.T) {
	one := slot0()
	for n := range int32(65) {
		d := slot0(func(in *render.Input) {
			in.Server.Spec.Replicas, in.Server.Spec.Passive.Slots = ptr.To(n), ptr.To[int32](64)
			in.Slots = 64
		})
		if !equality.Semantic.DeepEqual(d, one) {
			t.Fatalf("with %d replicas the first is another", n)
		}
	}
}

// kept finds whether two templates are one, by the hash that a rollout goes by.
func kept(a, b *appsv1.Deployment) bool { return render.TemplateHash(a) == render.TemplateHash(b) }

// Each field of the spec either is known to be reloaded, and then leaves the
// template alone, or is the one that replaces pods.
func TestFieldsThatReplacePods(t *testing.T) {
	before := slot0()
	reloaded := map[string]func(*v1alpha1.FTPServerSpec){
		"Replicas":      func(s *v1alpha1.FTPServerSpec) { s.Replicas = ptr.To[int32](7) },
		"TLS":           func(s *v1alpha1.FTPServerSpec) { s.TLS.Mode = v1alpha1.TLSDisabled },
		"Passive":       func(s *v1alpha1.FTPServerSpec) { s.Passive.PortsPerReplica = 64 },
		"Service":       func(s *v1alpha1.FTPServerSpec) { s.Service.Type = v1alpha1.ServiceLoadBalancer },
		"Files":         func(s *v1alpha1.FTPServerSpec) { s.Files.Umask = "077" },
		"Anonymous":     func(s *v1alpha1.FTPServerSpec) { s.Anonymous = &v1alpha1.AnonymousSpec{Home: "/pub"} },
		"Limits":        func(s *v1alpha1.FTPServerSpec) { s.Limits.SessionsPerReplica = 1 },
		"Logging":       func(s *v1alpha1.FTPServerSpec) { s.Logging.Level = v1alpha1.LogDebug },
		"Front":         func(s *v1alpha1.FTPServerSpec) { s.Front = &v1alpha1.FrontSpec{} },
		"NetworkPolicy": func(s *v1alpha1.FTPServerSpec) { s.NetworkPolicy.Mode = v1alpha1.NetworkPolicyNone },
		// Of the storage, the size and what becomes of it; all else is immutable.
		"Storage": func(s *v1alpha1.FTPServerSpec) {
			s.Storage.Volume.Size, s.Storage.Volume.DeletionPolicy = nil, v1alpha1.DeletionDelete
		},
	}
	fields := reflect.TypeFor[v1alpha1.FTPServerSpec]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		change, known := reloaded[name]
		switch {
		case name == "Pod":
			continue
		case !known:
			t.Errorf("spec.%s: does a change of it replace pods?", name)
			continue
		}
		after := slot0(func(in *render.Input) { change(&in.Server.Spec) })
		if !kept(before, after) || !equality.Semantic.DeepEqual(before.Spec, after.Spec) {
			t.Errorf("spec.%s replaces pods", name)
		}
	}
	if kept(before, slot0(func(in *render.Input) { in.Server.Spec.Pod.RunAsUser = 7 })) ||
		kept(before, slot0(func(in *render.Input) { in.Image = "example.com/newer" })) {
		t.Error("a new pod template has the hash of the old one")
	}
}

// A slot that waits, or ends, keeps all of its Deployment but the replicas, and
// the hash of what it has.
func TestKeptDeployment(t *testing.T) {
	live := slot0()
	live.ResourceVersion, live.Generation = "7", 3
	live.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyAlways // as the API server fills in
	for _, replicas := range []int32{0, 1} {
		got := render.Deployment(input(func(in *render.Input) { in.Image = "example.com/newer" }),
			render.SlotDeployment{Slot: 0, Replicas: replicas, Kept: live})
		if *got.Spec.Replicas != replicas || !kept(got, live) || !equality.Semantic.DeepEqual(got.Spec.Template, live.Spec.Template) {
			t.Errorf("with %d replicas it is %+v", replicas, got)
		}
		if got.ResourceVersion != "" || got.Generation != 0 {
			t.Errorf("its metadata is %+v", got.ObjectMeta)
		}
	}
	if *live.Spec.Replicas != 1 {
		t.Error("the live one was changed")
	}
}

// A pod leaves a dead node sooner where another node can mount the volume, unless
// the spec says how long it stays.
func TestTolerations(t *testing.T) {
	exists := func(key string, effect corev1.TaintEffect) corev1.Toleration {
		return corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: effect}
	}
	const gone, unready = corev1.TaintNodeUnreachable, corev1.TaintNodeNotReady
	own := func(key string) string { return key + ":30" }
	for name, tc := range map[string]struct {
		given  []corev1.Toleration
		shared bool
		want   []string
	}{
		"a volume of one":         {nil, false, nil},
		"a shared volume":         {nil, true, []string{own(unready), own(gone)}},
		"beside others":           {[]corev1.Toleration{exists("disk", "")}, true, []string{"disk:", own(unready), own(gone)}},
		"one is given":            {[]corev1.Toleration{exists(gone, corev1.TaintEffectNoExecute)}, true, []string{gone + ":", own(unready)}},
		"given for all effects":   {[]corev1.Toleration{exists(unready, "")}, true, []string{unready + ":", own(gone)}},
		"given for all taints":    {[]corev1.Toleration{exists("", "")}, true, []string{":"}},
		"given, and not to evict": {[]corev1.Toleration{exists(gone, corev1.TaintEffectNoSchedule)}, true, []string{gone + ":", own(unready), own(gone)}},
	} {
		t.Run(name, func(t *testing.T) {
			d := slot0(func(in *render.Input) { in.Server.Spec.Pod.Tolerations, in.SharedVolume = tc.given, tc.shared })
			var got []string
			for _, tol := range d.Spec.Template.Spec.Tolerations {
				seconds := ""
				if tol.TolerationSeconds != nil {
					seconds = fmt.Sprint(*tol.TolerationSeconds)
				}
				got = append(got, tol.Key+":"+seconds)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("they are %v, want %v", got, tc.want)
			}
		})
	}
}
