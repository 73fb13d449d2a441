package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// ServerAccepted judges whether the operator can act on a server: invalid says
// why its spec cannot be rendered, taken are children whose names are somebody
// else's, leaving those that are being deleted, rejected is what the API server
// said of children.
func ServerAccepted(invalid string, taken, leaving, rejected []string) Finding {
	switch {
	case invalid != "":
		return no(v1alpha1.ReasonInvalidSpec, invalid)
	case len(taken) > 0:
		return no(v1alpha1.ReasonNameTaken, fmt.Sprintf(
			"Somebody else's object has the name that the server needs: %s: delete it, or name the FTPServer otherwise", strings.Join(taken, ", ")))
	case len(rejected) > 0:
		return no(v1alpha1.ReasonChildRejected, "Kubernetes refuses what follows from the spec: "+strings.Join(rejected, "; "))
	case len(leaving) > 0:
		return ChildLeaving(leaving...)
	}
	return yes(v1alpha1.ReasonAccepted, "The operator acts on the spec")
}

// ChildLeaving is the finding for children that are being deleted and whose
// names are needed.
func ChildLeaving(names ...string) Finding {
	return no(v1alpha1.ReasonChildLeaving, fmt.Sprintf(
		"Being deleted, and made anew as soon as it is gone: %s: if this stays, see its finalizers and what still uses it", strings.Join(names, ", ")))
}

// ServerReady is Ready where every other condition is True.
func ServerReady(replicas int) Finding {
	if replicas == 0 {
		return yes(v1alpha1.ReasonScaledToZero, "No pod runs, as spec.replicas is 0; everything else is ready")
	}
	return yes(v1alpha1.ReasonReady, "The server runs as the spec asks")
}

// ReconcileFailed is the finding for a pass that an error ended. step completes
// "could not …"; reason is the API server's word for the error, or empty.
func ReconcileFailed(step, reason string) Finding {
	if reason != "" {
		reason = " (" + reason + ")"
	}
	return unknown(v1alpha1.ReasonReconcileFailed, fmt.Sprintf("The operator could not %s%s and tries again; its log says why", step, reason))
}

// UserReady is Ready where every other condition is True. A login that the spec
// keeps out is as it should be.
func UserReady(u *v1alpha1.FTPUser, programmed Finding, now time.Time) Finding {
	switch {
	case u.Spec.Login == v1alpha1.LoginSuspended:
		return yes(v1alpha1.ReasonSuspended, "The login is refused, as spec.login says")
	case Expired(u, now):
		return yes(v1alpha1.ReasonExpired, "The login is refused, as spec.expiresAt has come: set a later time to bring it back")
	case programmed.Reason == v1alpha1.ReasonScaledToZero:
		return programmed
	}
	return yes(v1alpha1.ReasonReady, "The user can log in")
}

// ServerMissing is the finding for a user without a server.
func ServerMissing(name string) Finding {
	return no(v1alpha1.ReasonServerNotFound, fmt.Sprintf("There is no FTPServer %s in this namespace: create it, or make the FTPUser anew with another serverRef", name))
}

// PasswordNameTaken is the finding for a user whose generated password has no
// place to go to.
func PasswordNameTaken(secret string) Finding {
	return no(v1alpha1.ReasonNameTaken, fmt.Sprintf(
		"Somebody else's Secret has the name %s, where the password would be made: delete it, or name it in passwordSecretRef", secret))
}

// portAllocated and portOutside are what the API server says of node ports.
const (
	portAllocated = "provided port is already allocated"
	portOutside   = "provided port is not in the valid range"
)

// Rejection is what the API server says of a child that it refuses, and what to
// do where it leaves that open.
func Rejection(child, said string) string {
	out := child + ": " + said
	switch {
	case strings.Contains(said, portAllocated):
		out += ": another Service has this node port: give service.nodePort, tls.implicit.nodePort or passive.firstNodePort another number. It is tried again every half minute"
	case strings.Contains(said, portOutside):
		out += ": give service.nodePort, tls.implicit.nodePort or passive.firstNodePort a number in that range, or take it out to have Kubernetes choose"
	}
	return out
}
