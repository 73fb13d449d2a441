// Package v1alpha1 is the API of ftp-operator: FTPServer, a running FTP/FTPS
// endpoint, and FTPUser, a login on one.
//
// It holds types, their validation as markers, and the conditions with their
// reasons. It must hold no logic: what follows from a spec is decided in
// controllers/policy and built in controllers/render.
//
// +kubebuilder:object:generate=true
// +groupName=ftp-operator.io
package v1alpha1
