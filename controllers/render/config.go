package render

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Where the files lie in the pod.
const (
	configDir   = "/etc/ftpserver/config"
	usersDir    = "/etc/ftpserver/users"
	tlsDir      = "/etc/ftpserver/tls"
	tlsCertFile = tlsDir + "/" + corev1.TLSCertKey
	tlsKeyFile  = tlsDir + "/" + corev1.TLSPrivateKeyKey
	dataDir     = "/srv/ftp"
)

// The ports that the process listens on. They never change, so that no change
// of the public ones replaces a pod.
const (
	controlListen  = 2121
	implicitListen = 2990
	passiveListen  = 50000
	adminListen    = 8080
	// StatusPort is where a pod answers with its status.
	StatusPort = 8443

	// maxPassivePorts is the most that spec.passive.portsPerReplica can be. The
	// pod declares as many from the start.
	maxPassivePorts = 64
)

// configuration is the Secret with the server's configuration, in both versions
// of the contract. The error says which value the server would refuse.
func configuration(in Input) (*corev1.Secret, error) {
	c := serverConfig(in)
	data, err := encode(c)
	if err != nil {
		return nil, err
	}
	previous, err := encode(c.Previous())
	if err != nil {
		return nil, err
	}
	return secret(child(in.Server, ConfigSecretName(in.Server.Name)), corev1.SecretTypeOpaque, map[string][]byte{
		config.FileName:         data,
		config.PreviousFileName: previous,
		KeyStatusToken:          []byte(in.StatusToken),
		KeyStatusCert:           in.Status.Cert,
		KeyStatusKey:            in.Status.Key,
	}), nil
}

func encode(c any) ([]byte, error) {
	data, err := config.Encode(c)
	if err != nil {
		return nil, err
	}
	if _, err := config.Decode(data, config.Strict); err != nil {
		return nil, fmt.Errorf("the server would refuse its configuration: %w", err)
	}
	return data, nil
}

func serverConfig(in Input) *config.Config {
	c := settings(in.Server, in.SourcesHidden)
	c.Passive.Addresses, c.Passive.AddressPending = in.PassiveAddresses, in.AddressPending
	for _, port := range AnnouncedPorts(in.Server, in.Service, in.Slots) {
		c.Passive.Ports = append(c.Passive.Ports, config.PassivePort{Slot: port.Slot, Listen: passiveListen + port.Index, Announce: int(port.Number)})
	}
	c.Limits.DrainAtLeast = drainAtLeast(in)
	c.TLS.Certificates = certificateFiles(in)
	c.ProxyProtocol.Trusted = append(c.ProxyProtocol.Trusted, frontSources(in)...)
	return &c
}

// settings are what of the configuration follows from the spec, and from whether
// sources are hidden, alone.
func settings(s *v1alpha1.FTPServer, sourcesHidden bool) config.Config {
	clients := config.ClientAddressesPreserved
	if sourcesHidden {
		clients = config.ClientAddressesHidden
	}
	return config.Config{
		Listen:        listen(controlListen),
		Passive:       config.Passive{ClientAddresses: clients, UnverifiedData: config.UnverifiedData(s.Spec.Passive.UnverifiedData)},
		TLS:           tls(s.Spec.TLS),
		Storage:       storage(s.Spec.Files),
		UsersDir:      usersDir,
		Anonymous:     anonymous(s.Spec.Anonymous),
		Limits:        limits(s),
		ProxyProtocol: proxyProtocol(s.Spec.Service.ProxyProtocol),
		Admin: config.Admin{
			Listen: listen(adminListen),
			Status: config.StatusEndpoint{
				Listen:    listen(StatusPort),
				CertFile:  KeyStatusCert,
				KeyFile:   KeyStatusKey,
				TokenFile: KeyStatusToken,
			},
		},
		Log: config.Log{Level: string(s.Spec.Logging.Level)},
	}
}

// UnknownInPrevious names the settings in use that a server of the previous
// version of the contract does not know, and of these, those that narrow what
// every user may do: where there are any, such a server lets nobody in.
// sourcesHidden is that of Input.
func UnknownInPrevious(s *v1alpha1.FTPServer, sourcesHidden bool) (names, narrow []string) {
	return settings(s, sourcesHidden).UnknownInPrevious()
}

func storage(spec v1alpha1.FilesSpec) config.Storage {
	return config.Storage{
		Root:        dataDir,
		Uploads:     config.Uploads(spec.Uploads),
		Overwrite:   config.Overwrite(spec.Overwrite),
		Umask:       spec.Umask,
		HiddenFiles: config.HiddenFiles(spec.Hidden),
		Names:       config.Names{Allowed: spec.Names.Allowed, Denied: spec.Names.Denied},
	}
}

func anonymous(spec *v1alpha1.AnonymousSpec) *config.Anonymous {
	if spec == nil {
		return nil
	}
	return &config.Anonymous{
		Home: spec.Home, Role: config.Role(spec.Role),
		Quota: config.Quota{Bytes: spec.Quota.InBytes(), Files: spec.Quota.Files},
		Rates: rates(spec.Limits),
	}
}

func listen(port int) string { return fmt.Sprintf(":%d", port) }

func proxyProtocol(spec *v1alpha1.ProxyProtocolSpec) config.ProxyProtocol {
	var p config.ProxyProtocol
	if spec == nil {
		return p
	}
	for _, source := range spec.Trusted {
		p.Trusted = append(p.Trusted, config.ProxySource{CIDR: source.CIDR, Mode: config.ProxyMode(source.Mode)})
	}
	return p
}

func tls(spec v1alpha1.TLSSpec) config.TLS {
	t := config.TLS{
		Mode:           config.TLSMode(spec.Mode),
		MinVersion:     spec.MinVersion,
		DataProtection: config.DataProtection(spec.DataProtection),
		DataSessions:   config.DataSessions(spec.DataSessions),
		UploadEnd:      config.UploadEnd(spec.UploadEnd),
	}
	if spec.Implicit != nil {
		t.Implicit.Listen = listen(implicitListen)
	}
	return t
}

// usersSecrets are the Secrets with the users, one for each shard, also where
// it has none: so their number never changes.
func usersSecrets(in Input) ([]*corev1.Secret, error) {
	_, narrow := UnknownInPrevious(in.Server, in.SourcesHidden)
	shards := make([]config.UsersFile, config.UserShards)
	for i := range shards {
		shards[i].Users = []config.User{}
	}
	for _, u := range in.Users {
		f := &shards[config.Shard(u.Name)]
		f.Users = append(f.Users, u)
	}
	out := make([]*corev1.Secret, config.UserShards)
	for i, f := range shards {
		slices.SortFunc(f.Users, func(a, b config.User) int { return cmp.Compare(a.Name, b.Name) })
		data, err := config.Encode(f)
		if err != nil {
			return nil, err
		}
		previous, err := config.Encode(config.UsersFile{Users: config.PreviousUsers(f.Users, len(narrow) > 0)})
		if err != nil {
			return nil, err
		}
		out[i] = secret(child(in.Server, UsersSecretName(in.Server.Name, i)), corev1.SecretTypeOpaque, map[string][]byte{
			config.UsersFileName(i):         data,
			config.PreviousUsersFileName(i): previous,
		})
	}
	return out, nil
}
