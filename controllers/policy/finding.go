// Package policy decides: which users a server accepts, which address clients
// reach, what the conditions say. Its functions are pure; what they judge is
// gathered before. It must hold no client, clock or randomness, and build no
// object; that is controllers/render.
package policy

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// Finding is what a condition says.
type Finding struct {
	Status  metav1.ConditionStatus
	Reason  v1alpha1.Reason
	Message string
}

// OK tells that the condition is True.
func (f Finding) OK() bool { return f.Status == metav1.ConditionTrue }

func yes(reason v1alpha1.Reason, message string) Finding {
	return Finding{metav1.ConditionTrue, reason, message}
}

func no(reason v1alpha1.Reason, message string) Finding {
	return Finding{metav1.ConditionFalse, reason, message}
}

func unknown(reason v1alpha1.Reason, message string) Finding {
	return Finding{metav1.ConditionUnknown, reason, message}
}

// Named is a finding and the condition that it is of.
type Named struct {
	Type string
	Finding
	// Advisory findings are told and decide nothing: the object is Ready, or not,
	// whatever they say.
	Advisory bool
}

// needsEdit are the reasons after which nothing moves until somebody edits
// something. All others pass, or pass as soon as something appears that may be
// on its way.
var needsEdit = []v1alpha1.Reason{
	v1alpha1.ReasonInvalidSpec,
	v1alpha1.ReasonNameTaken,
	v1alpha1.ReasonChildRejected,
	v1alpha1.ReasonUsernameConflict,
	v1alpha1.ReasonClientAddressesHidden,
	v1alpha1.ReasonServerFull,
	v1alpha1.ReasonVolumeNotShared,
	v1alpha1.ReasonSecretKeyNotFound,
	v1alpha1.ReasonInvalidPassword,
	v1alpha1.ReasonUnsupportedByServer,
	v1alpha1.ReasonInvalidCertificate,
	v1alpha1.ReasonCertificateExpired,
}

// SetConditions writes the findings, Ready, and Reconciling or Stalled where
// they are True. Ready is the first finding, in their order, that is not True;
// those that are advisory do not count. Times move only where a status does.
func SetConditions(conditions *[]metav1.Condition, generation int64, findings []Named, ready Finding) {
	stalled := Finding{}
	for _, f := range findings {
		if f.OK() || f.Advisory {
			continue
		}
		if ready.OK() {
			ready = f.Finding
		}
		if stalled.Reason == "" && slices.Contains(needsEdit, f.Reason) {
			stalled = yes(f.Reason, f.Message)
		}
	}
	set(conditions, generation, v1alpha1.ConditionReady, ready)
	for _, f := range findings {
		set(conditions, generation, f.Type, f.Finding)
	}
	isStalled := stalled.Reason != ""
	setWhile(conditions, generation, v1alpha1.ConditionStalled, isStalled, stalled)
	setWhile(conditions, generation, v1alpha1.ConditionReconciling, !isStalled && !ready.OK(), yes(v1alpha1.ReasonProgressing, ready.Message))
}

// SetFailure writes into Ready that an error ended a pass. All else stays as it
// was, as nothing new is known of it: also Stalled, unless that is of an earlier
// generation, which somebody has edited since. Where it is not stalled, it is
// Reconciling: the operator tries again.
func SetFailure(conditions *[]metav1.Condition, generation int64, failure Finding) {
	set(conditions, generation, v1alpha1.ConditionReady, failure)
	stalled := meta.FindStatusCondition(*conditions, v1alpha1.ConditionStalled)
	holds := stalled != nil && stalled.ObservedGeneration == generation
	if !holds {
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionStalled)
	}
	setWhile(conditions, generation, v1alpha1.ConditionReconciling, !holds, yes(v1alpha1.ReasonProgressing, failure.Message))
}

func set(conditions *[]metav1.Condition, generation int64, kind string, f Finding) {
	meta.SetStatusCondition(conditions, metav1.Condition{
		Type: kind, Status: f.Status, Reason: string(f.Reason), Message: Limited(f.Message, maxMessage), ObservedGeneration: generation,
	})
}

func setWhile(conditions *[]metav1.Condition, generation int64, kind string, holds bool, f Finding) {
	if holds {
		set(conditions, generation, kind, f)
	} else {
		meta.RemoveStatusCondition(conditions, kind)
	}
}

// maxMessage is far below what a condition can hold, in bytes.
const maxMessage = 2048

// Limited is a text of at most so many bytes. What is cut off ends in "…".
func Limited(s string, most int) string {
	const cut = "…"
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-len(cut)], "") + cut
}
