package fakes

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// stage is the stage of a pod on a node.
type stage int

const (
	// waiting for the volumes.
	waiting stage = iota
	// starting the containers.
	starting
	running
	// stopping within the grace period; the volumes are still mounted.
	stopping
	// stopped: no container runs, no volume is mounted.
	stopped
)

// podRun is a pod on a node. It may outlive its object: a pod that is deleted by force still has to stop.
type podRun struct {
	name    string
	volumes []corev1.UniqueVolumeName
	stage   stage
	// stageEnds is set while starting and stopping.
	stageEnds  time.Time
	acceptedAt time.Time
	address    string
	// killed is true when the grace period was too short to stop in peace.
	killed     bool
	containers []*containerRun
	// deleted is true once the object's deletion was confirmed to the API server.
	deleted bool
}

type containerRun struct {
	name       string
	restarts   int32
	startedAt  time.Time
	readyAt    time.Time
	finishedAt time.Time
	// previous is how the last life of a restarted container ended.
	previous *corev1.ContainerStateTerminated
}

// newPodRun starts a pod. If it already ran on this node, the node has rebooted; then its containers are restarted,
// or, when it was deleted meanwhile, they are gone.
func newPodRun(pod *corev1.Pod) *podRun {
	run := &podRun{name: pod.Namespace + "/" + pod.Name, acceptedAt: time.Now()}
	if pod.Status.StartTime != nil {
		run.acceptedAt = pod.Status.StartTime.Time
	}
	for _, container := range pod.Spec.Containers {
		run.containers = append(run.containers, newContainerRun(pod, container.Name))
	}
	if pod.DeletionTimestamp != nil {
		run.stage, run.killed = stopped, true
	}
	return run
}

func newContainerRun(pod *corev1.Pod, name string) *containerRun {
	run := &containerRun{name: name}
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == name && status.State.Running != nil {
			run.restarts = status.RestartCount + 1
			run.previous = &corev1.ContainerStateTerminated{
				ExitCode: 255, Reason: "Unknown", StartedAt: status.State.Running.StartedAt, FinishedAt: metav1.Now(),
				ContainerID: status.ContainerID,
			}
		}
	}
	return run
}

// advance moves on by what has happened until now. The pod is nil when its object is gone.
func (r *podRun) advance(now time.Time, pod *corev1.Pod, k *kubelet) {
	mustEnd := pod == nil || pod.DeletionTimestamp != nil || hasEnded(pod)
	switch r.stage {
	case waiting:
		if mustEnd {
			r.end(now)
		} else if r.findVolumes(pod, k) && k.mayMount(r.volumes) {
			r.stage, r.stageEnds = starting, now.Add(k.settings.PodStart)
		}
	case starting:
		if mustEnd {
			r.end(now)
		} else if !now.Before(r.stageEnds) {
			r.startContainers(now, pod, k)
		}
	case running:
		if mustEnd {
			r.beginToStop(now, pod, k.settings.PodStop)
		}
	case stopping:
		if !now.Before(r.stageEnds) {
			r.end(now)
		}
	}
}

func (r *podRun) findVolumes(pod *corev1.Pod, k *kubelet) (known bool) {
	r.volumes, known = k.objects.attachableVolumes(pod)
	return known
}

func (r *podRun) startContainers(now time.Time, pod *corev1.Pod, k *kubelet) {
	r.stage = running
	r.address = k.nextAddress()
	if pod.Spec.HostNetwork {
		r.address = k.address()
	}
	for _, container := range r.containers {
		container.startedAt, container.readyAt = now, now
	}
}

// beginToStop kills the containers at the end of the grace period if they would need longer.
func (r *podRun) beginToStop(now time.Time, pod *corev1.Pod, needed time.Duration) {
	r.stage = stopping
	if pod != nil && pod.DeletionGracePeriodSeconds != nil {
		grace := time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second
		r.killed = grace < needed
		needed = min(grace, needed)
	}
	r.stageEnds = now.Add(needed)
}

func (r *podRun) end(now time.Time) {
	r.stage = stopped
	for _, container := range r.containers {
		container.finishedAt = now
	}
}

func (r *podRun) crash(pod *corev1.Pod, name string, now time.Time, recovery time.Duration) error {
	if pod.Spec.RestartPolicy == corev1.RestartPolicyNever {
		return fmt.Errorf("%w: the restart policy of pod %s is Never", ErrConflict, r.name)
	}
	for _, container := range r.containers {
		if name == "" || container.name == name {
			container.crash(pod, now, recovery)
			return nil
		}
	}
	return fmt.Errorf("%w: pod %s has no container %q", ErrNotFound, r.name, name)
}

func (c *containerRun) crash(pod *corev1.Pod, now time.Time, recovery time.Duration) {
	c.previous = &corev1.ContainerStateTerminated{
		ExitCode: 139, Reason: "Error", StartedAt: seconds(c.startedAt), FinishedAt: seconds(now),
		ContainerID: containerID(pod, c),
	}
	c.restarts++
	c.startedAt, c.readyAt = now, now.Add(recovery)
}

// hasEnded is true for a final phase.
func hasEnded(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
