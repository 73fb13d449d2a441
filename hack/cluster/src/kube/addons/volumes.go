package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

const (
	provisionerName = "local.ftp-operator.io/directory"

	// reachParameter of a StorageClass says who can mount its volumes: the one
	// node that the first consumer runs on, or every node.
	reachParameter = "reach"
	reachNode      = "node"
	reachCluster   = "cluster"
)

// directories makes one directory for each claim. All nodes are on one machine,
// so a directory that every node sees is as simple as one that only one may use.
type directories struct{ hostDir, nodeDir string }

func (d directories) Provision(_ context.Context, o controller.ProvisionOptions) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	pv, err := d.volume(o)
	if err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	dir := filepath.Join(d.hostDir, o.PVName)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	// Past the umask: a pod that runs as a user of its own must be able to write.
	if err := os.Chmod(dir, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return pv, controller.ProvisioningFinished, nil
}

func (d directories) volume(o controller.ProvisionOptions) (*corev1.PersistentVolume, error) {
	if mode := o.PVC.Spec.VolumeMode; mode != nil && *mode != corev1.PersistentVolumeFilesystem {
		return nil, errors.New("only volumes with a file system are supported")
	}
	pv := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *o.StorageClass.ReclaimPolicy,
			AccessModes:                   o.PVC.Spec.AccessModes,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: o.PVC.Spec.Resources.Requests[corev1.ResourceStorage]},
		},
	}
	path := filepath.Join(d.nodeDir, o.PVName)
	switch reach := o.StorageClass.Parameters[reachParameter]; reach {
	case reachCluster:
		exists := corev1.HostPathDirectory
		pv.Spec.HostPath = &corev1.HostPathVolumeSource{Path: path, Type: &exists}
	case reachNode:
		if err := checkOneNode(o); err != nil {
			return nil, err
		}
		pv.Spec.Local = &corev1.LocalVolumeSource{Path: path}
		pv.Spec.NodeAffinity = onlyNode(o.SelectedNodeName)
	default:
		return nil, fmt.Errorf("the StorageClass's parameter %s is %q, not %s or %s", reachParameter, reach, reachNode, reachCluster)
	}
	return pv, nil
}

// checkOneNode refuses what a volume of one node can't do, as a cloud's disk would.
func checkOneNode(o controller.ProvisionOptions) error {
	if o.SelectedNodeName == "" {
		return errors.New("the StorageClass must have volumeBindingMode: WaitForFirstConsumer")
	}
	modes := o.PVC.Spec.AccessModes
	if slices.Contains(modes, corev1.ReadWriteMany) || slices.Contains(modes, corev1.ReadOnlyMany) {
		return fmt.Errorf("StorageClass %s can be mounted on one node only; for ReadWriteMany use the class shared", o.StorageClass.Name)
	}
	return nil
}

func onlyNode(name string) *corev1.VolumeNodeAffinity {
	return &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{{
			Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{name},
		}},
	}}}}
}

// Delete removes the volume's directory. The path comes from the directory's
// name alone: whatever an object claims, nothing outside of hostDir is touched.
func (d directories) Delete(_ context.Context, pv *corev1.PersistentVolume) error {
	var path string
	switch {
	case pv.Spec.Local != nil:
		path = pv.Spec.Local.Path
	case pv.Spec.HostPath != nil:
		path = pv.Spec.HostPath.Path
	}
	if path != filepath.Join(d.nodeDir, pv.Name) {
		return fmt.Errorf("volume %s at %q was not made here", pv.Name, path)
	}
	return os.RemoveAll(filepath.Join(d.hostDir, pv.Name))
}
