package render

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// ContainerName is the name of the server's container.
const ContainerName = "ftpserver"

// Names of the volumes.
const (
	volumeConfig = "config"
	volumeUsers  = "users"
	volumeTLS    = "tls"
	volumeData   = "data"
)

// secretMode lets the server read its secrets by its group, and nobody else.
const secretMode = 0o440

// podSpec meets the restricted Pod Security profile. Service links are off, as
// a Service with many ports would fill the environment with variables.
func podSpec(in Input, slot int) corev1.PodSpec {
	p := in.Server.Spec.Pod
	return corev1.PodSpec{
		// A name in DNS by which the front finds the pod, wherever it runs.
		Hostname:                      DeploymentName(in.Server.Name, slot),
		Subdomain:                     SlotsServiceName(in.Server.Name),
		ServiceAccountName:            ServiceAccountName(in.Server.Name),
		AutomountServiceAccountToken:  ptr.To(false),
		EnableServiceLinks:            ptr.To(false),
		TerminationGracePeriodSeconds: ptr.To(int64(gracePeriod(in.Server).Seconds())),
		ImagePullSecrets:              pullSecrets(p.ImagePullSecrets),
		NodeSelector:                  nodeSelector(p.NodeSelector),
		Tolerations:                   tolerations(in),
		Affinity:                      affinity(in.Server),
		TopologySpreadConstraints:     spread(in.Server),
		PriorityClassName:             p.PriorityClassName,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:        ptr.To(true),
			RunAsUser:           ptr.To(p.RunAsUser),
			RunAsGroup:          ptr.To(p.FSGroup),
			FSGroup:             ptr.To(p.FSGroup),
			FSGroupChangePolicy: ptr.To(corev1.FSGroupChangeOnRootMismatch),
			SupplementalGroups:  p.SupplementalGroups,
			SeccompProfile:      &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{container(in, slot)},
		Volumes:    volumes(in.Server),
	}
}

// restricted is what the restricted Pod Security profile asks of a container.
func restricted() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false),
		ReadOnlyRootFilesystem:   ptr.To(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

func container(in Input, slot int) corev1.Container {
	p := in.Server.Spec.Pod
	image := p.Image
	if image == "" {
		image = in.Image
	}
	return corev1.Container{
		Name:  ContainerName,
		Image: image,
		Args:  []string{"serve", "--config", configDir, "--slot", strconv.Itoa(slot)},
		Ports: containerPorts(slot),
		Resources: corev1.ResourceRequirements{
			Requests: p.Resources.Requests,
			Limits:   p.Resources.Limits,
		},
		SecurityContext: restricted(),
		StartupProbe:    probe("/healthz", 1, 300),
		ReadinessProbe:  probe("/readyz", 2, 3),
		LivenessProbe:   liveness(in.Server),
		VolumeMounts: []corev1.VolumeMount{
			{Name: volumeConfig, MountPath: configDir, ReadOnly: true},
			{Name: volumeUsers, MountPath: usersDir, ReadOnly: true},
			{Name: volumeTLS, MountPath: tlsDir, ReadOnly: true},
			{Name: volumeData, MountPath: dataDir},
		},
	}
}

// containerPorts always declares all the passive ports there can be: widening
// the range then touches no pod. Their names carry the slot. That for implicit
// TLS is reached by its number: to declare it would replace the pods that were
// made before it was known.
func containerPorts(slot int) []corev1.ContainerPort {
	out := []corev1.ContainerPort{
		containerPort(ControlPortName, controlListen),
		containerPort("admin", adminListen),
		containerPort("status", StatusPort),
	}
	for i := range int32(maxPassivePorts) {
		out = append(out, containerPort(PassivePortName(slot, int(i)), passiveListen+i))
	}
	return out
}

func containerPort(name string, number int32) corev1.ContainerPort {
	return corev1.ContainerPort{Name: name, ContainerPort: number, Protocol: corev1.ProtocolTCP}
}

// probe asks the admin port. The startup probe gives a large volume time, and
// asks often, so that a server is found ready as soon as it is.
func probe(path string, period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{
			HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("admin")},
		},
		PeriodSeconds:    period,
		TimeoutSeconds:   5,
		FailureThreshold: failures,
	}
}

// stuckGrace is how long a process that is hung or stuck has to end, in seconds: one that
// can still hear of it drains for 25 seconds (config.DefaultDrainTimeout), and new clients
// wait for none that can't.
const stuckGrace = 30

// liveness tells what hangs from what is busy. A process that has but a twentieth of a
// processor and thousands of clients may take seconds to answer, so it has ten, and six
// tries: none of them in a minute is answered by one that hangs. That a loop which takes
// connections is stuck, /healthz finds out itself.
func liveness(s *v1alpha1.FTPServer) *corev1.Probe {
	p := probe("/healthz", 10, 6)
	p.TimeoutSeconds = 10
	p.TerminationGracePeriodSeconds = stuckGraceOf(s)
	return p
}

// stuckGraceOf is stuckGrace, or the pod's own time where that is shorter.
func stuckGraceOf(s *v1alpha1.FTPServer) *int64 {
	return ptr.To(min(int64(gracePeriod(s).Seconds()), stuckGrace))
}

func volumes(s *v1alpha1.FTPServer) []corev1.Volume {
	return []corev1.Volume{
		secretVolume(volumeConfig, ConfigSecretName(s.Name)),
		usersVolume(s.Name),
		secretVolume(volumeTLS, TLSSecretName(s.Name)),
		{Name: volumeData, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: MountedClaim(s)},
		}},
	}
}

func secretVolume(name, secret string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: secret, DefaultMode: ptr.To[int32](secretMode)},
	}}
}

// usersVolume names every shard from the start, so that no number of users ever
// changes the pod. Optional: a lost one must not keep a pod from starting.
func usersVolume(server string) corev1.Volume {
	sources := make([]corev1.VolumeProjection, config.UserShards)
	for i := range sources {
		sources[i].Secret = &corev1.SecretProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: UsersSecretName(server, i)},
			Optional:             ptr.To(true),
		}
	}
	return corev1.Volume{Name: volumeUsers, VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{Sources: sources, DefaultMode: ptr.To[int32](secretMode)},
	}}
}

func pullSecrets(refs []v1alpha1.LocalReference) []corev1.LocalObjectReference {
	var out []corev1.LocalObjectReference
	for _, r := range refs {
		out = append(out, corev1.LocalObjectReference{Name: r.Name})
	}
	return out
}

func nodeSelector(m map[string]v1alpha1.LabelValue) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return merged(m, nil)
}
