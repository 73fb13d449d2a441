package policy_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// settled is a Deployment whose pod is of its newest template, and ready.
func settled() *appsv1.Deployment {
	return &appsv1.Deployment{Status: appsv1.DeploymentStatus{UpdatedReplicas: 1, AvailableReplicas: 1}}
}

func TestProgrammed(t *testing.T) {
	files := map[string]config.Expected{
		"config": {Hash: "new", Previous: config.FileStatus{Name: "config.old", Hash: "new for old"}},
		"users":  {Hash: "new"},
	}
	slots := []policy.Slot{{Name: "s0", Deployment: settled()}, {Name: "s1", Deployment: settled()}}
	rolling := []policy.Slot{{Name: "s0"}}
	told := func(slot, config_, users, problem string) policy.Answer {
		return policy.Answer{Pod: slot + "-pod", Slot: slot, Status: &config.Status{Contract: config.Version, Files: []config.FileStatus{
			{Name: "config", Hash: config_}, {Name: "users", Hash: users, Error: problem},
		}}}
	}
	old := func(slot, hash string) policy.Answer {
		return policy.Answer{Pod: slot + "-pod", Slot: slot, Status: &config.Status{Contract: 1, Files: []config.FileStatus{
			{Name: "config.old", Hash: hash}, {Name: "users", Hash: "new"},
		}}}
	}
	anonymous := []string{"anonymous"}
	mute := policy.Answer{Pod: "s1-pod", Slot: "s1", Problem: "no answer in time"}
	for name, tc := range map[string]struct {
		slots   []policy.Slot
		answers []policy.Answer
		newer   []string
		want    v1alpha1.Reason
	}{
		"none to run":       {nil, nil, nil, v1alpha1.ReasonScaledToZero},
		"no pod":            {slots, nil, nil, v1alpha1.ReasonNoPod},
		"one slot lacks":    {slots, []policy.Answer{told("s0", "new", "new", "")}, nil, v1alpha1.ReasonNoPod},
		"all":               {slots, []policy.Answer{told("s0", "new", "new", ""), told("s1", "new", "new", "")}, nil, v1alpha1.ReasonProgrammed},
		"one behind":        {slots, []policy.Answer{told("s0", "new", "new", ""), told("s1", "old", "new", "")}, nil, v1alpha1.ReasonPending},
		"refused":           {slots, []policy.Answer{told("s0", "new", "new", ""), told("s1", "new", "old", "bad")}, nil, v1alpha1.ReasonRefused},
		"an error of old":   {slots, []policy.Answer{told("s0", "new", "new", "bad"), told("s1", "new", "new", "")}, nil, v1alpha1.ReasonProgrammed},
		"mute":              {slots, []policy.Answer{told("s0", "new", "new", ""), mute}, nil, v1alpha1.ReasonStatusUnreachable},
		"older, all":        {slots, []policy.Answer{old("s0", "new for old"), told("s1", "new", "new", "")}, nil, v1alpha1.ReasonProgrammed},
		"older, behind":     {slots, []policy.Answer{old("s0", "old"), told("s1", "new", "new", "")}, nil, v1alpha1.ReasonPending},
		"older, too old":    {slots, []policy.Answer{told("s0", "new", "new", ""), old("s1", "new for old")}, anonymous, v1alpha1.ReasonUnsupportedByServer},
		"older, leaving":    {rolling, []policy.Answer{old("s0", "new for old")}, anonymous, v1alpha1.ReasonPending},
		"none is too old":   {slots, []policy.Answer{told("s0", "new", "new", ""), told("s1", "new", "new", "")}, anonymous, v1alpha1.ReasonProgrammed},
		"nothing ever load": {slots, []policy.Answer{{Slot: "s0", Status: &config.Status{}}}, nil, v1alpha1.ReasonPending},
	} {
		t.Run(name, func(t *testing.T) {
			if got := policy.Programmed(tc.slots, tc.answers, policy.Wanted{Files: files, Newer: tc.newer}); got.Reason != tc.want {
				t.Errorf("got %+v, want %s", got, tc.want)
			}
		})
	}
}

// A user is programmed by its own entry, whatever else is still on its way.
func TestUserProgrammed(t *testing.T) {
	files := map[string]config.Expected{"config": {Hash: "new"}, "shard": {Hash: "new", Previous: config.FileStatus{Name: "shard.old", Hash: "new for old"}}}
	slots, rolling := []policy.Slot{{Name: "s0", Deployment: settled()}}, []policy.Slot{{Name: "s0"}}
	told := func(shard string, users map[string]string) []policy.Answer {
		return []policy.Answer{{Pod: "p", Slot: "s0", Status: &config.Status{
			Contract: config.Version,
			Files:    []config.FileStatus{{Name: "config", Hash: "old"}, {Name: "shard", Hash: shard}}, Users: users,
		}}}
	}
	older := func(shard string, users map[string]string) []policy.Answer {
		return []policy.Answer{{Pod: "p", Slot: "s0", Status: &config.Status{Files: []config.FileStatus{{Name: "shard.old", Hash: shard}}, Users: users}}}
	}
	for name, tc := range map[string]struct {
		slots   []policy.Slot
		answers []policy.Answer
		newer   string
		want    v1alpha1.Reason
	}{
		"the whole file":    {slots, told("new", nil), "", v1alpha1.ReasonProgrammed},
		"the entry":         {slots, told("old", map[string]string{"alice": "digest"}), "", v1alpha1.ReasonProgrammed},
		"an older entry":    {slots, told("old", map[string]string{"alice": "older"}), "", v1alpha1.ReasonPending},
		"another's entry":   {slots, told("old", map[string]string{"bob": "digest"}), "", v1alpha1.ReasonPending},
		"older, the file":   {slots, older("new for old", nil), "", v1alpha1.ReasonProgrammed},
		"older, the entry":  {slots, older("old", map[string]string{"alice": "previous"}), "", v1alpha1.ReasonProgrammed},
		"older, behind":     {slots, older("old", map[string]string{"alice": "digest"}), "", v1alpha1.ReasonPending},
		"older, too old":    {slots, older("new for old", nil), "paths", v1alpha1.ReasonUnsupportedByServer},
		"older, leaving":    {rolling, older("new for old", nil), "paths", v1alpha1.ReasonPending},
		"not too old":       {slots, told("new", nil), "paths", v1alpha1.ReasonProgrammed},
		"mute":              {slots, []policy.Answer{{Slot: "s0"}}, "", v1alpha1.ReasonStatusUnreachable},
		"no pod":            {slots, nil, "", v1alpha1.ReasonNoPod},
		"nothing is to run": {nil, nil, "", v1alpha1.ReasonScaledToZero},
	} {
		t.Run(name, func(t *testing.T) {
			got := policy.UserProgrammed(tc.slots, tc.answers, files, policy.Login{
				Name: "alice", File: "shard", Digest: "digest", Previous: "previous", Newer: tc.newer,
			})
			if got.Reason != tc.want {
				t.Errorf("got %+v, want %s", got, tc.want)
			}
		})
	}
}
