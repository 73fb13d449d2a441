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
	controlListen = 2121
	passiveListen = 50000
	adminListen   = 8080
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
	spec := in.Server.Spec
	return &config.Config{
		Listen:    listen(controlListen),
		Passive:   passive(in),
		TLS:       tls(in),
		Storage:   config.Storage{Root: dataDir},
		UsersDir:  usersDir,
		Anonymous: anonymous(spec.Anonymous),
		Limits:    limits(in.Server),
		Admin: config.Admin{
			Listen: listen(adminListen),
			Status: config.StatusEndpoint{
				Listen:    listen(StatusPort),
				CertFile:  KeyStatusCert,
				KeyFile:   KeyStatusKey,
				TokenFile: KeyStatusToken,
			},
		},
		Log: config.Log{Level: string(spec.Logging.Level)},
	}
}

func anonymous(spec *v1alpha1.AnonymousSpec) *config.Anonymous {
	if spec == nil {
		return nil
	}
	return &config.Anonymous{
		Home: spec.Home, Role: config.Role(spec.Role),
		Quota: config.Quota{Bytes: spec.Quota.InBytes(), Files: spec.Quota.Files},
	}
}

func listen(port int) string { return fmt.Sprintf(":%d", port) }

func passive(in Input) config.Passive {
	p := config.Passive{Addresses: in.PassiveAddresses, AddressPending: in.AddressPending}
	for i, number := range PassivePorts(in.Server, in.Service) {
		p.Ports = append(p.Ports, config.PassivePort{Slot: 0, Listen: passiveListen + i, Announce: int(number)})
	}
	return p
}

func tls(in Input) config.TLS {
	spec := in.Server.Spec.TLS
	t := config.TLS{Mode: config.TLSMode(spec.Mode), MinVersion: spec.MinVersion}
	if spec.Mode != v1alpha1.TLSDisabled {
		t.Certificates = certificateFiles(in)
	}
	return t
}

// usersSecrets are the Secrets with the users, one for each shard, also where
// it has none: so their number never changes.
func usersSecrets(in Input) ([]*corev1.Secret, error) {
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
		previous, err := config.Encode(config.UsersFile{Users: config.PreviousUsers(f.Users)})
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
