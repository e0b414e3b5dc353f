package fakes

import (
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// objects are the informers that all fakes share.
type objects struct {
	pods, nodes, services, claims, volumes, attachments, classes cache.SharedIndexInformer
}

func newObjects(factory informers.SharedInformerFactory) *objects {
	core, storage := factory.Core().V1(), factory.Storage().V1()
	return &objects{
		pods:        core.Pods().Informer(),
		nodes:       core.Nodes().Informer(),
		services:    core.Services().Informer(),
		claims:      core.PersistentVolumeClaims().Informer(),
		volumes:     core.PersistentVolumes().Informer(),
		attachments: storage.VolumeAttachments().Informer(),
		classes:     storage.StorageClasses().Informer(),
	}
}

// all returns what an informer holds. The objects are shared and must not be changed.
func all[T any](informer cache.SharedIndexInformer) []T {
	var found []T
	for _, object := range informer.GetStore().List() {
		if typed, ok := object.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

// named returns the zero value when there is no such object. A key is NAME or NAMESPACE/NAME.
func named[T any](informer cache.SharedIndexInformer, key string) T {
	object, _, _ := informer.GetStore().GetByKey(key)
	typed, _ := object.(T)
	return typed
}

func (o *objects) allPods() []*corev1.Pod         { return all[*corev1.Pod](o.pods) }
func (o *objects) allNodes() []*corev1.Node       { return all[*corev1.Node](o.nodes) }
func (o *objects) allServices() []*corev1.Service { return all[*corev1.Service](o.services) }
func (o *objects) allClaims() []*corev1.PersistentVolumeClaim {
	return all[*corev1.PersistentVolumeClaim](o.claims)
}
func (o *objects) allVolumes() []*corev1.PersistentVolume {
	return all[*corev1.PersistentVolume](o.volumes)
}
func (o *objects) allAttachments() []*storagev1.VolumeAttachment {
	return all[*storagev1.VolumeAttachment](o.attachments)
}

func (o *objects) node(name string) *corev1.Node { return named[*corev1.Node](o.nodes, name) }

func (o *objects) pod(namespace, name string) *corev1.Pod {
	return named[*corev1.Pod](o.pods, namespace+"/"+name)
}

func (o *objects) claim(namespace, name string) *corev1.PersistentVolumeClaim {
	return named[*corev1.PersistentVolumeClaim](o.claims, namespace+"/"+name)
}

func (o *objects) volume(name string) *corev1.PersistentVolume {
	return named[*corev1.PersistentVolume](o.volumes, name)
}

func (o *objects) class(name string) *storagev1.StorageClass {
	return named[*storagev1.StorageClass](o.classes, name)
}
