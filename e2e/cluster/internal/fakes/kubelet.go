package fakes

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// kubelet replaces a node with its kubelet and container runtime: it registers the node, keeps its lease, waits for
// volumes, "runs" pods and stops them, and writes their status as the user system:node:NAME.
//
// It runs no processes, pulls no images and calls no probes: every container of any image and architecture starts, gets
// ready and runs until it is crashed or stopped. So Jobs never complete, and logs, exec and port-forward do not exist.
type kubelet struct {
	machine  Machine
	client   kubernetes.Interface
	objects  *objects
	settings Settings
	subnet   int
	changed  bell

	mu       sync.Mutex
	pods     map[types.UID]*podRun
	lastPod  int
	bootID   string
	silence  context.CancelFunc
	finished *sync.WaitGroup
	// isolated is true while the node has no network.
	isolated bool

	// Only the pod loop uses these.
	reportedInUse []corev1.UniqueVolumeName
	reportedAt    time.Time
}

func newKubelet(cluster *Cluster, machine Machine, subnet int) (*kubelet, error) {
	config := rest.CopyConfig(cluster.config)
	config.Timeout = 5 * time.Second
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:node:" + machine.Name,
		Groups:   []string{"system:nodes", "system:authenticated"},
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	k := &kubelet{
		machine: machine, client: client, objects: cluster.objects, settings: cluster.settings, subnet: subnet,
		changed: newBell(),
	}
	k.changed.on(cluster.objects.pods, cluster.objects.nodes)
	return k, nil
}

// start boots the node: no container runs yet.
func (k *kubelet) start(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.silence != nil {
		return fmt.Errorf("%w: node %s runs", ErrConflict, k.machine.Name)
	}
	ctx, k.silence = context.WithCancel(ctx)
	k.finished = &sync.WaitGroup{}
	k.pods = map[types.UID]*podRun{}
	k.bootID = string(uuid.NewUUID())
	k.isolated = false
	k.reportedInUse, k.reportedAt = nil, time.Time{}
	k.finished.Go(func() { k.keepLease(ctx) })
	k.finished.Go(func() { repeat(ctx, k.changed, k.sync) })
	return nil
}

// stop returns when nothing more will be written.
func (k *kubelet) stop() error {
	k.mu.Lock()
	silence, finished := k.silence, k.finished
	k.silence, k.pods = nil, nil
	k.mu.Unlock()
	if silence == nil {
		return fmt.Errorf("%w: node %s is stopped", ErrConflict, k.machine.Name)
	}
	silence()
	finished.Wait()
	return nil
}

// setIsolated takes the network from the node or gives it back. Meanwhile its containers run on, and it neither hears of
// changes nor tells of any.
func (k *kubelet) setIsolated(isolated bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.silence == nil {
		return fmt.Errorf("%w: node %s is stopped", ErrConflict, k.machine.Name)
	}
	if k.isolated == isolated {
		return fmt.Errorf("%w: node %s is isolated: %t", ErrConflict, k.machine.Name, isolated)
	}
	k.isolated = isolated
	k.changed.ring()
	return nil
}

func (k *kubelet) isIsolated() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.isolated
}

func (k *kubelet) crash(pod *corev1.Pod, container string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	run := k.pods[pod.UID]
	if run == nil || run.stage != running {
		return fmt.Errorf("%w: pod %s/%s is not running", ErrConflict, pod.Namespace, pod.Name)
	}
	defer k.changed.ring()
	return run.crash(pod, container, time.Now(), k.settings.CrashRecovery)
}

func (k *kubelet) status() NodeStatus {
	k.mu.Lock()
	defer k.mu.Unlock()
	status := NodeStatus{Machine: k.machine, Running: k.silence != nil, Isolated: k.isolated, Pods: []string{}}
	for _, run := range k.pods {
		if run.stage == running || run.stage == stopping {
			status.Pods = append(status.Pods, run.name)
		}
	}
	return status
}

func (k *kubelet) sync(ctx context.Context) {
	if k.isIsolated() {
		return
	}
	bound := k.boundPods()
	k.advance(bound)
	// The order protects data: a volume is reported as in use before a pod may start on it, and as free only after the
	// pod has stopped.
	if err := k.reportNodeIfDue(ctx); err != nil {
		logged("node status", err)
		return
	}
	for uid, pod := range bound {
		if ctx.Err() == nil {
			k.report(ctx, uid, pod)
		}
	}
}

func (k *kubelet) boundPods() map[types.UID]*corev1.Pod {
	bound := map[types.UID]*corev1.Pod{}
	for _, pod := range k.objects.allPods() {
		if pod.Spec.NodeName == k.machine.Name {
			bound[pod.UID] = pod
		}
	}
	return bound
}

// advance advances all pods of the node and starts new ones.
func (k *kubelet) advance(bound map[types.UID]*corev1.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	for uid, run := range k.pods {
		run.advance(now, bound[uid], k)
		if bound[uid] == nil && run.stage == stopped {
			delete(k.pods, uid)
		}
	}
	for uid, pod := range bound {
		if k.pods != nil && k.pods[uid] == nil && (!hasEnded(pod) || pod.DeletionTimestamp != nil) {
			k.pods[uid] = newPodRun(pod)
		}
	}
}

// mayMount is true when the attach-detach controller reports the volumes as attached and in use.
func (k *kubelet) mayMount(volumes []corev1.UniqueVolumeName) bool {
	if len(volumes) == 0 {
		return true
	}
	node := k.objects.node(k.machine.Name)
	if node == nil {
		return false
	}
	for _, volume := range volumes {
		if !isAttached(node, volume) || !isInUse(node, volume) {
			return false
		}
	}
	return true
}

func (k *kubelet) nextAddress() string {
	k.lastPod++
	return fmt.Sprintf("10.244.%d.%d", k.subnet%256, k.lastPod%254+1)
}
