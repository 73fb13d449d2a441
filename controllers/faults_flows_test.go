package controllers

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// flow is what people and the cluster do, one step after the other. prepare is
// the way there, and goes without faults; check finds in the end that the flow
// has done what it is about.
type flow struct {
	name    string
	prepare func(*world)
	run     func(*world)
	check   func(*world)
}

// flows are the ways that are walked with each fault at each call.
var flows = []flow{
	{"create", nothing, func(w *world) {
		w.create(w.newServer(), w.newUser("alice"))
		w.settle()
	}, bothReady},
	{"add a user", serverOnly, func(w *world) {
		w.create(w.password("bob", "first"), w.userWithPassword("bob"))
		w.settle()
	}, userReady("bob")},
	{"change a password", func(w *world) {
		w.create(w.newServer(), w.password("bob", "first"), w.userWithPassword("bob"))
		w.settle()
	}, func(w *world) {
		edit(w, "bob-login", &corev1.Secret{}, func(s *corev1.Secret) { s.Data["password"] = []byte("second") })
		w.settle()
	}, func(w *world) {
		userReady("bob")(w)
		if entry, err := findLogin(w.t, w.namespace, theServer, "bob"); err != nil || !passwordFits(entry.PasswordHash, "second") {
			w.problem("the login has the old password: %v", err)
		}
	}},
	{"edit the server", serverOnly, func(w *world) {
		edit(w, theServer, &v1alpha1.FTPServer{}, func(s *v1alpha1.FTPServer) {
			s.Spec.Logging.Level, s.Spec.TLS.Mode, s.Spec.Passive.PortsPerReplica = v1alpha1.LogDebug, v1alpha1.TLSOptional, 12
			s.Spec.Pod.Image = "example.com/ftpserver:pinned"
		})
		w.settle()
	}, serverReady},
	{"node ports", nothing, func(w *world) {
		w.create(w.newServer(func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceNodePort }))
		w.settle()
		edit(w, theServer, &v1alpha1.FTPServer{}, func(s *v1alpha1.FTPServer) { s.Spec.Passive.PortsPerReplica = 12 })
		w.settle()
	}, func(w *world) {
		serverReady(w)
		checkNodePorts(w.t, w.namespace, 12)
	}},
	{"widen while node ports are given out", serverOnly, func(w *world) {
		w.wire.before = func(_ string, o client.Object) {
			if u, ok := o.(interface{ UnstructuredContent() map[string]any }); ok && strings.Contains(fmt.Sprint(u.UnstructuredContent()), "type:NodePort") {
				w.wire.before = nil // the pass that is under way writes 8 ports, the next has 12 to write
				edit(w, theServer, &v1alpha1.FTPServer{}, func(s *v1alpha1.FTPServer) { s.Spec.Passive.PortsPerReplica = 12 })
			}
		}
		edit(w, theServer, &v1alpha1.FTPServer{}, func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceNodePort })
		w.settle()
	}, func(w *world) {
		serverReady(w)
		checkNodePorts(w.t, w.namespace, 12)
	}},
	{"renew the certificate", serverOnly, func(w *world) {
		w.elapse(pki.DefaultLifetimes.Leaf / 3 * 2)
		w.settle()
	}, func(w *world) {
		serverReady(w)
		if left := certificateAt(w.t, w.namespace, theServer, w.clock.Now()).NotAfter.Sub(w.clock.Now()); left < pki.DefaultLifetimes.Leaf/2 {
			w.problem("the certificate has %s left", left)
		}
	}},
	{"delete and make again", serverWithUser, func(w *world) {
		w.delete(theServer, &v1alpha1.FTPServer{})
		w.forgetSecrets()
		w.settle()
		w.create(w.newServer())
		w.settle()
	}, func(w *world) {
		bothReady(w)
		var claim corev1.PersistentVolumeClaim
		if w.read(render.ClaimName(theServer), &claim); claim.Annotations["test/first"] == "" {
			w.problem("the claim is not the one of the first server")
		}
	}},
	{"delete a user", serverWithUser, func(w *world) {
		w.delete("alice", &v1alpha1.FTPUser{})
		w.settle()
	}, func(w *world) {
		serverReady(w)
		if _, err := findLogin(w.t, w.namespace, theServer, "alice"); err == nil {
			w.problem("the login is still there")
		}
	}},
	{"a name that is taken", func(w *world) {
		w.create(&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: theServer},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
		})
	}, func(w *world) {
		w.create(w.newServer())
		w.settle()
		var s v1alpha1.FTPServer
		if w.read(theServer, &s); !meta.IsStatusConditionTrue(s.Status.Conditions, v1alpha1.ConditionStalled) {
			w.problem("NameTaken is not told: %+v", s.Status.Conditions)
		}
		w.delete(theServer, &corev1.Service{})
		w.elapse(pollNoted)
		w.settle()
	}, serverReady},
	{"replace the pod", serverWithUser, func(w *world) {
		var pods corev1.PodList
		if err := kube.List(w.t.Context(), &pods, client.InNamespace(w.namespace)); err != nil || len(pods.Items) != 1 {
			w.t.Fatal(err, len(pods.Items))
		}
		if err := w.cluster.end(w.t.Context(), &pods.Items[0]); err != nil {
			w.t.Fatal(err)
		}
		w.settle()
	}, bothReady},
	{"stop and start", serverOnly, func(w *world) {
		for _, n := range []int32{0, 1} {
			edit(w, theServer, &v1alpha1.FTPServer{}, func(s *v1alpha1.FTPServer) { s.Spec.Replicas = &n })
			w.settle()
		}
	}, serverReady},
	{"roll and scale", func(w *world) {
		w.create(w.newServer(shared(3)))
		w.settle()
	}, func(w *world) {
		w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/new" })
		w.settle()
		w.scale(1)
		w.settle()
		w.scale(2)
		w.settle()
	}, serverReady},
	{"front", func(w *world) {
		w.create(w.newServer(onePodOfFront))
		w.settle()
	}, func(w *world) {
		w.set(func(s *v1alpha1.FTPServer) { s.Spec.Front = nil })
		w.settle()
		w.set(onePodOfFront)
		w.settle()
	}, func(w *world) {
		serverReady(w)
		if to := controlTarget(w.t, w.namespace); to != "front" {
			w.problem("the control port leads to %s", to)
		}
	}},
	{"prune", serverOnly, func(w *world) {
		var s v1alpha1.FTPServer
		w.read(theServer, &s)
		w.create(notRendered(&s))
		w.settle()
	}, func(w *world) {
		serverReady(w)
		if w.read("no-longer-rendered", &networkingv1.NetworkPolicy{}) {
			w.problem("what is no longer rendered is still there")
		}
	}},
}

// notRendered is a NetworkPolicy that the server has made, and does not render.
func notRendered(s *v1alpha1.FTPServer) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
		Namespace: s.Namespace, Name: "no-longer-rendered",
		Labels: render.Labels(s.Name), OwnerReferences: []metav1.OwnerReference{render.Owner(s)},
	}}
}

func onePodOfFront(s *v1alpha1.FTPServer) {
	s.Spec.Front = &v1alpha1.FrontSpec{Replicas: ptr.To[int32](1)}
}

func nothing(*world) {}

func serverOnly(w *world) {
	w.create(w.newServer())
	w.settle()
}

// serverWithUser has a user with a generated password, and a claim with a mark.
func serverWithUser(w *world) {
	w.create(w.newServer(), w.newUser("alice"))
	w.settle()
	edit(w, render.ClaimName(theServer), &corev1.PersistentVolumeClaim{}, func(c *corev1.PersistentVolumeClaim) {
		c.Annotations = map[string]string{"test/first": "yes"}
	})
	w.settle()
}

func (w *world) create(objects ...client.Object) {
	w.t.Helper()
	create(w.t, objects...)
}

func (w *world) delete(name string, kind client.Object) {
	w.t.Helper()
	kind.SetNamespace(w.namespace)
	kind.SetName(name)
	if err := kube.Delete(w.t.Context(), kind, client.GracePeriodSeconds(0)); err != nil {
		w.t.Fatal(err)
	}
	w.cluster.garbage = true
}

// edit edits an object as a person would.
func edit[T client.Object](w *world, name string, o T, how func(T)) {
	w.t.Helper()
	o.SetNamespace(w.namespace)
	o.SetName(name)
	change(w.t, o, how)
}

// password is a Secret with a user's password.
func (w *world) password(user, value string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: user + "-login"},
		Data:       map[string][]byte{"password": []byte(value)},
	}
}

func (w *world) userWithPassword(name string) *v1alpha1.FTPUser {
	return w.newUser(name, func(u *v1alpha1.FTPUser) {
		u.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: name + "-login", Key: "password"}
	})
}

func serverReady(w *world) {
	var s v1alpha1.FTPServer
	if w.read(theServer, &s); !meta.IsStatusConditionTrue(s.Status.Conditions, v1alpha1.ConditionReady) || s.Status.ObservedGeneration != s.Generation {
		w.problem("the server is not Ready: %+v", s.Status)
	}
}

func userReady(name string) func(*world) {
	return func(w *world) {
		serverReady(w)
		var u v1alpha1.FTPUser
		if w.read(name, &u); !meta.IsStatusConditionTrue(u.Status.Conditions, v1alpha1.ConditionReady) || u.Status.ObservedGeneration != u.Generation {
			w.problem("the user is not Ready: %+v", u.Status)
		}
	}
}

func bothReady(w *world) { userReady("alice")(w) }
