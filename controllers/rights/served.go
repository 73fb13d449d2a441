package rights

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// ErrMore ends a manager because namespaces can be served that could not before:
// the caller makes one anew.
var ErrMore = errors.New("more namespaces can be served")

// Interval is how often namespaces that are not served are asked about again.
const Interval = 10 * time.Second

var servedGauge = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "ftp_operator_namespace_served",
	Help: "1: the operator serves the namespace. 0: it may not read what it would have to; its log says what. No name: all namespaces.",
}, []string{"namespace"})

func init() { metrics.Registry.MustRegister(servedGauge) }

// Served divides the namespaces that the operator is asked to serve into those
// that it can serve and the others. It is a Runnable and a health check.
type Served struct {
	// Namespaces are those that can be served. All of them, if All.
	Namespaces []string
	All        bool

	left   []string // not served; the empty one stands for all
	wanted []Right
	client client.Client
	log    logr.Logger
	every  time.Duration
}

// Divide asks for the rights in each namespace, and says in the log which ones
// are left out, and why. No namespaces means all.
func Divide(ctx context.Context, c client.Client, log logr.Logger, namespaces []string) (*Served, error) {
	wanted, err := OfRole()
	if err != nil {
		return nil, err
	}
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	s := &Served{wanted: wanted, client: c, log: log.WithName("rights"), every: Interval}
	servedGauge.Reset()
	for _, namespace := range slices.Compact(slices.Sorted(slices.Values(namespaces))) {
		missing, err := Missing(ctx, c, namespace, wanted)
		if err != nil {
			return nil, err
		}
		s.sort(namespace, missing)
	}
	return s, nil
}

func (s *Served) sort(namespace string, missing []Right) {
	readable := !slices.ContainsFunc(missing, Right.Reads)
	switch {
	case !readable && namespace == "":
		s.log.Error(nil, "Nothing is served: the operator may not read all namespaces. Bind its ClusterRole, or name the namespaces to serve in --namespaces",
			"missing", s.list(missing))
	case !readable:
		s.log.Error(nil, "Namespace is not served: does it exist, and has it the operator's Role and RoleBinding? It is served as soon as it has",
			"namespace", namespace, "missing", s.list(missing))
	case len(missing) > 0:
		s.log.Error(nil, "Namespace is served, but the operator lacks rights of its role there: what needs them fails",
			"namespace", namespace, "missing", s.list(missing))
	}
	value := 0.0
	switch {
	case !readable:
		s.left = append(s.left, namespace)
	case namespace == "":
		s.All, value = true, 1
	default:
		s.Namespaces, value = append(s.Namespaces, namespace), 1
	}
	servedGauge.WithLabelValues(namespace).Set(value)
}

// list is short enough for a line of the log.
func (s *Served) list(rights []Right) string {
	const most = 6
	if len(rights) == len(s.wanted) {
		return "all of the operator's role"
	}
	var out []string
	for _, r := range rights {
		if len(out) == most {
			out = append(out, fmt.Sprintf("and %d more", len(rights)-most))
			break
		}
		out = append(out, r.String())
	}
	return strings.Join(out, ", ")
}

// None tells that there is nothing to do.
func (s *Served) None() bool { return !s.All && len(s.Namespaces) == 0 }

// Check is a readiness check: it fails where nothing at all is served, so that a
// rollout to such an operator does not end the one before it. One namespace of
// several makes no operator unready, as that would hold up the others.
func (s *Served) Check(*http.Request) error {
	if s.None() {
		return errors.New("no namespace can be served: the operator's log says which rights are missing")
	}
	return nil
}

// NeedLeaderElection is false: every replica has a cache of its own.
func (s *Served) NeedLeaderElection() bool { return false }

// Start asks again until one of the namespaces that are not served can be, and
// then returns ErrMore. Of those that are served it asks nothing: where a right
// is withdrawn, what needs it fails there and succeeds again when it is back.
func (s *Served) Start(ctx context.Context) error {
	if len(s.left) == 0 {
		return nil
	}
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, namespace := range s.left {
			missing, err := Missing(ctx, s.client, namespace, s.reads())
			if err != nil {
				s.log.Error(err, "Rights could not be asked for", "namespace", namespace)
				continue
			}
			if len(missing) == 0 {
				s.log.Info("Namespace can be served now: starting again", "namespace", namespace)
				return ErrMore
			}
		}
	}
}

func (s *Served) reads() []Right {
	var out []Right
	for _, r := range s.wanted {
		if r.Reads() {
			out = append(out, r)
		}
	}
	return out
}
