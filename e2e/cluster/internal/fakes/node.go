package fakes

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-base/version"
)

const (
	leaseNamespace   = "kube-node-lease"
	leaseRenewPeriod = time.Second
	statusPeriod     = 10 * time.Second
	// controllerAttaches tells the attach-detach controller to attach the volumes of this node.
	controllerAttaches = "volumes.kubernetes.io/controller-managed-attach-detach"
)

// register creates the node and its CSINode.
func (k *kubelet) register(ctx context.Context) error {
	labels := map[string]string{
		corev1.LabelHostname:   k.machine.Name,
		corev1.LabelArchStable: k.machine.Arch,
		corev1.LabelOSStable:   "linux",
	}
	if k.machine.Zone != "" {
		labels[corev1.LabelTopologyZone] = k.machine.Zone
	}
	node, err := k.client.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name:        k.machine.Name,
		Labels:      labels,
		Annotations: map[string]string{controllerAttaches: "true"},
	}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return k.registerDriver(ctx, node)
}

func (k *kubelet) registerDriver(ctx context.Context, node *corev1.Node) error {
	driver := storagev1.CSINodeDriver{Name: driverName, NodeID: node.Name}
	if k.machine.Zone != "" {
		driver.TopologyKeys = []string{corev1.LabelTopologyZone}
	}
	api := k.client.StorageV1().CSINodes()
	// One of an earlier node of this name may still wait for the garbage collector.
	if err := api.Delete(ctx, node.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	_, err := api.Create(ctx, &storagev1.CSINode{
		ObjectMeta: metav1.ObjectMeta{Name: node.Name, OwnerReferences: ownedBy(node)},
		Spec:       storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{driver}},
	}, metav1.CreateOptions{})
	return err
}

func ownedBy(node *corev1.Node) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID}}
}

// keepLease is the heartbeat by which the node lifecycle controller knows that the node lives.
func (k *kubelet) keepLease(ctx context.Context) {
	ticker := time.NewTicker(leaseRenewPeriod)
	defer ticker.Stop()
	for {
		if !k.isIsolated() {
			if err := k.renewLease(ctx); ctx.Err() == nil {
				logged("node lease", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (k *kubelet) renewLease(ctx context.Context) error {
	api := k.client.CoordinationV1().Leases(leaseNamespace)
	now := metav1.NowMicro()
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"renewTime": now}})
	if err != nil {
		return err
	}
	_, err = api.Patch(ctx, k.machine.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	node := k.objects.node(k.machine.Name)
	if !apierrors.IsNotFound(err) || node == nil {
		return err
	}
	holder, seconds := k.machine.Name, int32(40)
	_, err = api.Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: k.machine.Name, OwnerReferences: ownedBy(node)},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: &now},
	}, metav1.CreateOptions{})
	return err
}

// reportNodeIfDue writes the node's status when it differs from what was reported, or else now and then.
func (k *kubelet) reportNodeIfDue(ctx context.Context) error {
	inUse := k.volumesInUse()
	node := k.objects.node(k.machine.Name)
	// The lifecycle controller sets the conditions of a silent node to unknown; the node resets them as soon as it runs again.
	age := time.Since(k.reportedAt)
	forgotten := node != nil && !isReady(node) && age > leaseRenewPeriod
	if slices.Equal(inUse, k.reportedInUse) && age < statusPeriod && !forgotten {
		return nil
	}
	if err := k.reportNode(ctx, inUse); err != nil {
		return err
	}
	k.reportedInUse, k.reportedAt = inUse, time.Now()
	return nil
}

func (k *kubelet) reportNode(ctx context.Context, inUse []corev1.UniqueVolumeName) error {
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("8"),
		corev1.ResourceMemory:           resource.MustParse("32Gi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"),
		corev1.ResourcePods:             resource.MustParse("110"),
	}
	// A patch, because the attach-detach controller writes volumesAttached in the same status; not made from a NodeStatus,
	// because that leaves an empty list out instead of writing it.
	patch, err := json.Marshal(map[string]any{"status": map[string]any{
		"capacity":     capacity,
		"allocatable":  capacity,
		"conditions":   nodeConditions(k.objects.node(k.machine.Name)),
		"addresses":    k.nodeAddresses(),
		"nodeInfo":     k.nodeInfo(),
		"volumesInUse": inUse,
	}})
	if err != nil {
		return err
	}
	_, err = k.client.CoreV1().Nodes().PatchStatus(ctx, k.machine.Name, patch)
	return err
}

func (k *kubelet) nodeAddresses() []corev1.NodeAddress {
	return []corev1.NodeAddress{
		{Type: corev1.NodeInternalIP, Address: k.address()},
		{Type: corev1.NodeHostName, Address: k.machine.Name},
	}
}

// address is from TEST-NET-2, apart from those of pods and load balancers.
func (k *kubelet) address() string { return fmt.Sprintf("198.51.100.%d", k.subnet%254+1) }

func (k *kubelet) nodeInfo() corev1.NodeSystemInfo {
	return corev1.NodeSystemInfo{
		Architecture:            k.machine.Arch,
		OperatingSystem:         "linux",
		OSImage:                 "fake",
		KernelVersion:           "6.0.0-fake",
		ContainerRuntimeVersion: "fake://1.0.0",
		KubeletVersion:          version.Get().GitVersion,
		MachineID:               k.machine.Name,
		SystemUUID:              k.machine.Name,
		BootID:                  k.bootID,
	}
}

// nodeConditions keeps the time of each condition's last change when node, which may be nil, has the same already.
func nodeConditions(node *corev1.Node) []corev1.NodeCondition {
	now := metav1.Now()
	wanted := []corev1.NodeCondition{
		{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady"},
		{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientMemory"},
		{Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasNoDiskPressure"},
		{Type: corev1.NodePIDPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientPID"},
	}
	for i := range wanted {
		condition := &wanted[i]
		condition.LastHeartbeatTime, condition.LastTransitionTime = now, now
		if previous := nodeCondition(node, condition.Type); previous != nil && previous.Status == condition.Status {
			condition.LastTransitionTime = previous.LastTransitionTime
		}
	}
	return wanted
}

func nodeCondition(node *corev1.Node, wanted corev1.NodeConditionType) *corev1.NodeCondition {
	if node == nil {
		return nil
	}
	for i := range node.Status.Conditions {
		if node.Status.Conditions[i].Type == wanted {
			return &node.Status.Conditions[i]
		}
	}
	return nil
}

func isReady(node *corev1.Node) bool {
	condition := nodeCondition(node, corev1.NodeReady)
	return condition != nil && condition.Status == corev1.ConditionTrue
}
