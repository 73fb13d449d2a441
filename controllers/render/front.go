package render

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// Names of the front's ports, on Service and container. Only the front declares
// them, so that a port of the Service that targets one leads to the front alone.
const (
	FrontPortName         = "front"
	FrontImplicitPortName = "front-ftps"
)

// AnnotationFrontConfig holds the configuration of a pod of the front, which is
// mounted from there: a pod and its configuration cannot differ, and going back
// to an earlier template brings the earlier configuration back.
const AnnotationFrontConfig = "ftp-operator.io/haproxy.cfg"

// AnnotationFrontHeader is on the pods of the front that send a PROXY header.
const AnnotationFrontHeader = "ftp-operator.io/proxy-header"

const (
	frontHeaderV2    = "v2"
	frontConfigDir   = "/etc/haproxy"
	frontConfigFile  = "haproxy.cfg"
	volumeFront      = "config"
	frontUser        = 65532
	maxFrontTakeLeft = 5 * time.Second
)

// FrontContainerName is the name of the front's container.
const FrontContainerName = "haproxy"

// HasFront tells that the spec asks for a front.
func HasFront(s *v1alpha1.FTPServer) bool { return s.Spec.Front != nil }

// FrontReplicas is how many pods the front is to have. It has nothing to do
// where no replica runs.
func FrontReplicas(s *v1alpha1.FTPServer) int32 {
	if !HasFront(s) || Replicas(s) == 0 {
		return 0
	}
	return ptr.Deref(s.Spec.Front.Replicas, 2)
}

// frontObjects are those of the front, or none. What lets its pods reach the slots
// stays until the last of them has ended.
func frontObjects(in Input) ([]Object, error) {
	var out []Object
	if p := frontNetworkPolicy(in); p != nil {
		out = append(out, p)
	}
	if !HasFront(in.Server) {
		return out, nil
	}
	config, err := haproxyConfig(in)
	if err != nil {
		return nil, err
	}
	if b := frontDisruptionBudget(in.Server); b != nil {
		out = append(out, b)
	}
	return append(out, frontDeployment(in, config)), nil
}

// frontDeployment runs the front. A new pod is there before an old one goes: only
// one that reaches a slot is ready.
func frontDeployment(in Input, config string) *appsv1.Deployment {
	s := in.Server
	labels := childLabels(s.Name)
	labels[LabelFront] = frontLabelValue
	annotations := map[string]string{AnnotationFrontConfig: config}
	if frontSendsHeader(s) {
		annotations[AnnotationFrontHeader] = frontHeaderV2
	}
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: child(s, FrontName(s.Name)),
		Spec: appsv1.DeploymentSpec{
			Replicas:                ptr.To(FrontReplicas(s)),
			RevisionHistoryLimit:    ptr.To[int32](2),
			ProgressDeadlineSeconds: ptr.To(int32(startAllowance.Seconds())),
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{
					MaxUnavailable: ptr.To(intstr.FromInt32(0)),
					MaxSurge:       ptr.To(intstr.FromInt32(1)),
				},
			},
			Selector: &metav1.LabelSelector{MatchLabels: FrontSelector(s.Name)},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations},
				Spec:       frontPodSpec(in),
			},
		},
	}
}

// frontPodSpec meets the restricted Pod Security profile. It is scheduled as the
// server's pods are, but for what is about their volume and themselves.
func frontPodSpec(in Input) corev1.PodSpec {
	s := in.Server
	p := s.Spec.Pod
	return corev1.PodSpec{
		ServiceAccountName:            ServiceAccountName(s.Name),
		AutomountServiceAccountToken:  ptr.To(false),
		EnableServiceLinks:            ptr.To(false),
		TerminationGracePeriodSeconds: ptr.To(int64(gracePeriod(s).Seconds())),
		ImagePullSecrets:              pullSecrets(p.ImagePullSecrets),
		NodeSelector:                  nodeSelector(p.NodeSelector),
		Tolerations:                   p.Tolerations,
		PriorityClassName:             p.PriorityClassName,
		Affinity:                      apart(&metav1.LabelSelector{MatchLabels: FrontSelector(s.Name)}),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   ptr.To(true),
			RunAsUser:      ptr.To[int64](frontUser),
			RunAsGroup:     ptr.To[int64](frontUser),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{frontContainer(in)},
		Volumes: []corev1.Volume{{Name: volumeFront, VolumeSource: corev1.VolumeSource{
			DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{{
				Path:     frontConfigFile,
				FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.annotations['" + AnnotationFrontConfig + "']"},
			}}},
		}}},
	}
}

// apart has the pods run on different nodes and in different zones where that can
// be. Unlike constraints of a spread, these preferences count also where nodes have
// no zone: a node without one of the labels takes no part in a spread.
// https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
func apart(pods *metav1.LabelSelector) *corev1.Affinity {
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{
			awayFrom(pods, corev1.LabelHostname, 100), awayFrom(pods, corev1.LabelTopologyZone, 50),
		},
	}}
}

// frontContainer listens on the numbers that the slots do, as a port of the
// Service that targets a number leads to all pods.
func frontContainer(in Input) corev1.Container {
	f := in.Server.Spec.Front
	image := f.Image
	if image == "" {
		image = in.FrontImage
	}
	var before *corev1.Lifecycle
	if s := int64(frontTakeLeft(in.Server).Seconds()); s > 0 {
		before = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: s}}}
	}
	// HAProxy takes a slot for up that it has not checked yet, for up to a second.
	ready := probe("/readyz", 1, 3)
	ready.SuccessThreshold = 3
	live := probe("/healthz", 10, 6)
	live.TerminationGracePeriodSeconds = stuckGraceOf(in.Server)
	return corev1.Container{
		Name:    FrontContainerName,
		Image:   image,
		Command: []string{"haproxy", "-db", "-f", frontConfigDir + "/" + frontConfigFile},
		// By these, HAProxy tells whether it has addresses of both families.
		Env: []corev1.EnvVar{envOf("POD_IP", "status.podIP"), envOf("POD_IPS", "status.podIPs")},
		Ports: []corev1.ContainerPort{
			containerPort(FrontPortName, controlListen),
			containerPort(FrontImplicitPortName, implicitListen),
			containerPort("admin", adminListen),
		},
		Resources:       corev1.ResourceRequirements{Requests: f.Resources.Requests, Limits: f.Resources.Limits},
		SecurityContext: restricted(),
		StartupProbe:    probe("/healthz", 1, 60),
		ReadinessProbe:  ready,
		LivenessProbe:   live,
		Lifecycle:       before,
		VolumeMounts:    []corev1.VolumeMount{{Name: volumeFront, MountPath: frontConfigDir, ReadOnly: true}},
	}
}

func envOf(name, field string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: field},
	}}
}

// frontTakeLeft is for how long a pod that is to end goes on taking connections,
// until no node sends any: it stops listening at once when it is told to stop.
func frontTakeLeft(s *v1alpha1.FTPServer) time.Duration {
	return min(maxFrontTakeLeft, (gracePeriod(s) / 2).Truncate(time.Second))
}

// frontHardStop is how long after it was told to stop a pod ends the sessions that
// are left: a second before it would be killed, or half of a time that is shorter.
func frontHardStop(s *v1alpha1.FTPServer) time.Duration {
	left := gracePeriod(s) - frontTakeLeft(s)
	return left - min(time.Second, left/2)
}

// frontDisruptionBudget has node drains take one pod at a time, or is nil where
// there are not several.
func frontDisruptionBudget(s *v1alpha1.FTPServer) *policyv1.PodDisruptionBudget {
	return budget(s, FrontName(s.Name), &metav1.LabelSelector{MatchLabels: FrontSelector(s.Name)}, int(FrontReplicas(s)))
}

// FrontTells tells that a pod of the front sends a PROXY header.
func FrontTells(pod *corev1.Pod) bool { return pod.Annotations[AnnotationFrontHeader] == frontHeaderV2 }

// toFront has the control ports lead to the front, where it serves.
func toFront(ports []corev1.ServicePort, serves bool) []corev1.ServicePort {
	for i := range ports {
		switch {
		case !serves:
		case ports[i].Name == ControlPortName:
			ports[i].TargetPort = intstr.FromString(FrontPortName)
		case ports[i].Name == ImplicitPortName:
			ports[i].TargetPort = intstr.FromString(FrontImplicitPortName)
		}
	}
	return ports
}

// LeadsToFront tells that the control port of a live Service does.
func LeadsToFront(live *corev1.Service) bool {
	return live != nil && slices.ContainsFunc(live.Spec.Ports, func(p corev1.ServicePort) bool {
		return p.TargetPort.StrVal == FrontPortName
	})
}
