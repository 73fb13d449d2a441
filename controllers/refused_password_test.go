package controllers

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// userNow is a user of the world, as it is told now.
func (w *world) userNow(name string) *v1alpha1.FTPUser {
	w.t.Helper()
	var u v1alpha1.FTPUser
	w.read(name, &u)
	return &u
}

// records has the events of users kept, and not sent.
func (w *world) records() chan string {
	recorder := events.NewFakeRecorder(64)
	w.user.Recorder = recorder
	return recorder.Events
}

// A password whose Secret a quota leaves no room for is told by a condition and an
// event, and made once there is room, which no watch tells.
func TestRefusedPasswordIsTold(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "secrets"}}
	quota.Spec.Hard = corev1.ResourceList{"count/secrets": resource.MustParse("0")}
	w.create(quota)
	quota.Status.Hard = quota.Spec.Hard // as the cluster's controller would tell; there is none here
	quota.Status.Used = corev1.ResourceList{"count/secrets": resource.MustParse("0")}
	if err := kube.Status().Update(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		probe := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "probe"}}
		if err := kube.Create(t.Context(), probe, client.DryRunAll); !apierrors.IsForbidden(err) {
			return errors.New("the quota is not at work yet")
		}
		return nil
	})
	told := w.records()
	w.create(w.newUser("alice"))
	w.settle()
	u := w.userNow("alice")
	for _, kind := range []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionReady, v1alpha1.ConditionStalled} {
		c := meta.FindStatusCondition(u.Status.Conditions, kind)
		if c == nil || c.Reason != string(v1alpha1.ReasonChildRejected) || !strings.Contains(c.Message, "alice-password") || !strings.Contains(c.Message, "exceeded quota") {
			t.Errorf("%s is %+v", kind, c)
		}
	}
	if u.Status.PasswordSecretRef != nil {
		t.Errorf("the status names a Secret that is not there: %+v", u.Status.PasswordSecretRef)
	}
	if len(told) == 0 || !strings.Contains(<-told, "exceeded quota") {
		t.Error("no event tells of it")
	}
	remove(t, quota)
	eventually(t, func() error { // the API server has forgotten the quota
		return kube.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "probe"}}, client.DryRunAll)
	})
	w.elapse(pollNoted)
	w.settle()
	userReady("alice")(w)
}

// An error that is no refusal is told in Ready, and is tried again.
func TestFailedPasswordIsTold(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1)
	w.create(w.newUser("alice"))
	failing := true
	w.wire.fails = func(what string) error {
		if failing && strings.HasPrefix(what, "Create ") && strings.HasSuffix(what, " alice-password") {
			return apierrors.NewInternalError(errors.New("a fault of the test"))
		}
		return nil
	}
	w.wakeAll()
	w.pass("server/" + theServer)
	w.pass("user/alice")
	c := meta.FindStatusCondition(w.userNow("alice").Status.Conditions, v1alpha1.ConditionReady)
	if c == nil || c.Status != metav1.ConditionUnknown || c.Reason != string(v1alpha1.ReasonReconcileFailed) ||
		!strings.Contains(c.Message, "make the password (InternalError)") || strings.Contains(c.Message, "fault of the test") {
		t.Errorf("Ready is %+v", c)
	}
	if w.failure == nil {
		t.Error("the error is kept from the queue")
	}
	failing = false
	w.settle()
	userReady("alice")(w)
}

// What a policy quotes of the Secret that it refuses is not told.
func TestRefusalQuotesNoPassword(t *testing.T) {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "alice-password"}, Data: map[string][]byte{render.KeyPassword: []byte("hunter2")}}
	sent := base64.StdEncoding.EncodeToString([]byte("hunter2"))
	err := apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, s.Name, errors.New("not so weak a one: hunter2, "+sent))
	message := refusedPassword(s, err).Message
	if strings.Contains(message, "hunter2") || strings.Contains(message, sent) || !strings.Contains(message, "not so weak a one") {
		t.Error(message)
	}
}
