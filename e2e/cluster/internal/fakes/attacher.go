package fakes

import (
	"context"
	"fmt"
	"slices"
	"time"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// attacherFinalizer keeps a VolumeAttachment until its volume is really detached.
const attacherFinalizer = "external-attacher/" + driverName

// attacher stands for the external-attacher of a CSI driver and the storage behind it: it carries out what the real
// attach-detach controller orders by VolumeAttachments, and refuses to attach a volume to a second node.
//
// It can detach from a failed node, as clouds can, and never fails.
type attacher struct {
	client   kubernetes.Interface
	objects  *objects
	duration time.Duration
	// holders is the node that each volume is attached to: the storage's own truth, ahead of what the API shows.
	holders map[string]string
	// begun is when an order in hand was first seen.
	begun map[order]time.Time
}

// order is to attach or to detach.
type order struct {
	attachment types.UID
	detach     bool
}

func runAttacher(ctx context.Context, client kubernetes.Interface, objects *objects, duration time.Duration) {
	a := &attacher{
		client: client, objects: objects, duration: duration,
		holders: map[string]string{}, begun: map[order]time.Time{},
	}
	changed := newBell()
	changed.on(objects.attachments)
	go repeat(ctx, changed, a.sync)
}

func (a *attacher) sync(ctx context.Context) {
	inHand := map[order]time.Time{}
	for _, attachment := range a.objects.allAttachments() {
		detach := attachment.DeletionTimestamp != nil
		if attachment.Spec.Attacher != driverName || (attachment.Status.Attached && !detach) {
			continue
		}
		holder := a.holders[volumeOf(attachment)]
		if !detach && holder != "" && holder != attachment.Spec.NodeName {
			a.refuse(ctx, attachment, holder)
			continue
		}
		current := order{attachment: attachment.UID, detach: detach}
		since, known := a.begun[current]
		if !known {
			since = time.Now()
		}
		inHand[current] = since
		if time.Since(since) >= a.duration {
			a.carryOut(ctx, attachment, detach)
		}
	}
	a.begun = inHand
}

func (a *attacher) carryOut(ctx context.Context, attachment *storagev1.VolumeAttachment, detach bool) {
	volume, node := volumeOf(attachment), attachment.Spec.NodeName
	if !detach {
		a.holders[volume] = node
		logged("attacher", a.attach(ctx, attachment))
		return
	}
	err := a.detach(ctx, attachment)
	if err == nil && a.holders[volume] == node {
		delete(a.holders, volume)
	}
	logged("attacher", err)
}

func volumeOf(attachment *storagev1.VolumeAttachment) string {
	if name := attachment.Spec.Source.PersistentVolumeName; name != nil {
		return *name
	}
	return ""
}

func (a *attacher) attach(ctx context.Context, attachment *storagev1.VolumeAttachment) error {
	api := a.client.StorageV1().VolumeAttachments()
	attachment = attachment.DeepCopy()
	if !slices.Contains(attachment.Finalizers, attacherFinalizer) {
		attachment.Finalizers = append(attachment.Finalizers, attacherFinalizer)
		updated, err := api.Update(ctx, attachment, metav1.UpdateOptions{})
		if err != nil {
			return err
		}
		attachment = updated
	}
	attachment.Status = storagev1.VolumeAttachmentStatus{Attached: true}
	_, err := api.UpdateStatus(ctx, attachment, metav1.UpdateOptions{})
	return err
}

func (a *attacher) detach(ctx context.Context, attachment *storagev1.VolumeAttachment) error {
	attachment = attachment.DeepCopy()
	attachment.Finalizers = slices.DeleteFunc(attachment.Finalizers, func(name string) bool { return name == attacherFinalizer })
	_, err := a.client.StorageV1().VolumeAttachments().Update(ctx, attachment, metav1.UpdateOptions{})
	return err
}

func (a *attacher) refuse(ctx context.Context, attachment *storagev1.VolumeAttachment, holder string) {
	message := fmt.Sprintf("volume %s is attached to node %s", volumeOf(attachment), holder)
	if previous := attachment.Status.AttachError; previous != nil && previous.Message == message {
		return
	}
	attachment = attachment.DeepCopy()
	attachment.Status.AttachError = &storagev1.VolumeError{Time: metav1.Now(), Message: message}
	_, err := a.client.StorageV1().VolumeAttachments().UpdateStatus(ctx, attachment, metav1.UpdateOptions{})
	logged("attacher", err)
}
