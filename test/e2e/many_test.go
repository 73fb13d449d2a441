package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/test/figures"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

const (
	// manyNamespace is where the unrelated Secrets are.
	manyNamespace = "ftp-many-secrets"
	manySecrets   = 5000
	manyBytes     = 100 << 10
	// appliedEvery is which of them carry their content once more, in the
	// annotation that kubectl apply leaves.
	appliedEvery = 5
	// operatorMemory is the most that the operator may ever need, in bytes.
	operatorMemory = 150 << 20
)

// TestManySecrets: half a gigabyte of other people's Secrets costs the operator
// next to nothing, also where it starts with all of them there, and a new user
// still logs in within seconds.
func TestManySecrets(t *testing.T) {
	if !full {
		t.Skip("set FTP_TEST_FULL=1 to make 5,000 Secrets of 100 KiB")
	}
	server, alice := serving(t, nil)
	memory(t, operatorPod(t), "without them")
	makeSecrets(t)
	memory(t, operatorPod(t), "after they came")

	pod, restore := restartOperator(t)
	defer restore()
	start := time.Now()
	bob := newUser(server.Namespace, "bob", server.Name)
	create(t, bob)
	ready(t, bob)
	d := doorOf(t, outsideDialer(t), connection(t, ftpclient.Curl{}, server, alice))
	if problem := d.accepts("bob", password(t, bob)); problem != "" {
		t.Error(problem)
	}
	t.Logf("A user, made while the operator started, was ready after %s", figures.Rounded(time.Since(start)))
	memory(t, pod, "after a start among them")
}

// memory logs what the operator needs, and has ever needed, and fails where that
// is too much.
func memory(t *testing.T, pod *corev1.Pod, when string) {
	t.Helper()
	now := int64(operatorMetrics(t, pod).sum("process_resident_memory_bytes"))
	peak := now
	if len(node) > 0 {
		kilobytes, err := strconv.ParseInt(strings.TrimSuffix(processOf(t, pod, "ftp-operator").status["VmHWM"], " kB"), 10, 64)
		must(t, err)
		peak = kilobytes << 10
	}
	figures.Record(t, fmt.Sprintf("The operator, %s: %d MiB, at most %d MiB", when, now>>20, peak>>20))
	if now == 0 || peak > operatorMemory {
		t.Errorf("The operator has needed %d MiB, want at most %d MiB", peak>>20, operatorMemory>>20)
	}
}

func makeSecrets(t *testing.T) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: objectMeta("", manyNamespace)}
	if err := kube.Create(soon(t), ns); apierrors.IsAlreadyExists(err) {
		t.Fatalf("The namespace %s is still there from an earlier run: delete it", manyNamespace)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, ns) })
	content := make([]byte, manyBytes)
	_, _ = rand.Read(content)
	applied := fmt.Sprintf(`{"apiVersion":"v1","kind":"Secret","data":{"content":%q}}`, base64.StdEncoding.EncodeToString(content))
	start := time.Now()
	var group errgroup.Group
	group.SetLimit(8)
	for i := range manySecrets {
		group.Go(func() error {
			s := &corev1.Secret{ObjectMeta: objectMeta(manyNamespace, fmt.Sprintf("other-%04d", i)), Data: map[string][]byte{"content": bytes.Clone(content)}}
			if i%appliedEvery == 0 {
				metav1.SetMetaDataAnnotation(&s.ObjectMeta, corev1.LastAppliedConfigAnnotation, applied)
			}
			return kube.Create(t.Context(), s)
		})
	}
	must(t, group.Wait())
	t.Logf("Made %d Secrets in %s", manySecrets, figures.Rounded(time.Since(start)))
}
