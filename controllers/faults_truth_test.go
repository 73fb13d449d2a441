package controllers

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/probe"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// knownReasons are the reasons of the API.
var knownReasons = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	data, err := os.ReadFile(filepath.Join("..", "api", "v1alpha1", "conditions.go"))
	if err != nil {
		panic(err)
	}
	for _, m := range regexp.MustCompile(`Reason = "(\w+)"`).FindAllSubmatch(data, -1) {
		out[string(m[1])] = true
	}
	return out
})

// checkConditions judges what every status must be, whatever it says.
func (w *world) checkConditions(who string, conditions []metav1.Condition, observed, generation int64) {
	if observed > generation {
		w.problem("%s: observedGeneration %d of generation %d", who, observed, generation)
	}
	for _, c := range conditions {
		if c.ObservedGeneration > observed || !knownReasons()[c.Reason] {
			w.problem("%s: %s is %s %s of generation %d", who, c.Type, c.Status, c.Reason, c.ObservedGeneration)
		}
	}
	if meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled) && meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReconciling) {
		w.problem("%s: both Stalled and Reconciling", who)
	}
}

// saysReady tells whether a status says Ready, and checks that it says so of the
// present generation.
func (w *world) saysReady(who string, conditions []metav1.Condition, generation int64) bool {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if c == nil || c.Status != metav1.ConditionTrue {
		return false
	}
	if c.ObservedGeneration != generation {
		w.problem("%s: Ready of generation %d, and there is %d", who, c.ObservedGeneration, generation)
	}
	return true
}

// checkServer holds a status that was just written against what is so.
func (w *world) checkServer(told *v1alpha1.FTPServer) {
	var s v1alpha1.FTPServer
	if !w.read(told.Name, &s) || s.UID != told.UID {
		return
	}
	w.checkConditions("server", told.Status.Conditions, told.Status.ObservedGeneration, s.Generation)
	if !w.saysReady("server", told.Status.Conditions, s.Generation) {
		return
	}
	for _, o := range childrenOf(&s) {
		found := &metav1.PartialObjectMetadata{}
		found.SetGroupVersionKind(o.GetObjectKind().GroupVersionKind())
		there := w.read(o.GetName(), found)
		needed := render.HasFront(&s) || o.GetName() != render.SlotsServiceName(s.Name)
		if !there || needed && ours(&s, found) != nil {
			w.problem("server: Ready without its %s", objectName(o))
		}
	}
	w.checkRuns(&s)
}

// checkRuns finds that the server runs as its spec asks.
func (w *world) checkRuns(s *v1alpha1.FTPServer) {
	var secret corev1.Secret
	w.read(render.ConfigSecretName(s.Name), &secret)
	c, err := config.Decode(secret.Data[config.FileName], config.Strict)
	if err != nil {
		w.problem("server: Ready with the configuration: %v", err)
		return
	}
	ports := render.Slots(s) * int(s.Spec.Passive.PortsPerReplica) // more while surplus slots drain
	if c.Log.Level != string(s.Spec.Logging.Level) || len(c.Passive.Ports) < ports || string(c.TLS.Mode) != string(s.Spec.TLS.Mode) {
		w.problem("server: Ready with an older configuration: %+v", c)
	}
	if render.Replicas(s) == 0 {
		if len(w.cluster.running("")) > 0 {
			w.problem("server: Ready, and the pod that is to end still runs")
		}
		return
	}
	now, err := loaded(w.t.Context(), probe.Target{Host: host(w.namespace, s.Name), Token: string(secret.Data[render.KeyStatusToken])}, current)
	if err != nil {
		w.problem("server: Ready: %v", err)
		return
	}
	for slot := range render.Replicas(s) {
		w.checkSlot(s, render.DeploymentName(s.Name, slot), fmt.Sprint(now.Files))
	}
}

// checkSlot finds that a replica runs as the spec asks, with those files.
func (w *world) checkSlot(s *v1alpha1.FTPServer, name, files string) {
	var d appsv1.Deployment
	w.read(name, &d)
	image := s.Spec.Pod.Image
	if image == "" {
		image = testImage
	}
	if d.Status.ObservedGeneration != d.Generation || d.Spec.Template.Spec.Containers[0].Image != image {
		w.problem("server: Ready with an older Deployment %s", name)
	}
	pods := w.cluster.running(name)
	if len(pods) != 1 || fmt.Sprint(pods[0].loaded.Files) != files {
		w.problem("server: Ready, and of %s one has not loaded what there is: %+v", name, pods)
	}
}

// running are the pods that run, of one slot or, with "", of all.
func (c *cluster) running(slot string) []*ranPod {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*ranPod
	for uid, p := range c.pods {
		if !c.lost[uid] && (slot == "" || p.slot == slot) {
			out = append(out, p)
		}
	}
	return out
}

// checkUser holds a status that was just written against what is so.
func (w *world) checkUser(told *v1alpha1.FTPUser) {
	var u v1alpha1.FTPUser
	if !w.read(told.Name, &u) || u.UID != told.UID {
		return
	}
	w.checkConditions("user "+u.Name, told.Status.Conditions, told.Status.ObservedGeneration, u.Generation)
	if !w.saysReady("user "+u.Name, told.Status.Conditions, u.Generation) {
		return
	}
	entry, err := findLogin(w.t, w.namespace, theServer, u.Username())
	if err != nil || entry.UID != string(u.UID) {
		w.problem("user %s: Ready without a login of its own: %v", u.Name, err)
		return
	}
	digest, err := entry.Digest()
	for _, pod := range w.cluster.running("") {
		if err != nil || pod.loaded.Users[u.Username()] != digest {
			w.problem("user %s: Ready, and a pod of %s has not loaded it: %v", u.Name, pod.slot, err)
		}
	}
	ref := passwordRef(&u)
	var secret corev1.Secret
	w.read(ref.Name, &secret)
	if password := bytes.TrimSpace(secret.Data[ref.Key]); !passwordFits(entry.PasswordHash, string(password)) {
		w.problem("user %s: Ready with another password than the Secret's", u.Name)
	}
}

// verified remembers what has been verified: it takes a while.
var verified sync.Map

func passwordFits(hash, password string) bool {
	if hash == password {
		return true // given as a hash
	}
	if fits, ok := verified.Load(hash + password); ok {
		return fits.(bool)
	}
	fits, err := passhash.Verify(hash, password)
	verified.Store(hash+password, fits && err == nil)
	return fits && err == nil
}

// madeOnceKeys are what is never written anew, by the end of a Secret's name.
var madeOnceKeys = map[string]string{
	"-keys": render.KeySalt, "-authority": corev1.TLSPrivateKeyKey, "-config": render.KeyStatusToken, "-password": render.KeyPassword,
}

// checkSecret finds that what is made once is never written anew.
func (w *world) checkSecret(verb string, o client.Object) {
	data := map[string][]byte{}
	switch o := o.(type) {
	case *corev1.Secret:
		data = o.Data
	case interface{ UnstructuredContent() map[string]any }:
		raw, _, _ := unstructured.NestedStringMap(o.UnstructuredContent(), "data")
		for k, v := range raw {
			data[k], _ = base64.StdEncoding.DecodeString(v)
		}
	}
	for suffix, key := range madeOnceKeys {
		value := string(data[key])
		if !regexp.MustCompile(suffix+"$").MatchString(o.GetName()) || value == "" {
			continue
		}
		w.mu.Lock()
		was, known := w.secrets[o.GetName()]
		w.secrets[o.GetName()] = value
		w.mu.Unlock()
		if known && was != value {
			w.problem("%s %s: %s was written anew", verb, o.GetName(), key)
		}
	}
}

// forgetSecrets allows all that is made once to be made once more, as after the
// server was deleted.
func (w *world) forgetSecrets() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.secrets)
}

// checkSettled finds that what was first written of what is made once is there.
func (w *world) checkSettled() {
	w.mu.Lock()
	first := maps.Clone(w.secrets)
	w.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(first)) {
		var s corev1.Secret
		if !w.read(name, &s) {
			continue // a step deleted it
		}
		for suffix, key := range madeOnceKeys {
			if regexp.MustCompile(suffix+"$").MatchString(name) && string(s.Data[key]) != first[name] {
				w.problem("%s: %s is another than at first", name, key)
			}
		}
	}
}

// read reads an object as it is, and tells whether it is there.
func (w *world) read(name string, into client.Object) bool {
	w.t.Helper()
	err := kube.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, into)
	if err != nil && !apierrors.IsNotFound(err) {
		w.t.Fatal(err)
	}
	return err == nil
}

// childrenOf are the objects that a server consists of, as names and kinds.
func childrenOf(s *v1alpha1.FTPServer) []client.Object {
	in := render.Input{Server: s, Image: testImage, Slots: render.Slots(s)}
	for slot := range render.Replicas(s) {
		in.Deployments = append(in.Deployments, render.SlotDeployment{Slot: slot, Replicas: 1})
	}
	out, err := render.Objects(in)
	if err != nil {
		panic(err)
	}
	list := []client.Object{named("Secret", render.KeysSecretName(s.Name)), named("Secret", render.AuthoritySecretName(s.Name))}
	for _, o := range out.Objects {
		list = append(list, o)
	}
	return list
}

func named(kind, name string) client.Object {
	o := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name}}
	o.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	return o
}
