package render_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// input is a server as the API server would default it.
func input(change ...func(*render.Input)) render.Input {
	s := &v1alpha1.FTPServer{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "files", UID: "0f0f"}}
	s.Spec.Replicas = ptr.To[int32](1)
	s.Spec.TLS = v1alpha1.TLSSpec{Mode: v1alpha1.TLSRequired, MinVersion: "1.2", DataSessions: v1alpha1.DataSessionsAuto, UploadEnd: v1alpha1.UploadEndAuto}
	s.Spec.Passive = v1alpha1.PassiveSpec{PortsPerReplica: 2, FirstPort: 30000, UnverifiedData: v1alpha1.UnverifiedDataRefuse}
	s.Spec.Service = v1alpha1.ServiceSpec{
		Type: v1alpha1.ServiceClusterIP, Port: 21,
		ExternalTrafficPolicy: v1alpha1.ExternalTrafficLocal, SessionAffinity: v1alpha1.SessionAffinityNone,
	}
	s.Spec.Storage.Volume = &v1alpha1.VolumeSpec{Size: ptr.To(resource.MustParse("1Gi")), DeletionPolicy: v1alpha1.DeletionRetain}
	s.Spec.Files = v1alpha1.FilesSpec{Uploads: v1alpha1.UploadsAtomic, Overwrite: v1alpha1.OverwriteAllow, Hidden: v1alpha1.HiddenShow}
	s.Spec.Limits.FailedLogins.Mode = v1alpha1.FailedLoginsLockout
	s.Spec.Logging.Level = v1alpha1.LogInfo
	s.Spec.Pod = v1alpha1.PodSpec{RunAsUser: 65532, FSGroup: 65532}
	s.Spec.Pod.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m")}
	in := render.Input{
		Server:            s,
		Slots:             1,
		Deployments:       []render.SlotDeployment{{Slot: 0, Replicas: 1}},
		Image:             "example.com/ftpserver:1",
		PassiveAddresses:  []config.PassiveAddress{{Address: "10.96.0.7"}},
		TLS:               pki.KeyPair{Cert: []byte("tls cert"), Key: []byte("tls key")},
		Status:            pki.KeyPair{Cert: []byte("status cert"), Key: []byte("status key")},
		StatusToken:       "token",
		OperatorNamespace: "ftp-operator-system",
		FrontImage:        "example.com/ftp-front:1",
		ClusterDomain:     "cluster.local",
		CABundle:          []byte("authority"),
		Users: []config.User{
			{Name: "zoe", UID: "2", PasswordHash: "$argon2id$zoe", Role: "ReadOnly", Login: "Enabled"},
			{Name: "alice", UID: "1", PasswordHash: "$argon2id$alice", Home: "/a", Role: "Admin", Login: "Suspended"},
		},
	}
	for _, f := range change {
		f(&in)
	}
	return in
}

func tuned(in *render.Input) {
	s := &in.Server.Spec
	s.TLS = v1alpha1.TLSSpec{Mode: v1alpha1.TLSDisabled, MinVersion: "1.3"}
	s.Service = v1alpha1.ServiceSpec{
		Type: v1alpha1.ServiceLoadBalancer, Port: 2121,
		Annotations:                   map[string]string{"example.com/scheme": "public"},
		Labels:                        map[string]v1alpha1.LabelValue{"team": "shop"},
		LoadBalancerClass:             ptr.To("example.com/lb"),
		LoadBalancerSourceRanges:      []string{"203.0.113.0/24"},
		AllocateLoadBalancerNodePorts: ptr.To(false),
		ExternalTrafficPolicy:         v1alpha1.ExternalTrafficLocal,
		ProxyProtocol: &v1alpha1.ProxyProtocolSpec{Trusted: []v1alpha1.ProxySource{
			{CIDR: "10.0.0.0/16"}, {CIDR: "10.0.9.0/24", Mode: v1alpha1.ProxyProtocolOptional},
		}},
	}
	s.Storage.Volume = &v1alpha1.VolumeSpec{ExistingClaimRef: &v1alpha1.LocalReference{Name: "theirs"}}
	s.Limits = v1alpha1.LimitsSpec{SessionsPerReplica: 9, SessionsPerAddress: 3, IdleTimeout: &metav1.Duration{Duration: time.Minute},
		FailedLogins: v1alpha1.FailedLoginsSpec{Mode: v1alpha1.FailedLoginsLockout, LockoutAfter: 20, LockoutFor: &metav1.Duration{Duration: time.Hour}}}
	s.Files = v1alpha1.FilesSpec{Uploads: v1alpha1.UploadsDirect, Overwrite: v1alpha1.OverwriteAllow, Umask: "027", Hidden: v1alpha1.HiddenHide}
	s.NetworkPolicy.Mode = v1alpha1.NetworkPolicyNone
	s.Pod = v1alpha1.PodSpec{
		Image: "example.com/own:2", ImagePullSecrets: []v1alpha1.LocalReference{{Name: "pull"}},
		NodeSelector:      map[string]v1alpha1.LabelValue{"disk": "fast"},
		Tolerations:       []corev1.Toleration{{Key: "storage", Operator: corev1.TolerationOpExists}},
		Affinity:          &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{}},
		PriorityClassName: "high", Annotations: map[string]string{"note": "x"},
		Labels:                 map[string]v1alpha1.LabelValue{"team": "shop"},
		TerminationGracePeriod: &metav1.Duration{Duration: 90 * time.Second},
		RunAsUser:              1000, FSGroup: 2000, SupplementalGroups: []int64{3000},
	}
	in.AddressPending, in.PassiveAddresses = true, nil
}

// guarded uses all that narrows logins and what reaches the pods.
func guarded(in *render.Input) {
	s := &in.Server.Spec
	s.Anonymous = &v1alpha1.AnonymousSpec{Home: "/pub", Role: "ReadOnly", Quota: v1alpha1.QuotaSpec{Bytes: ptr.To(resource.MustParse("1Gi"))},
		Limits: v1alpha1.RatesSpec{DownloadRatePerSession: ptr.To(resource.MustParse("1Mi"))}}
	s.Limits.DownloadRatePerSession, s.Limits.UploadRatePerSession = ptr.To(resource.MustParse("10Mi")), ptr.To(resource.MustParse("5M"))
	s.Limits.FailedLogins.Mode = v1alpha1.FailedLoginsNone
	s.NetworkPolicy = v1alpha1.NetworkPolicySpec{Mode: v1alpha1.NetworkPolicyManaged, FTPFrom: []v1alpha1.NetworkPeer{
		{IPBlock: &v1alpha1.IPBlock{CIDR: "198.51.100.0/24"}},
	}, MetricsFrom: []v1alpha1.NetworkPeer{
		{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "monitoring"}}},
	}}
	in.PassiveAddresses = []config.PassiveAddress{{Address: "lb.example.com"}}
	in.Users = []config.User{
		{Name: "alice", UID: "1", PasswordHash: "$argon2id$alice", Role: "ReadWrite", Login: "Enabled", MaxSessions: 2, Quota: config.Quota{Bytes: 1 << 30, Files: 100}, Rates: config.Rates{DownloadRatePerSession: 1 << 20},
			Paths: []config.PathRule{{Path: "/in", Role: "WriteOnly"}}, AllowedCIDRs: []string{"10.0.0.0/8"}, ExpiresAt: time.Unix(1893456000, 0).UTC()},
		{Name: "bob", UID: "2", PasswordHash: "$6$bob", Role: "ReadWrite", Login: "Enabled"},
	}
}

// strict denies to everybody what a role alone would let them do.
func strict(in *render.Input) {
	in.Server.Spec.Files.Overwrite = v1alpha1.OverwriteDeny
	in.Server.Spec.Files.Names = v1alpha1.NamesSpec{Allowed: []string{"*.pdf"}, Denied: []string{".*"}}
	in.Server.Spec.TLS = v1alpha1.TLSSpec{
		Mode: v1alpha1.TLSOptional, MinVersion: "1.3",
		DataProtection: v1alpha1.DataProtectionRequired, DataSessions: v1alpha1.DataSessionsRequired, UploadEnd: v1alpha1.UploadEndStrict,
		Implicit: &v1alpha1.ImplicitTLSSpec{Port: 990},
	}
}

func nodePort(in *render.Input) {
	in.Server.Spec.Service.Type = v1alpha1.ServiceNodePort
	in.Server.Spec.Passive.PortsPerReplica = 3
	in.Service = &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{
		{Name: "ftp", Port: 21, NodePort: 31021}, {Name: "s0p0", Port: 30001, NodePort: 30001}, {Name: "s0p1", Port: 30000, NodePort: 30000},
	}}}
}

// several replicas, with ports for one more, on node ports that the spec gives.
func several(in *render.Input) {
	s := &in.Server.Spec
	s.Replicas, s.Passive.Slots, s.Passive.FirstNodePort = ptr.To[int32](3), ptr.To[int32](4), ptr.To[int32](31000)
	s.Service.Type, s.Service.NodePort, s.Service.ExternalTrafficPolicy = v1alpha1.ServiceNodePort, ptr.To[int32](30021), v1alpha1.ExternalTrafficCluster
	s.TLS.Implicit = &v1alpha1.ImplicitTLSSpec{Port: 990, NodePort: ptr.To[int32](30990)}
	s.Storage.Volume.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
	in.SharedVolume, in.Slots = true, 4
	in.Deployments = running(3)
}

func given(in *render.Input) {
	for _, name := range []string{"web", "partners"} {
		in.Server.Spec.TLS.Certificates = append(in.Server.Spec.TLS.Certificates,
			v1alpha1.TLSCertificate{Name: name, SecretRef: v1alpha1.LocalReference{Name: name + "-tls"}})
		in.Certificates = append(in.Certificates,
			render.Certificate{Name: name, Pair: pki.KeyPair{Cert: []byte(name + " cert"), Key: []byte(name + " key")}})
	}
}

func TestGolden(t *testing.T) {
	for name, change := range map[string]func(*render.Input){
		"default":  func(*render.Input) {},
		"tuned":    tuned,
		"nodeport": nodePort,
		"guarded":  guarded,
		"given":    given,
		"strict":   strict,
		"several":  several,
		"front":    fronted,
		"balanced": balanced,
		"stopped": func(in *render.Input) {
			in.Server.Spec.Replicas = ptr.To[int32](0)
			in.Deployments[0].Replicas = 0
			in.Server.Spec.Storage.Volume.DeletionPolicy = v1alpha1.DeletionDelete
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := render.Objects(input(change))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, filepath.Join("testdata", name+".yaml"), document(t, out))
		})
	}
}

// document is all objects as a person reads them: Secrets in clear, the many
// ports of the container cut short.
func document(t *testing.T, out render.Output) []byte {
	t.Helper()
	var doc bytes.Buffer
	for _, o := range out.Objects {
		switch o := o.(type) {
		case *corev1.Secret:
			o.StringData = map[string]string{}
			for k, v := range o.Data {
				o.StringData[k] = string(v)
			}
			o.Data = nil
		case *appsv1.Deployment:
			c := &o.Spec.Template.Spec.Containers[0]
			if c.Name == render.FrontContainerName {
				break
			}
			if n := len(c.Ports); n != 3+64 {
				t.Errorf("the container has %d ports", n)
			}
			c.Ports = append(c.Ports[:5:5], c.Ports[len(c.Ports)-1])
		}
		data, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		doc.WriteString("---\n")
		doc.Write(data)
	}
	return doc.Bytes()
}

func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; see what -update changes. Got:\n%s", file, got)
	}
}

// A pod must not be replaced for what the running server loads by itself.
func TestPodTemplateDependsOnPodSettingsOnly(t *testing.T) {
	template := func(change ...func(*render.Input)) corev1.PodTemplateSpec {
		out, err := render.Objects(input(change...))
		if err != nil {
			t.Fatal(err)
		}
		return out.Objects[len(out.Objects)-1].(*appsv1.Deployment).Spec.Template
	}
	same := template(func(in *render.Input) {
		s := &in.Server.Spec
		s.TLS = v1alpha1.TLSSpec{Mode: v1alpha1.TLSDisabled, MinVersion: "1.3"}
		s.Passive = v1alpha1.PassiveSpec{PortsPerReplica: 64, FirstPort: 1024, Addresses: []v1alpha1.PassiveAddress{{Address: "192.0.2.1"}}}
		s.Service = v1alpha1.ServiceSpec{Type: v1alpha1.ServiceLoadBalancer, Port: 2100}
		s.Limits = v1alpha1.LimitsSpec{SessionsPerReplica: 1, FailedLogins: v1alpha1.FailedLoginsSpec{Mode: v1alpha1.FailedLoginsNone}}
		s.Files = v1alpha1.FilesSpec{Uploads: v1alpha1.UploadsDirect, Umask: "077"}
		s.Anonymous = &v1alpha1.AnonymousSpec{Home: "/pub", Role: "ReadOnly"}
		s.NetworkPolicy.Mode = v1alpha1.NetworkPolicyNone
		s.Logging.Level = v1alpha1.LogDebug
		s.Replicas = ptr.To[int32](0)
		in.Users, in.StatusToken, in.CABundle = nil, "other", []byte("other")
		in.TLS, in.Status = pki.KeyPair{Cert: []byte("x"), Key: []byte("x")}, pki.KeyPair{Cert: []byte("x"), Key: []byte("x")}
		nodePort(in)
		given(in)
		s.TLS.Mode, s.TLS.Implicit = v1alpha1.TLSRequired, &v1alpha1.ImplicitTLSSpec{Port: 990}
	})
	if !equality.Semantic.DeepEqual(template(), same) {
		t.Error("content changed the pod template")
	}
	other := template(func(in *render.Input) { in.Server.Spec.Pod.RunAsUser = 7 })
	if equality.Semantic.DeepEqual(template(), other) {
		t.Error("a pod setting did not change the pod template")
	}
}

func TestRenderingIsPure(t *testing.T) {
	a, errA := render.Objects(input())
	b, errB := render.Objects(input(func(in *render.Input) { slices.Reverse(in.Users) }))
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if !equality.Semantic.DeepEqual(a, b) {
		t.Error("the same users in another order give other objects")
	}
}

// What a server would refuse is never written.
func TestRefusedConfigurationIsAnError(t *testing.T) {
	_, err := render.Objects(input(func(in *render.Input) {
		in.PassiveAddresses = []config.PassiveAddress{{Address: "2001:db8::1"}}
	}))
	if err == nil {
		t.Error("an address that PASV cannot tell was rendered")
	}
}

func TestFilesAreWhatAPodIsToLoad(t *testing.T) {
	out, err := render.Objects(input())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(out.Files); n != 1+config.UserShards+1 {
		t.Errorf("%d files: %v", n, out.Files)
	}
	if got := out.Files["/etc/ftpserver/tls/tls.crt"]; got != (config.Expected{Hash: config.Hash([]byte("tls cert"))}) {
		t.Errorf("the certificate's hash is %v", got)
	}
	if _, ok := out.Files[render.UsersFile("alice")]; !ok {
		t.Errorf("there is no %s in %v", render.UsersFile("alice"), out.Files)
	}
	if out, err = render.Objects(input(given)); err != nil {
		t.Fatal(err)
	}
	if got := out.Files["/etc/ftpserver/tls/partners.crt"]; got != (config.Expected{Hash: config.Hash([]byte("partners cert"))}) {
		t.Errorf("the given certificate's hash is %v", got)
	}
	out, err = render.Objects(input(tuned))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := out.Files["/etc/ftpserver/tls/tls.crt"]; ok {
		t.Error("a server without TLS is to load a certificate")
	}
}

func TestCertificateNames(t *testing.T) {
	in := input(func(in *render.Input) {
		in.Server.Spec.Passive.Addresses = []v1alpha1.PassiveAddress{{Address: "FTP.example.com"}, {Address: "ftp.example.com"}, {Address: "10.96.0.7"}}
	})
	got := render.CertificateNames(in.Server, "cluster.local",
		[]v1alpha1.ServerAddress{{Type: v1alpha1.AddressIP, Value: "203.0.113.9"}, {Type: v1alpha1.AddressIP, Value: "2001:DB8:0:0::1"}}, []string{"10.96.0.7"})
	want := []string{"10.96.0.7", "2001:db8::1", "203.0.113.9", "files", "files.shop", "files.shop.svc", "files.shop.svc.cluster.local", "ftp.example.com"}
	if !slices.Equal(got, want) {
		t.Errorf("names are %v, want %v", got, want)
	}
}

func numbers(ports []render.PassivePort) []int32 {
	var out []int32
	for _, p := range ports {
		out = append(out, p.Number)
	}
	return out
}

// A port that is new while others are moved to their node ports must not get the
// number that one of those leaves: it would inherit its node port.
func TestNewPassivePortKeepsOffOldNumbers(t *testing.T) {
	s := input(func(in *render.Input) {
		in.Server.Spec.Service = v1alpha1.ServiceSpec{Type: v1alpha1.ServiceNodePort, Port: 21}
		in.Server.Spec.Passive = v1alpha1.PassiveSpec{FirstPort: 30000, PortsPerReplica: 4}
	}).Server
	live := &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{
		{Name: "ftp", Port: 21, NodePort: 31111},
		{Name: "s0p0", Port: 30000, NodePort: 32728},
		{Name: "s0p1", Port: 30001, NodePort: 30003},
	}}}
	if got, want := numbers(render.PassivePorts(s, live, 1)), []int32{32728, 30003, 30002, 30004}; !slices.Equal(got, want) {
		t.Errorf("the ports are %v, want %v", got, want)
	}
}

// With node ports, that for implicit TLS is Kubernetes' to choose, and no passive
// port takes the number that it has on the Service.
func TestImplicitPort(t *testing.T) {
	in := input(nodePort)
	in.Server.Spec.Passive.FirstPort = 2000
	in.Server.Spec.TLS.Implicit = &v1alpha1.ImplicitTLSSpec{Port: 2000}
	if got := render.ImplicitPort(in.Service); got != 0 {
		t.Errorf("none is allocated, and it is %d", got)
	}
	if got, want := numbers(render.PassivePorts(in.Server, in.Service, 1)), []int32{30001, 30000, 2001}; !slices.Equal(got, want) {
		t.Errorf("passive ports are %v, want %v", got, want)
	}
	in.Service.Spec.Ports = append(in.Service.Spec.Ports, corev1.ServicePort{Name: "ftps", Port: 2000, NodePort: 31990})
	if got := render.ImplicitPort(in.Service); got != 31990 {
		t.Errorf("the node port is 31990, and it is %d", got)
	}
	in.Service.Spec.Type = corev1.ServiceTypeLoadBalancer
	if got := render.ImplicitPort(in.Service); got != 2000 {
		t.Errorf("the port is 2000, and it is %d", got)
	}
	if got := render.ImplicitPort(nil); got != 0 {
		t.Errorf("there is no Service, and it is %d", got)
	}
}
