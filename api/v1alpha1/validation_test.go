package v1alpha1_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

const server = `
apiVersion: ftp-operator.io/v1alpha1
kind: FTPServer
metadata: {name: files, namespace: default}
spec:
  storage: {volume: {size: 1Gi}}
`

const user = `
apiVersion: ftp-operator.io/v1alpha1
kind: FTPUser
metadata: {name: alice, namespace: default}
spec:
  serverRef: {name: files}
`

// set changes the value at a dotted path; a nil value removes it.
type set struct {
	path  string
	value any
}

func object(t *testing.T, base string, changes ...set) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(base), &u.Object); err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		fields := strings.Split(c.path, ".")
		if c.value == nil {
			unstructured.RemoveNestedField(u.Object, fields...)
			continue
		}
		if err := unstructured.SetNestedField(u.Object, c.value, fields...); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

func list(v ...any) []any { return append([]any{}, v...) }

func fields(kv ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i].(string)] = kv[i+1]
	}
	return m
}

func certificate(name string) map[string]any {
	return fields("name", name, "secretRef", fields("name", name+"-tls"))
}

// except are peers in a network, but for some of it.
func except(cidr string, parts ...any) map[string]any {
	return fields("ftpFrom", list(fields("ipBlock", fields("cidr", cidr, "except", list(parts...)))))
}

func many(n int, f func(i int) any) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

func TestCreateIsRefused(t *testing.T) {
	volume := "spec.storage.volume"
	for name, tc := range map[string]struct {
		base string
		set  []set
		want string
	}{
		"two replicas of one's volume":     {server, []set{{"spec.replicas", int64(2)}}, "several replicas need a volume that all of them mount"},
		"negative replicas":                {server, []set{{"spec.replicas", int64(-1)}}, "should be greater than or equal to 0"},
		"name too long":                    {server, []set{{"metadata.name", strings.Repeat("a", 51)}}, "use at most 50 characters of a-z"},
		"name with a dot":                  {server, []set{{"metadata.name", "a.b"}}, "use at most 50 characters of a-z"},
		"name with a digit first":          {server, []set{{"metadata.name", "1a"}}, "beginning with a letter"},
		"no storage":                       {server, []set{{"spec.storage", nil}}, "spec.storage: Required value"},
		"no volume":                        {server, []set{{volume, nil}}, "give it a size or an existingClaimRef"},
		"no size":                          {server, []set{{volume, fields()}}, "give storage.volume either a size"},
		"size and claim":                   {server, []set{{volume + ".existingClaimRef", fields("name", "c")}}, "give storage.volume either a size"},
		"class of two words":               {server, []set{{"spec.service", fields("type", "LoadBalancer", "loadBalancerClass", "a b")}}, "loadBalancerClass"},
		"size of nothing":                  {server, []set{{volume + ".size", "0"}}, "size must be more than 0"},
		"claim with class":                 {server, []set{{volume, fields("existingClaimRef", fields("name", "c"), "storageClassName", "fast")}}, "remove them or existingClaimRef"},
		"claim to delete":                  {server, []set{{volume, fields("existingClaimRef", fields("name", "c"), "deletionPolicy", "Delete")}}, "an existing claim is never deleted"},
		"access mode":                      {server, []set{{volume + ".accessModes", list("ReadOnlyMany")}}, `supported values: "ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"`},
		"tls mode":                         {server, []set{{"spec.tls.mode", "Maybe"}}, `supported values: "Required", "Optional", "Disabled"`},
		"tls version":                      {server, []set{{"spec.tls.minVersion", "1.1"}}, `supported values: "1.2", "1.3"`},
		"tls certificate without a name":   {server, []set{{"spec.tls.certificates", list(fields("secretRef", fields("name", "s")))}}, "spec.tls.certificates[0].name: Required value"},
		"tls certificate without a Secret": {server, []set{{"spec.tls.certificates", list(fields("name", "web"))}}, "spec.tls.certificates[0].secretRef: Required value"},
		"tls certificate's name":           {server, []set{{"spec.tls.certificates", list(certificate("a.b"))}}, "name must be a DNS label"},
		"tls certificate named own":        {server, []set{{"spec.tls.certificates", list(certificate("own"))}}, "choose another"},
		"tls certificate named tls":        {server, []set{{"spec.tls.certificates", list(certificate("tls"))}}, "choose another"},
		"tls certificate named ca":         {server, []set{{"spec.tls.certificates", list(certificate("ca"))}}, "choose another"},
		"tls certificate twice":            {server, []set{{"spec.tls.certificates", list(certificate("a"), certificate("a"))}}, "Duplicate value"},
		"too many tls certificates": {server, []set{{"spec.tls.certificates", many(9, func(i int) any {
			return certificate(fmt.Sprint("c", i))
		})}}, "Too many"},
		"tls certificate's key":   {server, []set{{"spec.tls.certificates", list(fields("name", "a", "secretRef", fields("name", "s", "key", "k")))}}, `unknown field "spec.tls.certificates[0].secretRef.key"`},
		"too many ports":          {server, []set{{"spec.passive.portsPerReplica", int64(65)}}, "should be less than or equal to 64"},
		"ports pass the end":      {server, []set{{"spec.passive.firstPort", int64(65530)}}, "the passive ports would pass 65535: lower"},
		"control among passive":   {server, []set{{"spec.service.port", int64(30007)}}, "service.port lies among the passive ports: move"},
		"control among nodePorts": {server, []set{{"spec.service", fields("type", "NodePort", "port", int64(32000))}}, "set it below 30000"},
		"passive IPv6 address":    {server, []set{{"spec.passive.addresses", list(fields("address", "2001:db8::1"))}}, "clients of IPv6 use EPSV"},
		"passive address":         {server, []set{{"spec.passive.addresses", list(fields("address", "a b"))}}, "address must be an IPv4 address or a host name"},
		"passive CIDR":            {server, []set{{"spec.passive.addresses", list(fields("address", "192.0.2.1", "clientCIDRs", list("10.0.0.0")))}}, "clientCIDRs must be networks such as"},
		"same address twice":      {server, []set{{"spec.passive.addresses", list(fields("address", "192.0.2.1"), fields("address", "192.0.2.1"))}}, "Duplicate value"},
		"class without balancer":  {server, []set{{"spec.service.loadBalancerClass", "x"}}, "loadBalancerClass needs service.type LoadBalancer"},
		"ranges without balancer": {server, []set{{"spec.service.loadBalancerSourceRanges", list("10.0.0.0/8")}}, "loadBalancerSourceRanges needs service.type LoadBalancer"},
		"node ports without":      {server, []set{{"spec.service.allocateLoadBalancerNodePorts", true}}, "allocateLoadBalancerNodePorts needs service.type LoadBalancer"},
		"source range":            {server, []set{{"spec.service", fields("type", "LoadBalancer", "loadBalancerSourceRanges", list("everywhere"))}}, "must be networks such as 192.0.2.0/24"},
		"our label":               {server, []set{{"spec.service.labels", fields("app.kubernetes.io/name", "x")}}, "choose another prefix"},
		"our pod label":           {server, []set{{"spec.pod.labels", fields("ftp-operator.io/slot", "x")}}, "choose another prefix"},
		"AppArmor off":            {server, []set{{"spec.pod.annotations", fields("container.apparmor.security.beta.kubernetes.io/ftpserver", "unconfined")}}, "must be runtime/default or localhost/NAME"},
		"seccomp off":             {server, []set{{"spec.pod.annotations", fields("seccomp.security.alpha.kubernetes.io/pod", "unconfined")}}, "always have the seccomp profile RuntimeDefault"},
		"seccomp of a container":  {server, []set{{"spec.pod.annotations", fields("container.seccomp.security.alpha.kubernetes.io/ftpserver", "unconfined")}}, "always have the seccomp profile RuntimeDefault"},
		"our pod annotation":      {server, []set{{"spec.pod.annotations", fields("ftp-operator.io/poked", "x")}}, "choose another prefix"},
		"root":                    {server, []set{{"spec.pod.runAsUser", int64(0)}}, "should be greater than or equal to 1"},
		"grace":                   {server, []set{{"spec.pod.terminationGracePeriod", "25h"}}, "terminationGracePeriod must be between 1s and 24h"},
		"idle timeout":            {server, []set{{"spec.limits.idleTimeout", "10ms"}}, "idleTimeout must be between 1s and 24h"},
		"idle timeout no time":    {server, []set{{"spec.limits.idleTimeout", "soon"}}, "idleTimeout must be between 1s and 24h"},
		"log level":               {server, []set{{"spec.logging.level", "Trace"}}, `supported values: "Debug", "Info", "Warn", "Error"`},
		"anonymous writer":        {server, []set{{"spec.anonymous", fields("role", "ReadWrite")}}, `supported values: "ReadOnly", "WriteOnly"`},
		"anonymous home":          {server, []set{{"spec.anonymous", fields("home", "/a/../b")}}, "home must be a plain path"},
		"anonymous relative home": {server, []set{{"spec.anonymous", fields("home", "pub")}}, "begin it with /"},
		"network policy mode":     {server, []set{{"spec.networkPolicy", fields("mode", "Off")}}, `supported values: "Managed", "None"`},
		"metrics without policy":  {server, []set{{"spec.networkPolicy", fields("mode", "None", "metricsFrom", list(fields("podSelector", fields())))}}, "need networkPolicy.mode Managed"},
		"ftp peers without":       {server, []set{{"spec.networkPolicy", fields("mode", "None", "ftpFrom", list(fields("podSelector", fields())))}}, "need networkPolicy.mode Managed"},
		"no ftp peer":             {server, []set{{"spec.networkPolicy", fields("ftpFrom", list(fields()))}}, "each of ftpFrom needs a podSelector, a namespaceSelector or an ipBlock"},
		"no metrics peer":         {server, []set{{"spec.networkPolicy", fields("metricsFrom", list(fields()))}}, "each of metricsFrom needs a podSelector"},
		"ftp from no network":     {server, []set{{"spec.networkPolicy", fields("ftpFrom", list(fields("ipBlock", fields("cidr", "198.51.100.0"))))}}, "cidr must be a network such as 198.51.100.0/24"},
		"metrics from no network": {server, []set{{"spec.networkPolicy", fields("metricsFrom", list(fields("ipBlock", fields("cidr", "everywhere"))))}}, "cidr must be a network such as 198.51.100.0/24"},
		"ftp from a host's bits":  {server, []set{{"spec.networkPolicy", fields("ftpFrom", list(fields("ipBlock", fields("cidr", "198.51.100.7/24"))))}}, "with no bit set behind its prefix"},
		"network and pods":        {server, []set{{"spec.networkPolicy", fields("ftpFrom", list(fields("ipBlock", fields("cidr", "198.51.100.0/24"), "podSelector", fields())))}}, "ipBlock goes with no selector"},
		"except no network":       {server, []set{{"spec.networkPolicy", except("198.51.100.0/24", "198.51.100.7")}}, "each of except must be a network within cidr and smaller than it"},
		"except elsewhere":        {server, []set{{"spec.networkPolicy", except("198.51.100.0/24", "198.51.101.0/25")}}, "each of except must be"},
		"except everything":       {server, []set{{"spec.networkPolicy", except("198.51.100.0/24", "198.51.100.0/24")}}, "each of except must be"},
		"except another family":   {server, []set{{"spec.networkPolicy", except("0.0.0.0/0", "2001:db8::/64")}}, "each of except must be"},
		"except a host's bits":    {server, []set{{"spec.networkPolicy", except("0.0.0.0/0", "10.0.0.1/8")}}, "each of except must be"},
		"metrics from nobody":     {server, []set{{"spec.networkPolicy", fields("metricsFrom", list())}}, "at least 1 items"},
		"too many secrets": {server, []set{{"spec.pod.imagePullSecrets", many(17, func(i int) any {
			return fields("name", fmt.Sprint("s", i))
		})}}, "Too many"},

		"user without server":   {user, []set{{"spec.serverRef", nil}}, "spec.serverRef: Required value"},
		"user name too long":    {user, []set{{"metadata.name", strings.Repeat("a", 129)}}, "shorten it and set spec.username"},
		"username with a slash": {user, []set{{"spec.username", "a/b"}}, "must not contain /"},
		"username dots":         {user, []set{{"spec.username", ".."}}, "must not contain / nor be . or .."},
		"username with a space": {user, []set{{"spec.username", "bob "}}, "must not begin or end with a space"},
		"username newline":      {user, []set{{"spec.username", "a\nb"}}, "nor hold control characters"},
		"username bytes":        {user, []set{{"spec.username", strings.Repeat("ü", 65)}}, "at most 128 bytes long"},
		"relative home":         {user, []set{{"spec.home", "in"}}, "begin it with /"},
		"home climbing":         {user, []set{{"spec.home", "/a/../b"}}, "home must be a plain path"},
		"home ending in slash":  {user, []set{{"spec.home", "/a/"}}, "home must be a plain path"},
		"role":                  {user, []set{{"spec.role", "Root"}}, `supported values: "ReadOnly", "ReadWrite", "WriteOnly", "Admin"`},
		"login":                 {user, []set{{"spec.login", "No"}}, `supported values: "Enabled", "Suspended"`},
		"home of our own":       {user, []set{{"spec.home", "/a/.FTPserver-tmp"}}, "those are the server's own"},
		"path of our own":       {user, []set{{"spec.paths", list(fields("path", "/.ftpserver-x", "role", "ReadOnly"))}}, "those are the server's own"},
		"path climbing":         {user, []set{{"spec.paths", list(fields("path", "/a/..", "role", "ReadOnly"))}}, "path must be a plain path"},
		"relative path":         {user, []set{{"spec.paths", list(fields("path", "in", "role", "ReadOnly"))}}, "begin it with /"},
		"path for an admin":     {user, []set{{"spec.paths", list(fields("path", "/in", "role", "Admin"))}}, `supported values: "ReadOnly", "ReadWrite", "WriteOnly"`},
		"path without role":     {user, []set{{"spec.paths", list(fields("path", "/in"))}}, "spec.paths[0].role: Required value"},
		"path twice":            {user, []set{{"spec.paths", list(fields("path", "/in", "role", "ReadOnly"), fields("path", "/in", "role", "WriteOnly"))}}, "Duplicate value"},
		"network":               {user, []set{{"spec.allowedCIDRs", list("10.0.0.1")}}, "allowedCIDRs must be networks such as 10.0.0.0/8"},
		"no network":            {user, []set{{"spec.allowedCIDRs", list()}}, "at least 1 items"},
		"expiry":                {user, []set{{"spec.expiresAt", "tomorrow"}}, "must be of type date-time"},
		"expiry never":          {user, []set{{"spec.expiresAt", "9999-12-31T23:59:59-05:00"}}, "leave it out for a login that never ends"},
		"expiry of nothing":     {user, []set{{"spec.expiresAt", "0001-01-01T00:00:00Z"}}, "must lie between the years 2000 and 9999"},
		"no sessions":           {user, []set{{"spec.limits.sessionsPerReplica", int64(0)}}, "should be greater than or equal to 1"},
		"password without name": {user, []set{{"spec.passwordSecretRef", fields("key", "k")}}, "spec.passwordSecretRef.name: Required value"},
		"password in clear":     {user, []set{{"spec.password", "x"}}, `unknown field "spec.password"`},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, kube.Create(context.Background(), object(t, tc.base, tc.set...), client.FieldValidation(metav1.FieldValidationStrict)), tc.want)
		})
	}
}

func refused(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want a refusal that says %q", want)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("refused with %q, want it to say %q", err, want)
	}
}

func TestUpdateIsRefused(t *testing.T) {
	claim := set{"spec.storage.volume", fields("existingClaimRef", fields("name", "c"))}
	balancer := set{"spec.service", fields("type", "LoadBalancer", "loadBalancerClass", "a.example/x")}
	for name, tc := range map[string]struct {
		base   string
		before []set
		after  []set
		want   string
	}{
		"another class":        {server, nil, []set{{"spec.storage.volume.storageClassName", "fast"}}, "storageClassName is immutable"},
		"other access modes":   {server, nil, []set{{"spec.storage.volume.accessModes", list("ReadWriteMany")}}, "accessModes are immutable"},
		"to a claim":           {server, nil, []set{claim}, "existingClaimRef is immutable"},
		"from a claim":         {server, []set{claim}, []set{{"spec.storage.volume", fields("size", "1Gi")}}, "existingClaimRef is immutable"},
		"another claim":        {server, []set{claim}, []set{{"spec.storage.volume.existingClaimRef.name", "d"}}, "existingClaimRef is immutable"},
		"another balancer":     {server, []set{balancer}, []set{{"spec.service.loadBalancerClass", "a.example/y"}}, "change the type first"},
		"another server":       {user, nil, []set{{"spec.serverRef.name", "other"}}, "serverRef is immutable"},
		"a username":           {user, nil, []set{{"spec.username", "bob"}}, "username is immutable"},
		"no username any more": {user, []set{{"spec.username", "bob"}}, []set{{"spec.username", nil}}, "username is immutable"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			obj := object(t, tc.base, tc.before...)
			if err := kube.Create(ctx, obj); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = kube.Delete(ctx, obj) })
			after := object(t, tc.base, append(tc.before, tc.after...)...)
			after.SetResourceVersion(obj.GetResourceVersion())
			refused(t, kube.Update(ctx, after), tc.want)
		})
	}
}

func TestScaleSubresourceIsBounded(t *testing.T) {
	ctx := context.Background()
	shared := set{"spec.storage.volume.accessModes", list("ReadWriteMany")}
	for name, tc := range map[string]struct {
		set  []set
		to   int
		want string
	}{
		"to-zero":       {nil, 0, ""},
		"no-volume":     {nil, 2, "several replicas need a volume that all of them mount"},
		"shared-volume": {[]set{shared}, 64, ""},
		"too-many":      {[]set{shared}, 65, "should be less than or equal to 64"},
		"local":         {[]set{shared, {"spec.service.type", "LoadBalancer"}}, 2, "need service.externalTrafficPolicy Cluster"},
		"cluster":       {[]set{shared, {"spec.service", fields("type", "LoadBalancer", "externalTrafficPolicy", "Cluster")}}, 2, ""},
		"slots":         {[]set{shared, {"spec.passive.slots", int64(3)}}, 3, ""},
		"past-slots":    {[]set{shared, {"spec.passive.slots", int64(3)}}, 4, "raise passive.slots or lower replicas"},
		"front-slots":   {[]set{shared, {"spec.replicas", int64(3)}, {"spec.front", fields("slots", list(fields("slot", int64(2), "role", "Backup")))}}, 0, ""},
		"many-ports":    {[]set{shared, {"spec.passive.portsPerReplica", int64(64)}}, 17, "more than 1024 passive ports"},
		"past-the-end":  {[]set{shared, {"spec.passive.firstPort", int64(65500)}}, 5, "the passive ports would pass 65535"},
		"onto-control":  {[]set{shared, {"spec.service.port", int64(30008)}}, 2, "service.port lies among the passive ports"},
	} {
		t.Run(name, func(t *testing.T) {
			obj := object(t, server, append(tc.set, set{"metadata.name", "scaled-" + name})...)
			if err := kube.Create(ctx, obj); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = kube.Delete(ctx, obj) })
			scale := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, tc.to))
			err := kube.SubResource("scale").Patch(ctx, obj, scale)
			if tc.want == "" && err != nil {
				t.Errorf("scale to %d: %v", tc.to, err)
			}
			if tc.want != "" {
				refused(t, err, tc.want)
			}
		})
	}
}

// The defaults are part of the API: what a user leaves out means this.
func TestDefaults(t *testing.T) {
	ctx := context.Background()
	obj := object(t, server, set{"metadata.name", "defaults"})
	if err := kube.Create(ctx, obj); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kube.Delete(ctx, obj) })
	var s v1alpha1.FTPServer
	if err := kube.Get(ctx, client.ObjectKeyFromObject(obj), &s); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(*s.Spec.Replicas, s.Spec.TLS, s.Spec.Files, s.Spec.Passive, s.Spec.Service.Type, s.Spec.Service.Port,
		s.Spec.Service.ExternalTrafficPolicy, s.Spec.Service.SessionAffinity,
		s.Spec.Storage.Volume.DeletionPolicy, s.Spec.Limits.FailedLogins.Mode, s.Spec.Logging, s.Spec.Pod.RunAsUser, s.Spec.Pod.FSGroup,
		s.Spec.Pod.Resources.Requests.Cpu(), s.Spec.Pod.Resources.Requests.Memory(), s.Spec.NetworkPolicy, s.Status.ObservedGeneration)
	want := "1 {Required 1.2  Auto Auto <nil> []} {Atomic Allow  Show {[] []}} {8 30000 <nil> <nil> Refuse []} ClusterIP 21 Local None Retain Lockout {Info} 65532 65532 50m 128Mi {Managed [] []} -1\n"
	if got != want {
		t.Errorf("defaults are\n%s, want\n%s", got, want)
	}
}

// Each node port is one port of the Service: two of them on one number are
// refused before the API server refuses the Service.
func TestNodePortsAreJudged(t *testing.T) {
	service := func(nodePort int64) set {
		return set{"spec.service", fields("type", "NodePort", "externalTrafficPolicy", "Cluster", "nodePort", nodePort)}
	}
	implicit := func(nodePort int64) set { return set{"spec.tls.implicit", fields("nodePort", nodePort)} }
	from := set{"spec.passive.firstNodePort", int64(31000)}
	ports, slots := set{"spec.passive.portsPerReplica", int64(4)}, set{"spec.passive.slots", int64(3)} // 31000 to 31011
	const same, among, implicitAmong = "tls.implicit.nodePort is service.nodePort as well: choose another", "service.nodePort lies among the passive ports: move",
		"tls.implicit.nodePort lies among the passive ports: move"
	for name, tc := range map[string]struct {
		set  []set
		want string // empty: it is accepted
	}{
		"two of them":                  {[]set{service(30021), implicit(30990)}, ""},
		"twice":                        {[]set{service(30021), implicit(30021)}, same},
		"below the passive ones":       {[]set{service(30999), from, ports, slots}, ""},
		"the first passive one":        {[]set{service(31000), from, ports, slots}, among},
		"the last passive one":         {[]set{service(31011), from, ports, slots}, among},
		"above the passive ones":       {[]set{service(31012), from, ports, slots}, ""},
		"the last of the replicas":     {[]set{service(31007), from, ports, sharedVolume, replicas(2)}, among},
		"above those of the replicas":  {[]set{service(31008), from, ports, sharedVolume, replicas(2)}, ""},
		"the last, while nothing runs": {[]set{service(31003), from, ports, replicas(0)}, among},
		"implicit below":               {[]set{nodePorts, implicit(30999), from, ports, slots}, ""},
		"implicit, the first":          {[]set{nodePorts, implicit(31000), from, ports, slots}, implicitAmong},
		"implicit, the last":           {[]set{nodePorts, implicit(31011), from, ports, slots}, implicitAmong},
		"implicit above":               {[]set{nodePorts, implicit(31012), from, ports, slots}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			judged(t, tc.set, tc.want)
		})
	}
}
