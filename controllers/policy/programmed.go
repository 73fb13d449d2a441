package policy

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Answer is what one pod said of itself.
type Answer struct {
	Pod  string
	Slot string
	// Status is nil where the pod did not answer; Problem then says why.
	Status  *config.Status
	Problem string
}

// Behind judges an answer: it is OK where the pod has loaded every file.
func Behind(a Answer, files map[string]string) Finding {
	if a.Status == nil {
		return unknown(v1alpha1.ReasonStatusUnreachable, fmt.Sprintf("The pod %s did not say what it has loaded: %s", a.Pod, a.Problem))
	}
	pending := ""
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, _ := a.Status.File(name)
		if f.Hash == files[name] {
			continue
		}
		if f.Error != "" {
			return no(v1alpha1.ReasonRefused, fmt.Sprintf("The pod %s refuses %s and serves what it had: %s", a.Pod, name, f.Error))
		}
		pending = name
	}
	if pending != "" {
		return no(v1alpha1.ReasonPending, fmt.Sprintf("The pod %s has yet to load %s", a.Pod, pending))
	}
	return yes(v1alpha1.ReasonProgrammed, "")
}

// SlotProgrammed judges the answers of one slot's pods.
func SlotProgrammed(slot string, answers []Answer, files map[string]string) Finding {
	asked := false
	for _, a := range answers {
		if a.Slot != slot {
			continue
		}
		asked = true
		if f := Behind(a, files); !f.OK() {
			return f
		}
	}
	if !asked {
		return no(v1alpha1.ReasonNoPod, fmt.Sprintf("No pod of %s runs that could load the configuration", slot))
	}
	return yes(v1alpha1.ReasonProgrammed, "")
}

// Programmed judges all slots that are to run.
func Programmed(slots []Slot, answers []Answer, files map[string]string) Finding {
	if len(slots) == 0 {
		return yes(v1alpha1.ReasonScaledToZero, "No pod runs, as spec.replicas is 0; one that starts loads all this")
	}
	for _, s := range slots {
		if f := SlotProgrammed(s.Name, answers, files); !f.OK() {
			return f
		}
	}
	return yes(v1alpha1.ReasonProgrammed, "Every pod has loaded this generation")
}

// UserProgrammed judges one user's own entry: a pod has it where it has loaded
// the whole file, or tells the user's digest. So churn among other users never
// hides that this one is there. file is the FileStatus.Name of the user's shard.
func UserProgrammed(slots []Slot, answers []Answer, files map[string]string, name, digest, file string) Finding {
	if len(slots) == 0 {
		return yes(v1alpha1.ReasonScaledToZero, "No pod runs, as spec.replicas of the server is 0; one that starts loads the user")
	}
	own := map[string]string{file: files[file]}
	for _, s := range slots {
		told := []Answer{}
		for _, a := range answers {
			if a.Slot == s.Name && a.Status != nil && a.Status.Users[name] == digest {
				a = Answer{Pod: a.Pod, Slot: a.Slot, Status: &config.Status{Files: []config.FileStatus{{Name: file, Hash: files[file]}}}}
			}
			told = append(told, a)
		}
		if f := SlotProgrammed(s.Name, told, own); !f.OK() {
			return f
		}
	}
	return yes(v1alpha1.ReasonProgrammed, "Every pod of the server has loaded the user")
}

// NotLoaded is the finding for a user that the server does not have, for a
// reason that another condition tells.
func NotLoaded() Finding {
	return no(v1alpha1.ReasonNotLoaded, "The user is not on the server: see the other conditions")
}

// NotWritten is the finding for a server whose spec cannot be acted on.
func NotWritten() Finding {
	return no(v1alpha1.ReasonPending, "Nothing new is written until the spec is accepted")
}

// UserNotWritten is the finding for a user of such a server: the pods go on with
// what they had, and it is not known whether the user was part of it.
func UserNotWritten() Finding {
	return unknown(v1alpha1.ReasonPending, "Nothing new is written until the server is accepted; a pod that has loaded the user goes on serving it")
}
