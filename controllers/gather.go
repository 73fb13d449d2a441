package controllers

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// scope is what one pass over a server knows. Each step fills in its part; no
// step reads what a later one writes. Only apply corrects what was gathered and
// rendered, by what became of it.
type scope struct {
	server *v1alpha1.FTPServer
	now    time.Time // of the pass

	// gathered
	service *corev1.Service
	slots   []policy.Slot                 // those that are to run, in order
	surplus []policy.Slot                 // those that are not, and whose pods have yet to end
	pods    []*corev1.Pod                 // of all slots, also of those that are not to run
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
	for i := range pods.Items {
		s.pods = append(s.pods, &pods.Items[i])
	}
	slices.SortFunc(s.pods, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
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

// gatherSlots reads the slots that are to run, and those that have run.
func (r *FTPServerReconciler) gatherSlots(ctx context.Context, s *scope) error {
	deployments, err := r.deploymentsIn(ctx, s, r.Client)
	if err != nil {
		return err
	}
	found := map[int]policy.Slot{}
	at := func(number int) policy.Slot {
		if slot, ok := found[number]; ok {
			return slot
		}
		return policy.Slot{Number: number, Name: render.DeploymentName(s.server.Name, number), Deployment: deployments[number]}
	}
	for number := range deployments {
		found[number] = at(number)
	}
	for _, p := range s.pods {
		if number, ok := render.SlotOf(p); ok {
			slot := at(number)
			slot.Pods = append(slot.Pods, p)
			found[number] = slot
		}
	}
	for i := range render.Replicas(s.server) {
		if slot := at(i); i == 0 || slot.Deployment != nil || s.mayBeShared() {
			s.slots = append(s.slots, slot)
			delete(found, i)
		}
	}
	for _, number := range slices.Sorted(maps.Keys(found)) {
		if slot := found[number]; !slot.Ended() {
			s.surplus = append(s.surplus, slot)
		}
	}
	return nil
}

// deploymentsIn reads the Deployments of the slots, by number. One that has lost
// the labels that it is found by is found by its name, so that it is judged as
// any other and gets them back.
func (r *FTPServerReconciler) deploymentsIn(ctx context.Context, s *scope, from client.Reader) (map[int]*appsv1.Deployment, error) {
	var list appsv1.DeploymentList
	if err := from.List(ctx, &list, client.InNamespace(s.server.Namespace), client.MatchingLabels(render.Labels(s.server.Name))); err != nil {
		return nil, err
	}
	found := map[int]*appsv1.Deployment{}
	for i := range list.Items {
		d := &list.Items[i]
		if number, ok := render.SlotOf(d); ok && d.Name == render.DeploymentName(s.server.Name, number) && metav1.IsControlledBy(d, s.server) {
			found[number] = d
		}
	}
	for _, number := range s.expected() {
		if found[number] != nil {
			continue
		}
		d := &appsv1.Deployment{}
		err := r.Live.Get(ctx, s.key(render.DeploymentName(s.server.Name, number)), d)
		if client.IgnoreNotFound(err) != nil {
			return nil, err
		}
		if err == nil && metav1.IsControlledBy(d, s.server) {
			found[number] = d
		}
	}
	return found, nil
}

// expected are the slots that are to have a Deployment, or have pods of one.
func (s *scope) expected() []int {
	var out []int
	for i := range render.Replicas(s.server) {
		if i == 0 || s.mayBeShared() {
			out = append(out, i)
		}
	}
	for _, p := range s.pods {
		if number, ok := render.SlotOf(p); ok && !policy.PodEnded(p) && !slices.Contains(out, number) {
			out = append(out, number)
		}
	}
	return out
}

// portSlots is how many slots the Service has passive ports for. Those of a slot
// stay until its last pod has ended.
func (s *scope) portSlots() int {
	n := render.Slots(s.server)
	for _, slot := range s.surplus {
		n = max(n, slot.Number+1)
	}
	return n
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
	s.sourcesHidden = policy.SourcesHidden(spec, s.service)
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

// entries are the users as the server is to know them: those that are accepted
// and have a password.
func (s *scope) entries() ([]config.User, error) {
	var out []config.User
	s.logins = map[types.UID]policy.Login{}
	_, narrow := render.UnknownInPrevious(s.server, s.sourcesHidden)
	for _, u := range s.users {
		password := s.passwords[u.UID]
		if !s.accepted[u.UID].OK() || !password.finding.OK() {
			continue
		}
		entry := policy.UserEntry(u, password.hash)
		login, err := loginOf(entry, narrow)
		if err != nil {
			return nil, err
		}
		s.logins[u.UID] = login
		out = append(out, entry)
	}
	return out, nil
}

// loginOf is what pods tell of a user whom they have loaded. narrow names what
// narrows all users of the server.
func loginOf(entry config.User, narrow []string) (l policy.Login, err error) {
	l = policy.Login{Name: entry.Name, File: render.UsersFile(entry.Name)}
	what, refused := entry.UnknownInPrevious()
	if len(narrow) > 0 && entry.Login != config.LoginSuspended {
		what, refused = strings.Join(narrow, ", ")+" of the FTPServer, which narrow all logins", true
	}
	if l.Newer = what; refused {
		l.Newer += ", and refuses the login"
	}
	if l.Digest, err = entry.Digest(); err != nil {
		return l, err
	}
	for _, previous := range config.PreviousUsers([]config.User{entry}, len(narrow) > 0) {
		l.Previous, err = previous.Digest()
	}
	return l, err
}

// wanted is what the pods are to load.
func (s *scope) wanted() policy.Wanted {
	newer, _ := render.UnknownInPrevious(s.server, s.sourcesHidden)
	return policy.Wanted{Files: s.out.Files, Newer: newer}
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
