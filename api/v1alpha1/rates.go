package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// RatesSpec holds each session to a rate, in bytes per second, whatever the others
// of the same user do. A change holds from the moment on that a pod has loaded it,
// also for transfers that run.
type RatesSpec struct {
	// downloadRatePerSession is how fast a session may download and list, in bytes
	// per second, from 1Ki to 1Ti, such as 10Mi; a fraction of a byte counts as one.
	// That of a user, or of anonymous logins, goes before that of the server.
	// Absent: none of its own.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="!quantity(string(self)).isLessThan(quantity('1Ki')) && !quantity(string(self)).isGreaterThan(quantity('1Ti'))",message="downloadRatePerSession must be between 1Ki and 1Ti bytes per second, such as 10Mi; leave it out for no limit here"
	DownloadRatePerSession *resource.Quantity `json:"downloadRatePerSession,omitempty"`

	// uploadRatePerSession is how fast a session may upload, in bytes per second,
	// from 1Ki to 1Ti, such as 10Mi; a fraction of a byte counts as one. That of a
	// user, or of anonymous logins, goes before that of the server. Absent: none of
	// its own.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="!quantity(string(self)).isLessThan(quantity('1Ki')) && !quantity(string(self)).isGreaterThan(quantity('1Ti'))",message="uploadRatePerSession must be between 1Ki and 1Ti bytes per second, such as 10Mi; leave it out for no limit here"
	UploadRatePerSession *resource.Quantity `json:"uploadRatePerSession,omitempty"`
}

// InBytes are the rates of downloads and of uploads, in bytes per second; 0 is none.
func (r RatesSpec) InBytes() (download, upload int64) {
	return inBytes(r.DownloadRatePerSession), inBytes(r.UploadRatePerSession)
}

// inBytes is 0 where there is none.
func inBytes(q *resource.Quantity) int64 {
	if q == nil {
		return 0
	}
	return q.Value()
}
