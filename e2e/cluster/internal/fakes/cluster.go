// Package fakes stands for the parts of a Kubernetes cluster that need machines, a network or a storage system.
//
// Every fake is level-triggered: it looks at all objects of its kind in an informer's store, whenever one changes and
// at short intervals, and writes what should be different. So a restart of the API server needs no special care.
package fakes

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Settings are the times that the fakes take for what they do not really do.
type Settings struct {
	// PodStart is from mounted volumes to a ready pod.
	PodStart time.Duration
	// PodStop is what containers need to end. A shorter grace period kills them.
	PodStop time.Duration
	// CrashRecovery is from a container's crash until its restarted successor is ready.
	CrashRecovery time.Duration
	// AttachTime is what the storage needs to attach or detach a volume.
	AttachTime time.Duration
}

// Cluster is all fakes together.
type Cluster struct {
	ctx      context.Context
	config   *rest.Config
	client   kubernetes.Interface
	objects  *objects
	settings Settings

	mu       sync.Mutex
	kubelets map[string]*kubelet
	// subnets counts all nodes there ever were, so that no two share addresses.
	subnets int
}

// Start returns when all nodes are ready and pods can be created.
func Start(ctx context.Context, kubeconfig string, settings Settings, machines []Machine) (*Cluster, error) {
	config, client, err := connect(kubeconfig)
	if err != nil {
		return nil, err
	}
	if err := allowKubelets(ctx, client); err != nil {
		return nil, fmt.Errorf("the kubelets' permissions: %w", err)
	}
	if err := installStorage(ctx, client); err != nil {
		return nil, fmt.Errorf("the storage class: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	cluster := &Cluster{
		ctx: ctx, config: config, client: client, objects: newObjects(factory), settings: settings,
		kubelets: map[string]*kubelet{},
	}
	runLoadBalancer(ctx, client, cluster.objects)
	runProvisioner(ctx, client, cluster.objects)
	runAttacher(ctx, client, cluster.objects, settings.AttachTime)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())

	for _, machine := range machines {
		if err := cluster.AddNode(ctx, machine); err != nil {
			return nil, fmt.Errorf("node %s: %w", machine.Name, err)
		}
	}
	return cluster, cluster.waitUntilUsable(ctx, len(machines))
}

// connect also lifts the client's own rate limit, which would make one fake wait for another.
func connect(kubeconfig string) (*rest.Config, kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, nil, err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	return config, client, err
}

// AddDefaultServiceAccount does what a controller otherwise does, so that pods can be created in the default namespace.
func AddDefaultServiceAccount(ctx context.Context, kubeconfig string) error {
	_, client, err := connect(kubeconfig)
	if err != nil {
		return err
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	return until(ctx, "the namespace default", func() bool {
		_, err := client.CoreV1().ServiceAccounts("default").Create(ctx, account, metav1.CreateOptions{})
		return err == nil || apierrors.IsAlreadyExists(err)
	})
}

func (c *Cluster) waitUntilUsable(ctx context.Context, nodes int) error {
	if err := until(ctx, "ready nodes", func() bool { return c.usableNodes() >= nodes }); err != nil {
		return err
	}
	return until(ctx, "the default service account", func() bool {
		_, err := c.client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
}

func (c *Cluster) usableNodes() int {
	usable := 0
	for _, node := range c.objects.allNodes() {
		if isReady(node) && len(node.Spec.Taints) == 0 {
			usable++
		}
	}
	return usable
}

func until(ctx context.Context, what string, condition func() bool) error {
	deadline := time.Now().Add(60 * time.Second)
	for !condition() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited 60 s in vain for %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}
