package render

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func limits(s *v1alpha1.FTPServer) config.Limits {
	spec := s.Spec.Limits
	return config.Limits{
		Sessions:           int(spec.SessionsPerReplica),
		SessionsPerAddress: int(spec.SessionsPerAddress),
		IdleTimeout:        duration(spec.IdleTimeout),
		DrainTimeout:       drainTimeout(s),
		FailedLogins: config.FailedLogins{
			Mode:         guessing[spec.FailedLogins.Mode],
			LockoutAfter: int(spec.FailedLogins.LockoutAfter),
			LockoutFor:   duration(spec.FailedLogins.LockoutFor),
		},
		Rates: rates(spec.RatesSpec),
	}
}

func rates(spec v1alpha1.RatesSpec) (r config.Rates) {
	r.DownloadRatePerSession, r.UploadRatePerSession = spec.InBytes()
	return r
}

var guessing = map[v1alpha1.FailedLoginsMode]config.GuessingMode{
	v1alpha1.FailedLoginsLockout: config.GuessingLockout,
	v1alpha1.FailedLoginsDelay:   config.GuessingDelay,
	v1alpha1.FailedLoginsNone:    config.GuessingOff,
}

// duration is 0 where there is none.
func duration(d *metav1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return d.Duration
}

// drainMargin is what the server keeps of the grace period to end in order.
const drainMargin = 5 * time.Second

// drainTimeout is how long sessions may finish: the kubelet kills whatever is
// left at the end of the grace period.
func drainTimeout(s *v1alpha1.FTPServer) time.Duration {
	grace := gracePeriod(s)
	return max(grace-drainMargin, grace/2, time.Second)
}

// routesFollow is how long nodes may take to hear that a pod is leaving. Until then
// they send it new clients.
const routesFollow = 3 * time.Second

// drainAtLeast is for slots that others stand in for. With one slot, the next pod waits
// for the end of this one, and there is nowhere else to send clients to.
func drainAtLeast(in Input) time.Duration {
	if in.Slots < 2 {
		return 0
	}
	return min(routesFollow, drainTimeout(in.Server))
}
