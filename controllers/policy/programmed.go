package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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

// Wanted is what the pods are to have loaded.
type Wanted struct {
	// Files are by config.FileStatus.Name.
	Files map[string]config.Expected
	// Newer names the settings in use that a server of the previous version of
	// the contract does not know.
	Newer []string
}

// Login is a user as the pods are to have loaded it.
type Login struct {
	Name string
	// File is the config.FileStatus.Name of the file with the user.
	File string
	// Digest is the config.User.Digest that a server tells; Previous that of a
	// server of the previous version of the contract.
	Digest, Previous string
	// Newer names what the latter does not know of the user, and refuses the
	// login for; empty: nothing.
	Newer string
}

// Loaded judges an answer: it is OK where the pod has loaded every file.
func Loaded(a Answer, files map[string]config.Expected) Finding {
	if a.Status == nil {
		return unknown(v1alpha1.ReasonStatusUnreachable, fmt.Sprintf("The pod %s did not say what it has loaded: %s", a.Pod, a.Problem))
	}
	pending := ""
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, want := a.Status.Compare(name, files[name])
		if f.Hash == want {
			continue
		}
		if f.Error != "" {
			return no(v1alpha1.ReasonRefused, fmt.Sprintf("The pod %s refuses %s and serves what it had: %s", a.Pod, f.Name, f.Error))
		}
		pending = name
	}
	if pending != "" {
		return no(v1alpha1.ReasonPending, fmt.Sprintf("The pod %s has yet to load %s", a.Pod, pending))
	}
	return yes(v1alpha1.ReasonProgrammed, "")
}

// SlotProgrammed judges the answers of one slot's pods.
func SlotProgrammed(slot Slot, answers []Answer, w Wanted) Finding {
	asked := false
	for _, a := range answers {
		if a.Slot != slot.Name {
			continue
		}
		asked = true
		if f := Loaded(a, w.Files); !f.OK() {
			return f
		}
		if len(w.Newer) > 0 && !a.Status.Current() {
			return unsupported(slot, a.Pod, strings.Join(w.Newer, ", "))
		}
	}
	if !asked {
		return no(v1alpha1.ReasonNoPod, fmt.Sprintf("No pod of %s runs that could load the configuration", slot.Name))
	}
	return yes(v1alpha1.ReasonProgrammed, "")
}

// unsupported is the finding for a pod of an older server. Where it is about to
// be replaced, nobody has to do anything.
func unsupported(slot Slot, pod, what string) Finding {
	if !slot.current() {
		return no(v1alpha1.ReasonPending, fmt.Sprintf("The pod %s runs an older server and is about to be replaced", pod))
	}
	return no(v1alpha1.ReasonUnsupportedByServer, fmt.Sprintf("The pod %s runs an older server, which does not know %s: let it have the image of the operator's version", pod, what))
}

// Programmed judges all slots that are to run.
func Programmed(slots []Slot, answers []Answer, w Wanted) Finding {
	if len(slots) == 0 {
		return yes(v1alpha1.ReasonScaledToZero, "No pod runs, as spec.replicas is 0; one that starts loads all this")
	}
	for _, s := range slots {
		if f := SlotProgrammed(s, answers, w); !f.OK() {
			return f
		}
	}
	return yes(v1alpha1.ReasonProgrammed, "Every pod has loaded this generation")
}

// UserProgrammed judges one user's own entry: a pod has it where it has loaded
// the whole file, or tells the user's digest. So churn among other users never
// hides that this one is there.
func UserProgrammed(slots []Slot, answers []Answer, files map[string]config.Expected, u Login) Finding {
	if len(slots) == 0 {
		return yes(v1alpha1.ReasonScaledToZero, "No pod runs, as spec.replicas of the server is 0; one that starts loads the user")
	}
	own := Wanted{Files: map[string]config.Expected{u.File: files[u.File]}}
	for _, s := range slots {
		var told []Answer
		for _, a := range answers {
			if a.Slot == s.Name {
				told = append(told, u.seenIn(a, own.Files[u.File]))
			}
		}
		if f := SlotProgrammed(s, told, own); !f.OK() {
			return f
		}
		for _, a := range told {
			if u.Newer != "" && !a.Status.Current() {
				return unsupported(s, a.Pod, u.Newer)
			}
		}
	}
	return yes(v1alpha1.ReasonProgrammed, "Every pod of the server has loaded the user")
}

// seenIn is the answer of a pod that has loaded the user's file, where the pod
// tells the user's digest: then it might as well have.
func (u Login) seenIn(a Answer, file config.Expected) Answer {
	if a.Status == nil {
		return a
	}
	digest := u.Digest
	if !a.Status.Current() {
		digest = u.Previous
	}
	if digest == "" || a.Status.Users[u.Name] != digest {
		return a
	}
	a.Status = &config.Status{Contract: a.Status.Contract, Files: []config.FileStatus{
		{Name: u.File, Hash: file.Hash}, file.Previous,
	}}
	return a
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
