package e2e

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// certificateChanges are those of what clients verify the server by.
func certificateChanges() []liveChange {
	return []liveChange{{
		name: "given certificate replaced",
		before: func(s *stage, i int) {
			if s.authority.ca == nil {
				s.authority = newAuthority(s.t)
			}
			s.given = s.authority.secret(s.t, s.server.Namespace, "given-tls", given(i, "old"))
			create(s.t, s.given)
			s.setServer(func(f *v1alpha1.FTPServerSpec) {
				f.TLS.Certificates = []v1alpha1.TLSCertificate{{Name: "given", SecretRef: v1alpha1.LocalReference{Name: "given-tls"}}}
			})
			ready(s.t, s.server)
			must(s.t, problemOf(s.shows(s.authority.file, given(i, "old"))))
		},
		// Its object, the Secret, has no status.
		apply: func(s *stage, i int) {
			renewed := s.authority.secret(s.t, s.server.Namespace, "given-tls", given(i, "new"))
			change(s.t, s.given, func() { s.given.Data = renewed.Data })
		},
		effect: func(s *stage, i int) string { return s.shows(s.authority.file, given(i, "new")) },
		after: func(s *stage, i int) string {
			problem := loginProblem(s.t, s.authority.named(s.curl, given(i, "new")))
			s.setServer(func(f *v1alpha1.FTPServerSpec) { f.TLS.Certificates = nil })
			must(s.t, kube.Delete(soon(s.t), s.given))
			ready(s.t, s.server)
			return problem
		},
	}, {
		// What becomes of clients' trust when somebody deletes the authority; its
		// own way of changing takes years and is walked in controllers.
		name: "authority made anew",
		apply: func(s *stage, _ int) {
			must(s.t, kube.Delete(soon(s.t), &corev1.Secret{ObjectMeta: objectMeta(s.server.Namespace, "files-authority")}))
		},
		effect: func(s *stage, _ int) string {
			before := read(s.t, s.curl.Target.CAFile)
			bundle := caFile(s.t, s.server)
			if string(read(s.t, bundle)) == string(before) {
				return "the bundle is still the old one"
			}
			return s.shows(bundle, s.curl.Target.Host)
		},
		after: func(s *stage, _ int) string {
			s.curl.Target.CAFile = caFile(s.t, s.server)
			s.door = doorOf(s.t, s.door.dial, s.curl)
			return ""
		},
		confirm: func(s *stage, _ int) string { return loginProblem(s.t, s.curl) },
	}}
}

func given(i int, which string) string { return fmt.Sprintf("%s%d.given.example.com", which, i) }

// shows looks whether a new session is shown a certificate for the name, which
// the authorities in the file verify.
func (s *stage) shows(caFile, name string) string {
	c := s.curl
	c.Target.CAFile = caFile
	d := doorOf(s.t, s.door.dial, c)
	d.tls.ServerName = name
	opened, err := d.open()
	if err != nil {
		return err.Error()
	}
	opened.close()
	return ""
}

func problemOf(problem string) error {
	if problem == "" {
		return nil
	}
	return fmt.Errorf("%s", problem)
}
