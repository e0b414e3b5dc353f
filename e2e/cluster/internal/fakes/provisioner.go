package fakes

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// What the real persistent volume controller and scheduler write on a claim for the provisioner.
const (
	provisionerAnnotation  = "volume.kubernetes.io/storage-provisioner"
	selectedNodeAnnotation = "volume.kubernetes.io/selected-node"
)

// provisioner stands for the external-provisioner of a CSI driver: it makes a volume for a claim, in the zone of the node
// that the scheduler chose, and deletes released volumes.
//
// It stores no data, never runs out of space, and knows neither snapshots, clones nor expansion.
type provisioner struct {
	client  kubernetes.Interface
	objects *objects
}

func runProvisioner(ctx context.Context, client kubernetes.Interface, objects *objects) {
	p := &provisioner{client: client, objects: objects}
	changed := newBell()
	changed.on(objects.claims, objects.volumes, objects.attachments)
	go repeat(ctx, changed, p.sync)
}

func (p *provisioner) sync(ctx context.Context) {
	for _, claim := range p.objects.allClaims() {
		if p.isWanted(claim) {
			_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, p.volumeFor(claim), metav1.CreateOptions{})
			if !apierrors.IsAlreadyExists(err) {
				logged("provisioner", err)
			}
		}
	}
	for _, volume := range p.objects.allVolumes() {
		if p.isDisposable(volume) {
			logged("provisioner", p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{}))
		}
	}
}

func (p *provisioner) isWanted(claim *corev1.PersistentVolumeClaim) bool {
	return claim.Spec.VolumeName == "" &&
		claim.DeletionTimestamp == nil &&
		claim.Annotations[provisionerAnnotation] == driverName &&
		p.objects.volume(volumeName(claim)) == nil
}

// isDisposable: a volume that is still attached cannot be deleted.
func (p *provisioner) isDisposable(volume *corev1.PersistentVolume) bool {
	if !isOurs(volume) || volume.DeletionTimestamp != nil ||
		volume.Status.Phase != corev1.VolumeReleased ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return false
	}
	for _, attachment := range p.objects.allAttachments() {
		if source := attachment.Spec.Source.PersistentVolumeName; source != nil && *source == volume.Name {
			return false
		}
	}
	return true
}

func isOurs(volume *corev1.PersistentVolume) bool {
	return volume.Spec.CSI != nil && volume.Spec.CSI.Driver == driverName
}

func volumeName(claim *corev1.PersistentVolumeClaim) string { return "pvc-" + string(claim.UID) }

func (p *provisioner) volumeFor(claim *corev1.PersistentVolumeClaim) *corev1.PersistentVolume {
	name := volumeName(claim)
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": driverName},
		},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      claim.Spec.Resources.Requests,
			VolumeMode:                    claim.Spec.VolumeMode,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			NodeAffinity: p.reachableFrom(claim.Annotations[selectedNodeAnnotation]),
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				CSI: &corev1.CSIPersistentVolumeSource{Driver: driverName, VolumeHandle: name, FSType: "ext4"},
			},
		},
	}
	if claim.Spec.StorageClassName != nil {
		volume.Spec.StorageClassName = *claim.Spec.StorageClassName
		if class := p.objects.class(volume.Spec.StorageClassName); class != nil && class.ReclaimPolicy != nil {
			volume.Spec.PersistentVolumeReclaimPolicy = *class.ReclaimPolicy
		}
	}
	return volume
}

// reachableFrom ties a volume to the node's zone. Without zones every node can attach it.
func (p *provisioner) reachableFrom(nodeName string) *corev1.VolumeNodeAffinity {
	node := p.objects.node(nodeName)
	if node == nil || node.Labels[corev1.LabelTopologyZone] == "" {
		return nil
	}
	return &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{{
			Key:      corev1.LabelTopologyZone,
			Operator: corev1.NodeSelectorOpIn,
			Values:   []string{node.Labels[corev1.LabelTopologyZone]},
		}},
	}}}}
}
