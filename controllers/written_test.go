package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

func TestWrittenFindsWhatIsStale(t *testing.T) {
	at := func(uid types.UID, version string) *v1alpha1.FTPUser {
		return &v1alpha1.FTPUser{ObjectMeta: metav1.ObjectMeta{Name: string(uid), UID: uid, ResourceVersion: version}}
	}
	w := newWritten()
	if w.stale(at("one", "5")) {
		t.Error("an object that was never written is stale")
	}
	w.note(at("one", "100"))
	for _, tc := range []struct {
		uid     types.UID
		version string
		want    bool
	}{{"one", "99", true}, {"other", "9", false}, {"one", "9", true}, {"one", "100", false}, {"one", "99", false}} {
		if got := w.stale(at(tc.uid, tc.version)); got != tc.want {
			t.Errorf("version %s of %q: stale is %v", tc.version, tc.uid, got)
		}
	}
	w.note(at("one", "100"))
	again := at("another", "90")
	again.Name = "one"
	if w.stale(again) {
		t.Error("what has the name of an older object is stale")
	}
	if len(w.versions) != 0 {
		t.Errorf("still remembered: %v", w.versions)
	}
}

// What is deleted leaves nothing behind.
func TestWrittenForgetsWhatIsGone(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1)
	w.create(w.newUser("alice"))
	w.settle()
	userReady("alice")(w)
	w.delete("alice", &v1alpha1.FTPUser{})
	w.delete(theServer, &v1alpha1.FTPServer{})
	w.pass("user/alice")
	w.pass("server/" + theServer)
	if n := len(w.user.written.versions); n != 0 {
		t.Errorf("of users %d are remembered", n)
	}
	if n := len(w.server.written.versions); n != 0 {
		t.Errorf("of servers %d are remembered", n)
	}
}
