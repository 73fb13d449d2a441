package config

import "errors"

// Admin configures the endpoints for operators. An empty address switches an
// endpoint off. Changing an address takes a restart.
type Admin struct {
	// Listen serves /healthz, /readyz and /metrics over plain HTTP. Nothing
	// secret is told, nothing can be changed.
	Listen string `yaml:"listen,omitempty"`
	// Status serves /status over TLS to whoever has the token.
	Status StatusEndpoint `yaml:"status,omitempty"`
}

// StatusEndpoint configures /status.
type StatusEndpoint struct {
	Listen string `yaml:"listen,omitempty"`
	// CertFile and KeyFile are its certificate, TokenFile holds the bearer
	// token. All three are read anew when they change.
	CertFile  string `yaml:"certFile,omitempty"`
	KeyFile   string `yaml:"keyFile,omitempty"`
	TokenFile string `yaml:"tokenFile,omitempty"`
}

func (a *Admin) validate() error {
	errs := []error{listenAddress("admin.listen", a.Listen, false)}
	s := a.Status
	if s.Listen != "" {
		errs = append(errs, listenAddress("admin.status.listen", s.Listen, true))
		if s.CertFile == "" || s.KeyFile == "" || s.TokenFile == "" {
			errs = append(errs, errors.New("admin.status: give certFile, keyFile and tokenFile"))
		}
	}
	return errors.Join(errs...)
}
