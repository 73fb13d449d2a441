package controllers

import (
	"errors"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

func TestOurs(t *testing.T) {
	server := newServer("ns", "files")
	server.UID = "new"
	controlled := func(apiVersion, kind, name string, uid types.UID) metav1.ObjectMeta {
		yes := true
		return metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{
			{APIVersion: apiVersion, Kind: kind, Name: name, UID: uid, Controller: &yes},
		}}
	}
	dying := func(m metav1.ObjectMeta) metav1.ObjectMeta {
		now := metav1.Now()
		m.DeletionTimestamp = &now
		return m
	}
	ofThis := controlled("ftp-operator.io/v1alpha1", "FTPServer", "files", "new")
	for name, tc := range map[string]struct {
		meta metav1.ObjectMeta
		want error
	}{
		"its own":                   {ofThis, nil},
		"its own, being deleted":    {dying(ofThis), errLeaving},
		"an older server's":         {controlled("ftp-operator.io/v1alpha1", "FTPServer", "files", "old"), errOthersLeaving},
		"of another version":        {controlled("ftp-operator.io/v1", "FTPServer", "files", "old"), errOthersLeaving},
		"of another group's kind":   {controlled("example.com/v1alpha1", "FTPServer", "files", "old"), errNameTaken},
		"another server's":          {controlled("ftp-operator.io/v1alpha1", "FTPServer", "other", "old"), errNameTaken},
		"nobody's":                  {metav1.ObjectMeta{}, errNameTaken},
		"nobody's, being deleted":   {dying(metav1.ObjectMeta{}), errOthersLeaving},
		"somebody's, being deleted": {dying(controlled("apps/v1", "Deployment", "x", "x")), errOthersLeaving},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ours(server, &corev1.Secret{ObjectMeta: tc.meta}); !errors.Is(got, tc.want) || !errors.Is(tc.want, got) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// A claim that is deleted under a running server is told of, holds up nothing
// else, and is made anew once it is gone.
func TestClaimDeletedUnderARunningServer(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	claim := &corev1.PersistentVolumeClaim{}
	get(t, ns, "files-data", claim)
	old := claim.UID
	remove(t, claim)
	says(t, server, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonChildLeaving)
	reaches(t, server, kstatus.InProgressStatus)
	create(t, newUser(ns, "alice", "files"))
	login(t, ns, "files", "alice")
	clearFinalizers(t, claim)
	eventually(t, func() error {
		if err := kube.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "files-data"}, claim); err != nil {
			return err
		}
		if claim.UID == old {
			return errors.New("the old claim is still there")
		}
		return nil
	})
	reaches(t, server, kstatus.CurrentStatus)
}

// What an older server of the name has left, and the collector has yet to take,
// says nothing of the new one, and nothing is made beside it.
func TestRecreatedBeforeTheOldIsCollected(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	var old appsv1.Deployment
	get(t, ns, "files-0", &old)
	remove(t, server)
	gone(t, server)
	again := newServer(ns, "files")
	create(t, again)
	says(t, again, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonChildLeaving)
	says(t, again, v1alpha1.ConditionWorkloadAvailable, metav1.ConditionFalse, v1alpha1.ReasonRollingOut)
	if meta.FindStatusCondition(again.Status.Conditions, v1alpha1.ConditionStalled) != nil {
		t.Error("it is called stalled, and needs nobody's help")
	}
	collect(t, ns, server.UID, again)
	eventually(t, func() error {
		var d appsv1.Deployment
		if err := kube.Get(t.Context(), client.ObjectKeyFromObject(&old), &d); err != nil {
			return err
		}
		if d.UID == old.UID {
			return errors.New("the old Deployment is still there")
		}
		reportDeployment(t, &d, 1)
		return nil
	})
	reaches(t, again, kstatus.CurrentStatus)
}

// A child that is no longer the server's stops the writing, and not the pod: the
// status goes on telling of its users.
func TestRunningServerThatLosesAChild(t *testing.T) {
	ns := namespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	create(t, server, user)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	reaches(t, user, kstatus.CurrentStatus)
	change(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "files"}}, func(a *corev1.ServiceAccount) {
		a.OwnerReferences = nil
	})
	says(t, server, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonNameTaken)
	if server.Status.Users != 1 || server.Status.Slots[0].Programmed != metav1.ConditionFalse {
		t.Errorf("status is %+v", server.Status)
	}
	says(t, user, v1alpha1.ConditionProgrammed, metav1.ConditionUnknown, v1alpha1.ReasonPending)
	quiet(t, ns, "files")
}

// An older user's password that the collector has yet to take needs nobody's
// help.
func TestOldPasswordIsWaitedFor(t *testing.T) {
	ns := namespace(t)
	user := newUser(ns, "alice", "files")
	user.UID = "00000000-0000-0000-0000-000000000001"
	old := render.Password(user, "of an older user")
	user.UID = ""
	create(t, old, newServer(ns, "files"), user)
	says(t, user, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonChildLeaving)
	if meta.FindStatusCondition(user.Status.Conditions, v1alpha1.ConditionReconciling) == nil {
		t.Errorf("it is not called reconciling: %+v", user.Status.Conditions)
	}
	remove(t, old)
	says(t, user, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	var made corev1.Secret
	get(t, ns, "alice-password", &made)
	if !metav1.IsControlledBy(&made, user) {
		t.Error(fmt.Sprint("the password belongs to ", made.OwnerReferences))
	}
}
