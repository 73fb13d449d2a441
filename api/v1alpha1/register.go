package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of this API.
var GroupVersion = schema.GroupVersion{Group: "ftp-operator.io", Version: "v1alpha1"}

// The kinds of this API.
const (
	FTPServerKind = "FTPServer"
	FTPUserKind   = "FTPUser"
)

// AddToScheme adds the types of this API to a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &FTPServer{}, &FTPServerList{}, &FTPUser{}, &FTPUserList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
