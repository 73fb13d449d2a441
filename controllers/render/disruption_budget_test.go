package render_test

import (
	"testing"

	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// The budget says how many pods are to be left. By how many may be missing,
// Kubernetes would let a drain take one while another slot has none.
func TestDisruptionBudgetKeepsTheOthers(t *testing.T) {
	for name, tc := range map[string]struct {
		replicas int32
		slots    []render.SlotDeployment
		left     int // -1: there is no budget
	}{
		"none":                             {0, nil, -1},
		"one":                              {1, slotsTo(1), -1},
		"two":                              {2, slotsTo(2), 1},
		"many":                             {64, slotsTo(64), 63},
		"others have yet to end":           {2, append(slotsTo(2), render.SlotDeployment{Slot: 2}, render.SlotDeployment{Slot: 3}), 1},
		"one is left, others have to end":  {1, append(slotsTo(1), render.SlotDeployment{Slot: 1}), -1},
		"one comes back once it has ended": {3, append(slotsTo(2), render.SlotDeployment{Slot: 2}), 2},
		"the volume is for one":            {3, slotsTo(1), -1},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := render.Objects(input(func(in *render.Input) {
				in.Server.Spec.Replicas, in.Slots, in.Deployments = ptr.To(tc.replicas), max(1, int(tc.replicas)), tc.slots
			}))
			if err != nil {
				t.Fatal(err)
			}
			left := -1
			for _, o := range out.Objects {
				if b, ok := o.(*policyv1.PodDisruptionBudget); ok {
					if b.Spec.MinAvailable == nil || b.Spec.MaxUnavailable != nil || *b.Spec.UnhealthyPodEvictionPolicy != policyv1.AlwaysAllow {
						t.Fatalf("it is %+v", b.Spec)
					}
					left = b.Spec.MinAvailable.IntValue()
				}
			}
			if left != tc.left {
				t.Errorf("it keeps %d, want %d", left, tc.left)
			}
		})
	}
}

func slotsTo(n int) []render.SlotDeployment {
	out := make([]render.SlotDeployment, n)
	for i := range out {
		out[i] = render.SlotDeployment{Slot: i, Replicas: 1}
	}
	return out
}
