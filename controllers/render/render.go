// Package render builds the objects of an FTPServer. It is pure: the same Input
// gives the same objects. It must hold no client, clock or randomness, and
// decide nothing that a condition tells of; that is controllers/policy.
package render

import (
	"maps"
	"net/netip"
	"path"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Input is all that the objects of a server follow from.
type Input struct {
	Server *v1alpha1.FTPServer
	// Image is the server's image where the spec names none.
	Image string
	// FrontImage is the front's where the spec names none.
	FrontImage string
	// FrontServes tells that the control port is to lead to the front.
	FrontServes bool
	// FrontRuns tells that a pod of the front has yet to end, also where no front is
	// asked for any more.
	FrontRuns bool
	// FrontAddresses are those of the front's pods that send a PROXY header.
	FrontAddresses []netip.Addr
	// FrontSlots is how many slots the live front's configuration names.
	FrontSlots int
	// ClusterDomain is the DNS domain of the cluster's Services.
	ClusterDomain string
	// Slots is how many slots the Service has passive ports for: at least as many
	// as Slots tells, and those of which a pod still runs.
	Slots int
	// Deployments are those of the slots, in order: of those that are to run, and
	// of others whose pods have yet to end.
	Deployments []SlotDeployment
	// SharedVolume tells that a volume was asked for that pods on several nodes can
	// mount.
	SharedVolume bool
	// Service is the live Service, nil if there is none: Kubernetes allocates
	// node ports on it.
	Service *corev1.Service
	// PassiveAddresses are what PASV answers.
	PassiveAddresses []config.PassiveAddress
	// AddressPending tells that there will be one but it is not known yet.
	AddressPending bool
	// SourcesHidden tells that connections come from addresses that are not the
	// clients'.
	SourcesHidden bool
	// Users are the logins of the server, in any order.
	Users []config.User
	// Certificates are those that the spec gives and that can be used, in its
	// order.
	Certificates []Certificate
	// TLS is the operator's own, which is shown to FTP clients, Status that which
	// is shown to the operator.
	TLS, Status pki.KeyPair
	// OperatorNamespace is where the operator runs, which reads /status.
	OperatorNamespace string
	// StatusToken is what the operator shows to /status.
	StatusToken string
	// CABundle are the certificates (PEM) to verify TLS with.
	CABundle []byte
}

// Object is an object of any kind.
type Object interface {
	metav1.Object
	runtime.Object
}

// Output is what was built.
type Output struct {
	// Objects are in the order in which they are to be applied: first what
	// takes longest to become known, last the pods that need the rest.
	Objects []Object
	// Files is what a pod must tell of each file once it has loaded all this, by
	// config.FileStatus.Name.
	Files map[string]config.Expected
}

// Objects builds the objects of a server.
func Objects(in Input) (Output, error) {
	configSecret, err := configuration(in)
	if err != nil {
		return Output{}, err
	}
	users, err := usersSecrets(in)
	if err != nil {
		return Output{}, err
	}
	front, err := frontObjects(in)
	if err != nil {
		return Output{}, err
	}
	out := Output{Objects: []Object{service(in), slotsService(in), serviceAccount(in), caBundle(in)}}
	if p := networkPolicy(in); p != nil {
		out.Objects = append(out.Objects, p)
	}
	if c := claim(in); c != nil {
		out.Objects = append(out.Objects, c)
	}
	tlsSecret := certificate(in)
	out.Objects = append(out.Objects, tlsSecret, configSecret)
	for _, u := range users {
		out.Objects = append(out.Objects, u)
	}
	if b := disruptionBudget(in); b != nil {
		out.Objects = append(out.Objects, b)
	}
	out.Objects = append(out.Objects, front...)
	for _, slot := range in.Deployments {
		out.Objects = append(out.Objects, Deployment(in, slot))
	}
	out.Files = files(configSecret, tlsSecret, users, certificateFiles(in))
	return out, nil
}

// files tells which content of which file the pods are to load.
func files(configSecret, tlsSecret *corev1.Secret, users []*corev1.Secret, certificates []config.Certificate) map[string]config.Expected {
	out := map[string]config.Expected{
		config.FileName: versioned(configSecret, "", config.FileName, config.PreviousFileName),
	}
	for shard, s := range users {
		name, previous := config.UsersFileName(shard), config.PreviousUsersFileName(shard)
		out[usersDir+"/"+name] = versioned(s, usersDir+"/", name, previous)
	}
	for _, c := range certificates {
		out[c.CertFile] = config.Expected{Hash: config.Hash(tlsSecret.Data[path.Base(c.CertFile)])}
	}
	return out
}

// versioned is a file that the Secret holds in two versions, mounted in dir.
func versioned(s *corev1.Secret, dir, name, previous string) config.Expected {
	return config.Expected{
		Hash:     config.Hash(s.Data[name]),
		Previous: config.FileStatus{Name: dir + previous, Hash: config.Hash(s.Data[previous])},
	}
}

// UsersFile is the config.FileStatus.Name of the file that holds a login.
func UsersFile(username string) string {
	return usersDir + "/" + config.UsersFileName(config.Shard(username))
}

// child is the metadata of an object that goes with the server.
func child(s *v1alpha1.FTPServer, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:            name,
		Namespace:       s.Namespace,
		Labels:          childLabels(s.Name),
		OwnerReferences: []metav1.OwnerReference{Owner(s)},
	}
}

// Owner is the reference by which a child belongs to the server.
func Owner(s *v1alpha1.FTPServer) metav1.OwnerReference {
	return *metav1.NewControllerRef(s, v1alpha1.GroupVersion.WithKind(v1alpha1.FTPServerKind))
}

func secret(meta metav1.ObjectMeta, kind corev1.SecretType, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: meta,
		Type:       kind,
		Data:       data,
	}
}

// merged is the union of two maps; what is in the second wins.
func merged(user map[string]v1alpha1.LabelValue, ours map[string]string) map[string]string {
	out := make(map[string]string, len(user)+len(ours))
	for k, v := range user {
		out[k] = string(v)
	}
	maps.Copy(out, ours)
	return out
}
