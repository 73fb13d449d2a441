package render

import (
	"bytes"
	_ "embed" // for the template
	"fmt"
	"regexp"
	"strconv"
	"text/template"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

//go:embed haproxy.cfg
var haproxyText string

var haproxyTemplate = template.Must(template.New("haproxy.cfg").Option("missingkey=error").Parse(haproxyText))

// defaultWeight is that of a slot of which the spec says nothing.
const defaultWeight = 100

// adminConnections are those that a pod of the front has for probes and metrics,
// however many control connections it holds.
const adminConnections = 100

// haproxySlot is what the front knows of a replica.
type haproxySlot struct {
	Number int
	Host   string
	Weight int32
	Backup bool
}

// haproxyConfig is the front's configuration. It depends on nothing that changes
// often: not on how many replicas run, nor on where.
// https://docs.haproxy.org/2.6/configuration.html
func haproxyConfig(in Input) (string, error) {
	s := in.Server
	f := s.Spec.Front
	values := map[string]any{
		"Server":       s.Namespace + "/" + s.Name,
		"Connections":  f.ConnectionsPerReplica,
		"GlobalLimit":  2*f.ConnectionsPerReplica + adminConnections,
		"HardStop":     frontHardStop(s).Milliseconds(),
		"ControlPort":  controlListen,
		"ImplicitPort": implicitListen,
		"AdminPort":    adminListen,
		"Trusted":      balancers(s.Spec.Service.ProxyProtocol),
		"Header":       frontSendsHeader(s),
		"Check":        frontCheck(s),
		"SlowStart":    slowStart(f).Milliseconds(),
		"Slots":        haproxySlots(in),
	}
	var out bytes.Buffer
	if err := haproxyTemplate.Execute(&out, values); err != nil {
		return "", fmt.Errorf("the configuration of the front: %w", err)
	}
	return out.String(), nil
}

// defaultSlowStart holds where the spec says nothing.
const defaultSlowStart = 30 * time.Second

func slowStart(f *v1alpha1.FrontSpec) time.Duration {
	if f.SlowStart == nil {
		return defaultSlowStart
	}
	return f.SlowStart.Duration
}

// balancers are the networks from which every connection begins with a header.
func balancers(p *v1alpha1.ProxyProtocolSpec) []string {
	if p == nil {
		return nil
	}
	var out []string
	for _, t := range p.Trusted {
		out = append(out, t.CIDR)
	}
	return out
}

// frontSendsHeader tells that the front knows the clients' addresses and passes
// them on. Behind a load balancer that does not tell them it sees those of nodes,
// which mean nothing, and the slots are not to take them for the clients'.
func frontSendsHeader(s *v1alpha1.FTPServer) bool {
	return s.Spec.Service.Type == v1alpha1.ServiceClusterIP || s.Spec.Service.ProxyProtocol != nil
}

// frontCheck is what the front asks a slot for.
func frontCheck(s *v1alpha1.FTPServer) string {
	if frontSendsHeader(s) {
		return config.SessionsPath + "?" + config.HeaderQuery
	}
	return config.SessionsPath
}

// haproxySlots are more than run: the next power of two, and never fewer than the
// front that runs has, so that scaling rarely changes the configuration. A name
// that leads nowhere costs a look-up a second.
func haproxySlots(in Input) []haproxySlot {
	given := map[int]v1alpha1.FrontSlot{}
	for _, s := range in.Server.Spec.Front.Slots {
		given[int(ptr.Deref(s.Slot, 0))] = s
	}
	n := 8
	for n < max(in.Slots, in.FrontSlots) {
		n *= 2
	}
	out := make([]haproxySlot, n)
	for i := range out {
		out[i] = haproxySlot{
			Number: i,
			Host:   slotHost(in, i),
			Weight: ptr.Deref(given[i].Weight, defaultWeight),
			Backup: given[i].Role == v1alpha1.FrontBackup,
		}
	}
	return out
}

// maxSlots is how many replicas an FTPServer may have.
const maxSlots = 64

// slotServer is the line for a slot in a configuration.
var slotServer = regexp.MustCompile(`(?m)^\s*server slot(\d{1,3}) `)

// FrontSlots is how many slots the configuration of a live front names: 0 where
// there is none.
func FrontSlots(live *appsv1.Deployment) int {
	if live == nil {
		return 0
	}
	n := 0
	for _, line := range slotServer.FindAllStringSubmatch(live.Spec.Template.Annotations[AnnotationFrontConfig], -1) {
		if number, err := strconv.Atoi(line[1]); err == nil {
			n = max(n, number+1)
		}
	}
	return min(n, maxSlots)
}
