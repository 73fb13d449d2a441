package policy

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// told joins what somebody says, behind an introduction; nothing is nothing.
func told(introduction string, said []string) string {
	if len(said) == 0 {
		return ""
	}
	return introduction + strings.Join(said, "; ")
}

// unserved are the ports that the load balancer's status has an error for.
func unserved(svc *corev1.Service) (said []string) {
	for _, entry := range svc.Status.LoadBalancer.Ingress {
		for _, p := range entry.Ports {
			if p.Error != nil && *p.Error != "" {
				said = append(said, fmt.Sprintf("port %d: %s", p.Port, *p.Error))
			}
		}
	}
	return said
}

// badIfTrue is what the type of a condition has in it that is not to be True.
// That of all others is not to be False, by the habits of the API.
var badIfTrue = regexp.MustCompile(`(?i)error|fail|problem|conflict|degraded|stalled|denied|rejected|exhausted`)

// complaints are the conditions of a Service that say that something is wrong.
// Kubernetes itself knows LoadBalancerPortsError; load balancers' controllers
// have their own, such as cilium.io/IPAMRequestSatisfied, which is False for who
// asks for an address that another Service has.
func complaints(svc *corev1.Service) (said []string) {
	for _, c := range svc.Status.Conditions {
		bad := metav1.ConditionFalse
		if badIfTrue.MatchString(c.Type) {
			bad = metav1.ConditionTrue
		}
		if c.Status != bad {
			continue
		}
		text := fmt.Sprintf("%s is %s: %s", c.Type, c.Status, c.Reason)
		if c.Message != "" {
			text += " (" + c.Message + ")"
		}
		said = append(said, text)
	}
	return said
}
