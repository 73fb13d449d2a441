package v1alpha1_test

import (
	"context"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// Values of fields that several cases set.
var (
	sharedVolume = set{"spec.storage.volume.accessModes", list("ReadWriteMany")}
	theirClaim   = set{"spec.storage.volume", fields("existingClaimRef", fields("name", "c"))}
	nodePorts    = set{"spec.service", fields("type", "NodePort", "externalTrafficPolicy", "Cluster")}
	balanced     = set{"spec.service", fields("type", "LoadBalancer", "externalTrafficPolicy", "Cluster")}
)

func replicas(n int) set { return set{"spec.replicas", int64(n)} }

// judged finds that a server of these fields is refused with what is wanted, or
// accepted where that is empty.
func judged(t *testing.T, of []set, want string) {
	t.Helper()
	err := kube.Create(context.Background(), object(t, server, append([]set{{"metadata.name", "judged"}}, of...)...),
		client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
	if want != "" {
		refused(t, err, want)
	} else if err != nil {
		t.Errorf("refused: %v", err)
	}
}

// What several replicas need is asked for, and what only one can have is refused
// with what to do.
func TestReplicasAreJudged(t *testing.T) {
	const slots, first, ports = "spec.passive.slots", "spec.passive.firstNodePort", "spec.passive.portsPerReplica"
	spread := func(kv ...any) set {
		return set{"spec.pod.topologySpreadConstraints", list(fields(append([]any{"maxSkew", int64(1), "topologyKey", "zone", "whenUnsatisfiable", "DoNotSchedule"}, kv...)...))}
	}
	trusted := func(sources ...any) set {
		return set{"spec.service.proxyProtocol", fields("trusted", append([]any{}, sources...))}
	}
	for name, tc := range map[string]struct {
		set  []set
		want string // empty: it is accepted
	}{
		"none":                            {[]set{replicas(0)}, ""},
		"several":                         {[]set{sharedVolume, replicas(64)}, ""},
		"too many":                        {[]set{sharedVolume, replicas(65)}, "should be less than or equal to 64"},
		"on a claim":                      {[]set{theirClaim, replicas(3)}, ""},
		"on a volume of one node":         {[]set{{"spec.storage.volume.accessModes", list("ReadWriteOnce")}, replicas(2)}, "make the FTPServer anew with storage.volume.accessModes [ReadWriteMany]"},
		"on a volume of one pod":          {[]set{{"spec.storage.volume.accessModes", list("ReadWriteOncePod")}, replicas(2)}, "several replicas need a volume that all of them mount"},
		"on a volume of both":             {[]set{{"spec.storage.volume.accessModes", list("ReadWriteOnce", "ReadWriteMany")}, replicas(2)}, ""},
		"on a balancer":                   {[]set{sharedVolume, balanced, replicas(2)}, ""},
		"on node ports":                   {[]set{sharedVolume, nodePorts, replicas(2)}, ""},
		"on a balancer, by default":       {[]set{sharedVolume, {"spec.service.type", "LoadBalancer"}, replicas(2)}, "need service.externalTrafficPolicy Cluster"},
		"on node ports, with Local":       {[]set{sharedVolume, {"spec.service", fields("type", "NodePort", "externalTrafficPolicy", "Local")}, replicas(2)}, "need service.externalTrafficPolicy Cluster"},
		"one on a balancer, with Cluster": {[]set{balanced}, ""},
		"traffic policy":                  {[]set{{"spec.service.externalTrafficPolicy", "Both"}}, `supported values: "Cluster", "Local"`},

		"slots":                        {[]set{{slots, int64(64)}}, ""},
		"no slots":                     {[]set{{slots, int64(0)}}, "should be greater than or equal to 1"},
		"too many slots":               {[]set{{slots, int64(65)}}, "should be less than or equal to 64"},
		"fewer slots than replicas":    {[]set{sharedVolume, replicas(3), {slots, int64(2)}}, "raise passive.slots or lower replicas"},
		"all the ports there can be":   {[]set{{slots, int64(16)}, {ports, int64(64)}}, ""},
		"more":                         {[]set{{slots, int64(17)}, {ports, int64(64)}}, "is more than 1024 passive ports: lower passive.portsPerReplica"},
		"more, by replicas":            {[]set{sharedVolume, replicas(17), {ports, int64(64)}}, "is more than 1024 passive ports"},
		"to the last port":             {[]set{{slots, int64(2)}, {ports, int64(8)}, {"spec.passive.firstPort", int64(65520)}}, ""},
		"past the last port":           {[]set{{slots, int64(2)}, {ports, int64(8)}, {"spec.passive.firstPort", int64(65521)}}, "the passive ports would pass 65535: lower passive.firstPort"},
		"control among a slot's":       {[]set{{slots, int64(2)}, {"spec.service.port", int64(30015)}}, "service.port lies among the passive ports"},
		"control behind the slots'":    {[]set{{slots, int64(2)}, {"spec.service.port", int64(30016)}}, ""},
		"implicit TLS among a slot's":  {[]set{{slots, int64(2)}, {"spec.tls.implicit", fields("port", int64(30015))}}, "tls.implicit.port lies among the passive ports"},
		"ports while nothing runs":     {[]set{replicas(0), {"spec.service.port", int64(30007)}}, "service.port lies among the passive ports"},
		"unverified data":              {[]set{{"spec.passive.unverifiedData", "Allow"}}, ""},
		"unverified data, differently": {[]set{{"spec.passive.unverifiedData", "Ask"}}, `supported values: "Refuse", "Allow"`},

		"first node port":               {[]set{nodePorts, {first, int64(31000)}}, ""},
		"first node port, elsewhere":    {[]set{balanced, {first, int64(31000)}}, "passive.firstNodePort needs service.type NodePort"},
		"first node port of none":       {[]set{nodePorts, {first, int64(0)}}, "should be greater than or equal to 1"},
		"node ports to the last":        {[]set{nodePorts, {first, int64(65520)}, {slots, int64(2)}}, ""},
		"node ports past the last":      {[]set{nodePorts, {first, int64(65521)}, {slots, int64(2)}}, "the passive ports would pass 65535: lower passive.firstNodePort"},
		"node port":                     {[]set{{"spec.service", fields("type", "NodePort", "nodePort", int64(30021))}}, ""},
		"node port of a balancer":       {[]set{{"spec.service", fields("type", "LoadBalancer", "nodePort", int64(30021))}}, ""},
		"node port, and inside only":    {[]set{{"spec.service.nodePort", int64(30021)}}, "nodePort needs service.type NodePort or LoadBalancer"},
		"node port past the last":       {[]set{{"spec.service", fields("type", "NodePort", "nodePort", int64(65536))}}, "should be less than or equal to 65535"},
		"implicit TLS on a node port":   {[]set{nodePorts, {"spec.tls.implicit", fields("nodePort", int64(30990))}}, ""},
		"implicit node port, inside":    {[]set{{"spec.tls.implicit", fields("nodePort", int64(30990))}}, "tls.implicit.nodePort needs service.type NodePort or LoadBalancer"},
		"implicit node port past last":  {[]set{nodePorts, {"spec.tls.implicit", fields("nodePort", int64(65536))}}, "should be less than or equal to 65535"},
		"affinity":                      {[]set{{"spec.service.sessionAffinity", "ClientIP"}}, ""},
		"affinity of a kind":            {[]set{{"spec.service.sessionAffinity", "Cookie"}}, `supported values: "None", "ClientIP"`},
		"both families":                 {[]set{{"spec.service", fields("ipFamilyPolicy", "RequireDualStack", "ipFamilies", list("IPv6", "IPv4"))}}, ""},
		"both families, without policy": {[]set{{"spec.service.ipFamilies", list("IPv4", "IPv6")}}, "two ipFamilies need ipFamilyPolicy PreferDualStack or RequireDualStack"},
		"both families of one stack":    {[]set{{"spec.service", fields("ipFamilyPolicy", "SingleStack", "ipFamilies", list("IPv4", "IPv6"))}}, "two ipFamilies need ipFamilyPolicy"},
		"a family twice":                {[]set{{"spec.service", fields("ipFamilyPolicy", "PreferDualStack", "ipFamilies", list("IPv4", "IPv4"))}}, "ipFamilies names a family twice"},
		"family of a kind":              {[]set{{"spec.service.ipFamilies", list("IPv5")}}, `supported values: "IPv4", "IPv6"`},
		"no family":                     {[]set{{"spec.service.ipFamilies", list()}}, "at least 1 items"},
		"family policy of a kind":       {[]set{{"spec.service.ipFamilyPolicy", "Dual"}}, `supported values: "SingleStack", "PreferDualStack", "RequireDualStack"`},

		"proxies":                 {[]set{trusted(fields("cidr", "10.0.0.0/16"), fields("cidr", "fd00::/8", "mode", "Optional"))}, ""},
		"proxies of nowhere":      {[]set{trusted()}, "at least 1 items"},
		"no proxies":              {[]set{{"spec.service.proxyProtocol", fields()}}, "spec.service.proxyProtocol.trusted: Required value"},
		"proxy's address":         {[]set{trusted(fields("cidr", "10.0.0.1"))}, "cidr must be a network such as 10.0.0.0/16"},
		"proxy without a network": {[]set{trusted(fields("mode", "Required"))}, "trusted[0].cidr: Required value"},
		"proxy twice":             {[]set{trusted(fields("cidr", "10.0.0.0/16"), fields("cidr", "10.0.0.0/16", "mode", "Optional"))}, "Duplicate value"},
		"proxy mode":              {[]set{trusted(fields("cidr", "10.0.0.0/16", "mode", "Maybe"))}, `supported values: "Required", "Optional"`},
		"too many proxies":        {[]set{trusted(many(33, func(i int) any { return fields("cidr", fmt.Sprintf("10.%d.0.0/16", i)) })...)}, "Too many"},

		"spread":                 {[]set{spread()}, ""},
		"spread over nothing":    {[]set{{"spec.pod.topologySpreadConstraints", list(fields("maxSkew", int64(1), "whenUnsatisfiable", "DoNotSchedule"))}}, "topologyKey: Required value"},
		"spread of other pods":   {[]set{spread("labelSelector", fields("matchLabels", fields("a", "b")))}, ""},
		"spread over a key once": {[]set{{"spec.pod.topologySpreadConstraints", list(fields("maxSkew", int64(1), "topologyKey", "zone", "whenUnsatisfiable", "DoNotSchedule"), fields("maxSkew", int64(2), "topologyKey", "zone", "whenUnsatisfiable", "DoNotSchedule"))}}, "Duplicate value"},
	} {
		t.Run(name, func(t *testing.T) {
			judged(t, tc.set, tc.want)
		})
	}
}

// What may change about the replicas of a server that is there, and what may not.
func TestReplicasChange(t *testing.T) {
	for name, tc := range map[string]struct {
		before, after []set
		want          string // empty: it is accepted
	}{
		"up":                               {[]set{sharedVolume}, []set{replicas(4)}, ""},
		"down":                             {[]set{sharedVolume, replicas(4)}, []set{replicas(0)}, ""},
		"up on a volume of one":            {nil, []set{replicas(2)}, "several replicas need a volume that all of them mount"},
		"slots come":                       {nil, []set{{"spec.passive.slots", int64(4)}}, ""},
		"slots go":                         {[]set{{"spec.passive.slots", int64(4)}}, []set{{"spec.passive.slots", nil}}, ""},
		"slots below replicas":             {[]set{sharedVolume, replicas(4)}, []set{{"spec.passive.slots", int64(3)}}, "raise passive.slots or lower replicas"},
		"to Local with several":            {[]set{sharedVolume, balanced, replicas(2)}, []set{{"spec.service.externalTrafficPolicy", "Local"}}, "need service.externalTrafficPolicy Cluster"},
		"to Local with one":                {[]set{sharedVolume, balanced}, []set{{"spec.service.externalTrafficPolicy", "Local"}}, ""},
		"to a balancer with several":       {[]set{sharedVolume, replicas(2)}, []set{{"spec.service.type", "LoadBalancer"}}, "need service.externalTrafficPolicy Cluster"},
		"to another type with a node port": {[]set{{"spec.service", fields("type", "NodePort", "nodePort", int64(30021))}}, []set{{"spec.service.type", "ClusterIP"}}, "nodePort needs service.type NodePort or LoadBalancer"},
		"first node port moves":            {[]set{nodePorts, {"spec.passive.firstNodePort", int64(31000)}}, []set{{"spec.passive.firstNodePort", int64(31500)}}, ""},
		"modes of the volume":              {nil, []set{sharedVolume}, "accessModes are immutable"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			named := set{"metadata.name", "changes"}
			obj := object(t, server, append([]set{named}, tc.before...)...)
			if err := kube.Create(ctx, obj); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = kube.Delete(ctx, obj) })
			after := object(t, server, append(append([]set{named}, tc.before...), tc.after...)...)
			after.SetResourceVersion(obj.GetResourceVersion())
			err := kube.Update(ctx, after)
			if tc.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if tc.want != "" {
				refused(t, err, tc.want)
			}
		})
	}
}

// What the scale subresource tells is what an autoscaler goes by.
func TestScaleSubresourceTells(t *testing.T) {
	ctx := context.Background()
	obj := object(t, server, set{"metadata.name", "told"}, sharedVolume, replicas(3))
	if err := kube.Create(ctx, obj); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kube.Delete(ctx, obj) })
	var s v1alpha1.FTPServer
	if err := kube.Get(ctx, client.ObjectKeyFromObject(obj), &s); err != nil {
		t.Fatal(err)
	}
	s.Status.Replicas, s.Status.Selector = 2, "a=b"
	if err := kube.Status().Update(ctx, &s); err != nil {
		t.Fatal(err)
	}
	scale := object(t, "apiVersion: autoscaling/v1\nkind: Scale")
	if err := kube.SubResource("scale").Get(ctx, obj, scale); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(scale.Object["spec"], scale.Object["status"]); got != "map[replicas:3] map[replicas:2 selector:a=b]" {
		t.Errorf("it tells %s", got)
	}
}
