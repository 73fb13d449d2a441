package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// notes keeps the notes of events.
type notes []string

func (n *notes) Eventf(_, _ runtime.Object, _, _, _, note string, args ...any) {
	*n = append(*n, fmt.Sprintf(note, args...))
}

// Events of any message are taken, also where its letters are of several bytes.
func TestNotesFitIntoEvents(t *testing.T) {
	ns := namespace(t)
	for _, message := range []string{
		strings.Repeat("x", 1024), strings.Repeat("x", 5000),
		strings.Repeat("日本語", 1000), "x" + strings.Repeat("é", 700), "100 %s of it",
	} {
		var told notes
		announce(&told, &v1alpha1.FTPServer{}, nil, []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: "Ready", Message: message}})
		note := told[0]
		if !utf8.ValidString(note) || !strings.HasPrefix(message, strings.TrimSuffix(note, "…")) || (len(message) <= 1024) != (note == message) {
			t.Errorf("of %.20q… is told %q", message, note)
		}
		event := &eventsv1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, GenerateName: "note-"},
			EventTime:  metav1.NewMicroTime(time.Now()), Note: note, Type: corev1.EventTypeNormal, Reason: "Ready", Action: "Reconcile",
			ReportingController: "ftp-operator", ReportingInstance: "test",
			Regarding: corev1.ObjectReference{Namespace: ns, Name: "files", Kind: v1alpha1.FTPServerKind},
		}
		if err := kube.Create(t.Context(), event, client.DryRunAll); err != nil {
			t.Errorf("%d bytes of %.20q…: %v", len(note), message, err)
		}
	}
}
