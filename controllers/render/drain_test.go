package render_test

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestDrainTimeout: the server ends by itself before the kubelet kills it, goes on telling
// newcomers for a while where others stand in for it, and a hung one gets no long grace.
func TestDrainTimeout(t *testing.T) {
	for _, test := range []struct {
		grace            time.Duration // 0: the default
		slots            int
		timeout, atLeast time.Duration
		liveness         int64 // seconds
	}{
		{0, 1, 295 * time.Second, 0, 30},
		{0, 4, 295 * time.Second, 3 * time.Second, 30},
		{20 * time.Second, 4, 15 * time.Second, 3 * time.Second, 20},
		{2 * time.Second, 4, time.Second, time.Second, 2},
	} {
		out, err := render.Objects(input(func(in *render.Input) {
			in.Slots = test.slots
			if test.grace > 0 {
				in.Server.Spec.Pod.TerminationGracePeriod = &metav1.Duration{Duration: test.grace}
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out.Objects {
			switch o := o.(type) {
			case *corev1.Secret:
				for _, key := range []string{config.FileName, config.PreviousFileName} {
					data, ok := o.Data[key]
					if !ok {
						continue
					}
					c, err := config.Decode(data, config.Lenient)
					if err != nil {
						t.Fatal(err)
					}
					if got := c.Limits; got.DrainTimeout != test.timeout || got.DrainAtLeast != test.atLeast {
						t.Errorf("%+v: %s: drainTimeout %s, drainAtLeast %s", test, key, got.DrainTimeout, got.DrainAtLeast)
					}
				}
			case *appsv1.Deployment:
				pod := o.Spec.Template.Spec
				if p := pod.Containers[0].LivenessProbe; *p.TerminationGracePeriodSeconds != test.liveness {
					t.Errorf("%+v: a hung server has %d s", test, *p.TerminationGracePeriodSeconds)
				}
			}
		}
	}
}
