package fakes

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// attachableVolumes returns the volumes of a pod's claims that must be attached to its node, by the names that the
// attach-detach controller gives them. It is not yet known as long as a claim is not seen to be bound: the pod's binding
// to the node may be seen earlier.
func (o *objects) attachableVolumes(pod *corev1.Pod) (names []corev1.UniqueVolumeName, known bool) {
	for _, volume := range pod.Spec.Volumes {
		claimName := claimOf(pod, volume)
		if claimName == "" {
			continue
		}
		claim := o.claim(pod.Namespace, claimName)
		if claim == nil {
			return nil, false
		}
		persistent := o.volume(claim.Spec.VolumeName)
		if persistent == nil {
			return nil, false
		}
		if persistent.Spec.CSI != nil {
			names = append(names, uniqueName(persistent.Spec.CSI))
		}
	}
	return names, true
}

func claimOf(pod *corev1.Pod, volume corev1.Volume) string {
	switch {
	case volume.PersistentVolumeClaim != nil:
		return volume.PersistentVolumeClaim.ClaimName
	case volume.Ephemeral != nil:
		return pod.Name + "-" + volume.Name
	default:
		return ""
	}
}

func uniqueName(source *corev1.CSIPersistentVolumeSource) corev1.UniqueVolumeName {
	return corev1.UniqueVolumeName("kubernetes.io/csi/" + source.Driver + "^" + source.VolumeHandle)
}

func isAttached(node *corev1.Node, volume corev1.UniqueVolumeName) bool {
	return slices.ContainsFunc(node.Status.VolumesAttached, func(attached corev1.AttachedVolume) bool {
		return attached.Name == volume
	})
}

func isInUse(node *corev1.Node, volume corev1.UniqueVolumeName) bool {
	return slices.Contains(node.Status.VolumesInUse, volume)
}

// volumesInUse are those of all pods that have not stopped, sorted.
func (k *kubelet) volumesInUse() []corev1.UniqueVolumeName {
	k.mu.Lock()
	defer k.mu.Unlock()
	names := []corev1.UniqueVolumeName{}
	for _, run := range k.pods {
		if run.stage != stopped {
			names = append(names, run.volumes...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
