package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/google/go-cmp/cmp"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
)

// Two operators may be at work at once for a moment, when a leader does not know
// yet that it has lost its lease. Just before any one call of the first, the
// second does all that it finds to do: both come to the end that one alone comes
// to, and nothing that is made once is made anew.
func TestRivals(t *testing.T) {
	for _, f := range flows {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			calls, want := f.plain(t)
			for _, at := range meetings(calls) {
				t.Run(fmt.Sprintf("%d %s", at, calls[at].what), func(t *testing.T) {
					t.Parallel()
					f.meet(t, at, want)
				})
			}
		})
	}
}

// meet walks a flow with a second operator at work just before a call of the
// first.
func (f flow) meet(t *testing.T, at int, want string) {
	first := newWorld(t)
	f.prepare(first)
	second := first.rival()
	from := first.wire.count()
	first.wire.between = func(i int) {
		if i == from+at {
			second.work()
		}
	}
	f.run(first)
	second.work()
	first.settle()
	f.check(first)
	settled := versions(t, first.namespace)
	second.work()
	first.work()
	if after := versions(t, first.namespace); !maps.Equal(settled, after) {
		t.Errorf("they go on writing: %s", cmp.Diff(settled, after))
	}
	for _, p := range first.problems {
		t.Error(p)
	}
	if got := first.snapshot(); got != want {
		t.Errorf("they came to another end (-alone, +together):\n%s", cmp.Diff(want, got))
	}
}

// meetings are the calls, by index, before which the gate has the second
// operator at work. With FTP_TEST_FULL=1 it is many more.
func meetings(calls []apiCall) []int {
	n := 2
	if os.Getenv("FTP_TEST_FULL") == "1" {
		n = 50
	}
	var out []int
	for i := range min(n, len(calls)) {
		out = append(out, (2*i+1)*len(calls)/(2*min(n, len(calls))))
	}
	// And after the first has found no token yet, before it writes one.
	i := slices.IndexFunc(calls, func(c apiCall) bool { return strings.HasSuffix(c.what, " files-tls") })
	if i >= 0 && !slices.Contains(out, i) {
		out = append(out, i)
	}
	return out
}

// secondOperator runs another operator over one namespace, beside the suite's.
func secondOperator(t *testing.T, namespace string) *FTPServerReconciler {
	t.Helper()
	mgr, err := ctrl.NewManager(asOperator(suiteConfig), ctrl.Options{
		Scheme: kube.Scheme(), Cache: CacheOptions([]string{namespace}),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := AddIndexes(t.Context(), mgr.GetFieldIndexer()); err != nil {
		t.Fatal(err)
	}
	board := NewBoard()
	server := &FTPServerReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder("ftp-operator"),
		Prober: pods, Board: board, Now: clock.Now, Image: serverReconciler.Image, FrontImage: serverReconciler.FrontImage, Namespace: serverReconciler.Namespace,
		ClusterDomain: serverReconciler.ClusterDomain, Lifetimes: serverReconciler.Lifetimes,
	}
	user := &FTPUserReconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder("ftp-operator"), Board: board, Now: clock.Now}
	if err := errors.Join(server.SetupWithManager(mgr), user.SetupWithManager(mgr)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		t.Fatal("the cache did not fill")
	}
	return server
}

// Two whole operators, with caches and queues of their own, over one namespace
// while it is edited all the time: once the edits stop, nothing moves any more,
// and there is one authority, one salt, one password and one token.
func TestTwoOperators(t *testing.T) {
	ns := namespace(t)
	second := secondOperator(t, ns)
	server, alice := newServer(ns, "files"), newUser(ns, "alice", "files")
	create(t, server, alice)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	made := func() map[string]string {
		out := map[string]string{}
		for name, key := range map[string]string{
			"files-authority": corev1.TLSPrivateKeyKey, "files-keys": render.KeySalt, "files-config": render.KeyStatusToken, "alice-password": render.KeyPassword,
		} {
			var s corev1.Secret
			get(t, ns, name, &s)
			out[name] = string(s.Data[key])
		}
		return out
	}
	first := made()
	for i := range 8 {
		change(t, server, func(s *v1alpha1.FTPServer) {
			s.Spec.Logging.Level = []v1alpha1.LogLevel{v1alpha1.LogDebug, v1alpha1.LogWarn, v1alpha1.LogInfo}[i%3]
			s.Spec.Passive.PortsPerReplica = int32(4 + i)
			s.Spec.Service.Type = []v1alpha1.ServiceType{v1alpha1.ServiceClusterIP, v1alpha1.ServiceNodePort}[i%2]
		})
		create(t, newUser(ns, fmt.Sprint("user-", i), "files"))
		remove(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: render.TLSSecretName("files")}})
		if i%3 == 0 {
			remove(t, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "files"}})
		}
	}
	clock.Advance(time.Minute)
	reaches(t, server, kstatus.CurrentStatus)
	reaches(t, alice, kstatus.CurrentStatus)
	for i := range 8 {
		reaches(t, newUser(ns, fmt.Sprint("user-", i), "files"), kstatus.CurrentStatus)
	}
	checkNodePorts(t, ns, 11)
	for name, value := range made() {
		if value != first[name] {
			t.Errorf("what is made once was made anew in %s", name)
		}
	}
	if ok, err := passhash.Verify(login(t, ns, "files", "alice").PasswordHash, first["alice-password"]); !ok || err != nil {
		t.Errorf("the login has another password than the Secret: %v", err)
	}
	certificate(t, ns, "files")
	quiet(t, ns, "files")
	settled := versions(t, ns)
	second.forget(client.ObjectKeyFromObject(server))
	for range 3 {
		pass(t, second, request(ns, "files"))
		pass(t, serverReconciler, request(ns, "files"))
	}
	if after := versions(t, ns); !maps.Equal(settled, after) {
		t.Errorf("they go on writing: %s", cmp.Diff(settled, after))
	}
}
