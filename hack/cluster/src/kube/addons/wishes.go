package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// The annotations of a Service by which it asks for another kind of balancer.
// README.md says what each does.
const (
	annotationPrefix    = "local.ftp-operator.io/"
	addressAnnotation   = annotationPrefix + "address"
	addressesAnnotation = annotationPrefix + "addresses"
	hostnameAnnotation  = annotationPrefix + "hostname"
	ipModeAnnotation    = annotationPrefix + "ip-mode"
	headerAnnotation    = annotationPrefix + "proxy-protocol"
)

// wish is what a Service asks of its load balancer.
type wish struct {
	addresses []netip.Addr // these and no others
	count     int          // how many of each family, where none is asked for by name
	hostname  string       // told in the status instead of the addresses
	ipMode    corev1.LoadBalancerIPMode
	header    header // of the PROXY protocol
	sources   []netip.Prefix
}

// proxied says whether connections end at the balancer, which opens others to the
// nodes. The nodes know an address only if the status tells it with the mode VIP;
// in every other case they would not take what is routed to them.
func (w wish) proxied() bool {
	return w.header != noHeader || w.hostname != "" || w.ipMode == corev1.LoadBalancerIPModeProxy
}

// wishOf reads a Service. An error is for its author.
func wishOf(s *corev1.Service) (wish, error) {
	w := wish{count: 1, ipMode: corev1.LoadBalancerIPModeVIP, hostname: s.Annotations[hostnameAnnotation]}
	var err error
	if w.addresses, err = wishedAddresses(s); err != nil {
		return wish{}, err
	}
	if text, is := s.Annotations[addressesAnnotation]; is {
		if w.count, err = strconv.Atoi(text); err != nil || w.count < 1 {
			return wish{}, fmt.Errorf("the annotation %s is %q: give a number from 1 on", addressesAnnotation, text)
		}
	}
	if text, is := s.Annotations[ipModeAnnotation]; is {
		w.ipMode = corev1.LoadBalancerIPMode(text)
		if w.ipMode != corev1.LoadBalancerIPModeVIP && w.ipMode != corev1.LoadBalancerIPModeProxy {
			return wish{}, fmt.Errorf("the annotation %s is %q: give VIP or Proxy", ipModeAnnotation, text)
		}
	}
	w.header = header(s.Annotations[headerAnnotation])
	if !slices.Contains([]header{noHeader, headerV1, headerV2}, w.header) {
		return wish{}, fmt.Errorf("the annotation %s is %q: give v1 or v2", headerAnnotation, w.header)
	}
	for _, text := range s.Spec.LoadBalancerSourceRanges {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return wish{}, fmt.Errorf("loadBalancerSourceRanges: %w", err)
		}
		w.sources = append(w.sources, p.Masked())
	}
	return w, nil
}

// wishedAddresses are the ones that a Service asks for, by the annotation or else
// by the older spec.loadBalancerIP.
func wishedAddresses(s *corev1.Service) ([]netip.Addr, error) {
	text := s.Annotations[addressAnnotation]
	if text == "" {
		text = s.Spec.LoadBalancerIP
	}
	if text == "" {
		return nil, nil
	}
	var found []netip.Addr
	for part := range strings.SplitSeq(text, ",") {
		a, err := netip.ParseAddr(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("the wished address: %w", err)
		}
		if !slices.Contains(s.Spec.IPFamilies, family(a)) {
			return nil, fmt.Errorf("the wished address %s is of no family in ipFamilies", a)
		}
		found = append(found, a)
	}
	return found, nil
}
