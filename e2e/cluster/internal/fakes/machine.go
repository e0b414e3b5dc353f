package fakes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Machine is what the cluster knows of a node's hardware and place.
type Machine struct {
	Name string `json:"name"`
	// Arch is as in the label kubernetes.io/arch.
	Arch string `json:"arch"`
	// Zone may be empty: then the node has no zone label.
	Zone string `json:"zone,omitempty"`
}

// What a request for a node or pod may ask in vain.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("not possible now")
)

// AddNode starts a new node, whose kubelet registers it.
func (c *Cluster) AddNode(ctx context.Context, machine Machine) error {
	if machine.Name == "" || machine.Arch == "" {
		return fmt.Errorf("%w: a node needs a name and an arch", ErrConflict)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kubelets[machine.Name] != nil {
		return fmt.Errorf("%w: node %s exists", ErrConflict, machine.Name)
	}
	c.subnets++
	kubelet, err := newKubelet(c, machine, c.subnets)
	if err != nil {
		return err
	}
	if err := kubelet.register(ctx); err != nil {
		return err
	}
	kubelet.start(c.ctx)
	c.kubelets[machine.Name] = kubelet
	return nil
}

// StopNode stops a node, as a power failure does. Its node object stays.
func (c *Cluster) StopNode(name string) error {
	return c.withKubelet(name, func(k *kubelet) error { return k.stop() })
}

// StartNode boots a stopped node.
func (c *Cluster) StartNode(name string) error {
	return c.withKubelet(name, func(k *kubelet) error { return k.start(c.ctx) })
}

// IsolateNode takes the network from a node: its containers run on, but nobody hears of them.
func (c *Cluster) IsolateNode(name string) error {
	return c.withKubelet(name, func(k *kubelet) error { return k.setIsolated(true) })
}

// ReconnectNode gives an isolated node its network back.
func (c *Cluster) ReconnectNode(name string) error {
	return c.withKubelet(name, func(k *kubelet) error { return k.setIsolated(false) })
}

// RemoveNode stops a node and deletes its object, as a cloud controller does.
func (c *Cluster) RemoveNode(ctx context.Context, name string) error {
	return c.withKubelet(name, func(k *kubelet) error {
		_ = k.stop()
		err := c.client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		delete(c.kubelets, name)
		return nil
	})
}

// CrashPod ends one container of a running pod, by default the first, which its kubelet restarts at once.
func (c *Cluster) CrashPod(namespace, name, container string) error {
	pod := c.objects.pod(namespace, name)
	if pod == nil {
		return fmt.Errorf("%w: pod %s/%s", ErrNotFound, namespace, name)
	}
	return c.withKubelet(pod.Spec.NodeName, func(k *kubelet) error { return k.crash(pod, container) })
}

func (c *Cluster) withKubelet(name string, do func(*kubelet) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kubelet := c.kubelets[name]; kubelet != nil {
		return do(kubelet)
	}
	return fmt.Errorf("%w: node %q", ErrNotFound, name)
}

// NodeStatus is what a fake kubelet knows of itself.
type NodeStatus struct {
	Machine
	Running  bool `json:"running"`
	Isolated bool `json:"isolated"`
	// Pods are the pods with running containers, as NAMESPACE/NAME.
	Pods []string `json:"pods"`
}

// Nodes returns the machines, sorted by name.
func (c *Cluster) Nodes() []NodeStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	var nodes []NodeStatus
	for _, kubelet := range c.kubelets {
		nodes = append(nodes, kubelet.status())
	}
	slices.SortFunc(nodes, func(a, b NodeStatus) int { return strings.Compare(a.Name, b.Name) })
	return nodes
}

// allowKubelets gives all nodes the permissions that the Node authorizer gives each for its own objects.
func allowKubelets(ctx context.Context, client kubernetes.Interface) error {
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "e2e-cluster:kubelets"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:node"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:nodes"}},
	}
	_, err := client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
