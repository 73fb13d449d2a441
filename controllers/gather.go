package controllers

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// scope is what one pass over a server knows. Each step fills in its part; no
// step reads what a later one writes. Only apply corrects what was gathered and
// rendered, by what became of it.
type scope struct {
	server *v1alpha1.FTPServer
	now    time.Time // of the pass

	// gathered
	service *corev1.Service
	slots   []policy.Slot // those that are to run, in order
	surplus []policy.Slot // those that are not, and whose pods have yet to end
	pods    []*corev1.Pod // of all slots, also of those that are not to run
	front   policy.Front
	bundle  *corev1.ConfigMap             // with what verifies the server's certificate; nil where there is none that is its own
	claim   *corev1.PersistentVolumeClaim // the existing one that the spec names; nil where it is not there
	users   []*v1alpha1.FTPUser

	// decided and made
	addresses policy.Addresses
	// sourcesHidden tells that connections come from addresses that are not the
	// clients'; clientAddresses whether the server knows those all the same.
	sourcesHidden   bool
	clientAddresses v1alpha1.ClientAddresses
	rollout         policy.Rollout
	accepted        map[types.UID]policy.Finding
	credentials     credentials
	// carried are the Secrets, by name, that keep what was made for them before,
	// as they were read: nil where there was none.
	carried      map[string]*corev1.Secret
	certificates []render.Certificate // given ones that can be shown, in the order of the spec
	references   []policy.Finding     // what the spec refers to, that was looked at
	validity     policy.Finding       // of ConditionCertificatesValid
	passwords    map[types.UID]hashed
	logins       map[types.UID]policy.Login // of those that are to have one

	// rendered and applied
	out      render.Output
	invalid  string   // why the spec cannot be rendered
	taken    []string // children whose names are somebody else's
	rejected []string // what the API server said of children
	leaving  []string // children, ours or of that name, that are being deleted
	// unguarded are the NetworkPolicies that the API server refused, by name: no pod
	// is made that they are to guard.
	unguarded []string
	// frontHeldUp tells that a name that only the front needs is somebody else's, so
	// that nothing of the front is written.
	frontHeldUp bool

	// observed
	answers  []policy.Answer
	askAgain time.Duration // when to ask again a pod that did not answer; 0: none
}

// gather reads, from the cache, what the server follows from.
func (r *FTPServerReconciler) gather(ctx context.Context, s *scope) error {
	name, in := s.server.Name, client.InNamespace(s.server.Namespace)
	if err := r.gatherService(ctx, s); err != nil {
		return err
	}
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, in, client.MatchingLabels(render.ServiceSelector(name))); err != nil {
		return err
	}
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	var all []*corev1.Pod
	for i := range pods.Items {
		all = append(all, &pods.Items[i])
	}
	if err := r.gatherFront(ctx, s, all); err != nil {
		return err
	}
	if err := r.gatherBundle(ctx, s); err != nil {
		return err
	}
	if err := r.gatherClaim(ctx, s); err != nil {
		return err
	}
	if err := r.gatherSlots(ctx, s); err != nil {
		return err
	}
	return r.gatherUsers(ctx, s, in)
}

// gatherService reads the server's Service. What the cache does not know may have
// lost its label, or be too new: the API server is asked.
func (r *FTPServerReconciler) gatherService(ctx context.Context, s *scope) error {
	service, key := &corev1.Service{}, s.key(render.ServiceName(s.server.Name))
	err := r.Client.Get(ctx, key, service)
	if apierrors.IsNotFound(err) {
		err = r.Live.Get(ctx, key, service)
	}
	if err == nil && metav1.IsControlledBy(service, s.server) {
		s.service = service
	}
	return client.IgnoreNotFound(err)
}

func (r *FTPServerReconciler) gatherUsers(ctx context.Context, s *scope, in client.InNamespace) error {
	var users v1alpha1.FTPUserList
	if err := r.Client.List(ctx, &users, in, client.MatchingFields{indexServer: s.server.Name}); err != nil {
		return err
	}
	for i := range users.Items {
		if u := &users.Items[i]; u.DeletionTimestamp.IsZero() {
			s.users = append(s.users, u)
		}
	}
	slices.SortFunc(s.users, func(a, b *v1alpha1.FTPUser) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

func (r *FTPServerReconciler) gatherClaim(ctx context.Context, s *scope) error {
	ref := s.claimRef()
	if ref == nil {
		return nil
	}
	claim := &corev1.PersistentVolumeClaim{}
	err := r.Client.Get(ctx, s.key(ref.Name), claim)
	if err == nil {
		s.claim = claim
	}
	return client.IgnoreNotFound(err)
}

// claimRef is the claim that the spec refers to, or nil.
func (s *scope) claimRef() *v1alpha1.LocalReference {
	if v := s.server.Spec.Storage.Volume; v != nil {
		return v.ExistingClaimRef
	}
	return nil
}

// claimGone tells that the claim that the spec refers to is not there.
func (s *scope) claimGone() bool { return s.claimRef() != nil && s.claim == nil }

// mayBeShared tells whether another slot may be made, on the volume that there
// is. Of a new volume the schema has seen to it.
func (s *scope) mayBeShared() bool {
	return s.claimRef() == nil || policy.VolumeShared(s.server, s.claim)
}

// decide draws the conclusions that rendering needs.
func (r *FTPServerReconciler) decide(s *scope) {
	spec := s.server.Spec.Service
	reach := policy.Reach{Type: spec.Type, Service: s.service, Slots: s.slots}
	if s.server.Status.ObservedGeneration == s.server.Generation {
		reach.Told = s.server.Status.Addresses
	}
	s.addresses = policy.FindAddresses(reach)
	s.sourcesHidden = policy.SourcesHidden(spec, s.service, s.front.Silent(render.FrontTells))
	s.clientAddresses = policy.ClientAddresses(spec, s.sourcesHidden)
	s.accepted = policy.AcceptUsers(s.users, s.clientAddresses)
}

func (s *scope) certificateNames(clusterDomain string) []string {
	var ips []string
	if s.service != nil {
		ips = s.service.Spec.ClusterIPs
	}
	return render.CertificateNames(s.server, clusterDomain, s.addresses.List, ips)
}

// render builds the objects. A spec that the server would refuse is told, not
// returned: only an edit helps.
func (r *FTPServerReconciler) render(s *scope) error {
	users, err := s.entries()
	if err != nil {
		return err
	}
	passive, pending := policy.PassiveAddresses(s.server.Spec.Passive, s.addresses)
	s.out, err = render.Objects(render.Input{
		Server:            s.server,
		Image:             r.Image,
		SharedVolume:      policy.VolumeAskedShared(s.server, s.claim),
		FrontImage:        r.FrontImage,
		FrontServes:       s.front.Serves(render.HasFront(s.server)),
		FrontRuns:         s.front.Runs(),
		FrontAddresses:    s.front.Addresses(render.FrontTells),
		FrontSlots:        render.FrontSlots(s.front.Deployment),
		ClusterDomain:     r.ClusterDomain,
		Slots:             s.portSlots(),
		Deployments:       s.deployments(),
		Service:           s.service,
		PassiveAddresses:  passive,
		AddressPending:    pending,
		SourcesHidden:     s.sourcesHidden,
		Users:             users,
		Certificates:      s.certificates,
		TLS:               s.credentials.tls,
		Status:            s.credentials.status,
		StatusToken:       s.credentials.statusToken,
		OperatorNamespace: r.Namespace,
		CABundle:          s.credentials.bundle,
	})
	if err != nil {
		s.invalid = err.Error()
	}
	return nil
}
