package fakes

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// report writes the pod's status if it changed. Once a deleted pod has stopped, it removes the object.
func (k *kubelet) report(ctx context.Context, uid types.UID, pod *corev1.Pod) {
	status, mayDelete := k.podStatus(uid, pod)
	if status != nil && !equality.Semantic.DeepEqual(*status, pod.Status) {
		pod = pod.DeepCopy()
		pod.Status = *status
		_, err := k.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		logged("pod status", err)
		if err != nil {
			return
		}
	}
	if mayDelete {
		k.confirmDeletion(ctx, pod)
	}
}

// podStatus returns nil for a pod that this node does not report.
func (k *kubelet) podStatus(uid types.UID, pod *corev1.Pod) (status *corev1.PodStatus, mayDelete bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	run := k.pods[uid]
	if run == nil {
		return nil, false
	}
	mayDelete = run.stage == stopped && pod.DeletionTimestamp != nil && !run.deleted
	if hasEnded(pod) {
		return nil, mayDelete
	}
	status = run.status(pod, time.Now())
	status.HostIP = k.address()
	status.HostIPs = []corev1.HostIP{{IP: status.HostIP}}
	return status, mayDelete
}

func (k *kubelet) confirmDeletion(ctx context.Context, pod *corev1.Pod) {
	now := int64(0)
	err := k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now,
		Preconditions:      metav1.NewUIDPreconditions(string(pod.UID)),
	})
	logged("pod deletion", err)
	k.mu.Lock()
	defer k.mu.Unlock()
	if run := k.pods[pod.UID]; run != nil && err == nil {
		run.deleted = true
	}
}

func (r *podRun) status(pod *corev1.Pod, now time.Time) *corev1.PodStatus {
	status := pod.Status.DeepCopy()
	status.ObservedGeneration = pod.Generation
	status.Phase = r.phase(pod)
	accepted := seconds(r.acceptedAt)
	status.StartTime = &accepted
	status.PodIP, status.PodIPs = r.address, nil
	if r.address != "" {
		status.PodIPs = []corev1.PodIP{{IP: r.address}}
	}
	status.ContainerStatuses = nil
	ready := true
	for i, container := range r.containers {
		containerStatus := r.containerStatus(pod, container, pod.Spec.Containers[i].Image, now)
		ready = ready && containerStatus.Ready
		status.ContainerStatuses = append(status.ContainerStatuses, containerStatus)
	}
	status.InitContainerStatuses = r.initContainerStatuses(pod)
	setConditions(status, pod.Generation, r.conditions(ready), now)
	return status
}

func (r *podRun) phase(pod *corev1.Pod) corev1.PodPhase {
	switch {
	case r.stage == running || r.stage == stopping:
		return corev1.PodRunning
	case r.stage == stopped && pod.DeletionTimestamp == nil:
		return pod.Status.Phase
	case r.stage == stopped && (r.killed || r.containers[0].startedAt.IsZero()):
		return corev1.PodFailed
	case r.stage == stopped:
		return corev1.PodSucceeded
	case r.containers[0].restarts > 0:
		return corev1.PodRunning
	default:
		return corev1.PodPending
	}
}

func (r *podRun) conditions(ready bool) map[corev1.PodConditionType]bool {
	started := r.stage == running || r.stage == stopping
	return map[corev1.PodConditionType]bool{
		corev1.PodReadyToStartContainers: started,
		corev1.PodInitialized:            started || r.stage == stopped,
		corev1.ContainersReady:           ready,
		corev1.PodReady:                  ready,
	}
}

// setConditions leaves conditions of others alone, and the time of the last change where nothing changed.
func setConditions(status *corev1.PodStatus, generation int64, wanted map[corev1.PodConditionType]bool, now time.Time) {
	for _, name := range []corev1.PodConditionType{
		corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady,
	} {
		condition := podCondition(status, name)
		value := corev1.ConditionFalse
		if wanted[name] {
			value = corev1.ConditionTrue
		}
		if condition.Status != value {
			condition.Status, condition.LastTransitionTime = value, seconds(now)
		}
		condition.ObservedGeneration = generation
		condition.Reason, condition.Message = "", ""
	}
}

// podCondition adds the condition if there is none yet.
func podCondition(status *corev1.PodStatus, name corev1.PodConditionType) *corev1.PodCondition {
	for i := range status.Conditions {
		if status.Conditions[i].Type == name {
			return &status.Conditions[i]
		}
	}
	status.Conditions = append(status.Conditions, corev1.PodCondition{Type: name})
	return &status.Conditions[len(status.Conditions)-1]
}

func (r *podRun) containerStatus(pod *corev1.Pod, container *containerRun, image string, now time.Time) corev1.ContainerStatus {
	status := corev1.ContainerStatus{Name: container.name, Image: image, RestartCount: container.restarts}
	if container.previous != nil {
		status.LastTerminationState.Terminated = container.previous
	}
	runs := false
	switch {
	case r.stage == running || r.stage == stopping:
		runs = true
		status.State.Running = &corev1.ContainerStateRunning{StartedAt: seconds(container.startedAt)}
		status.Ready = !now.Before(container.readyAt)
	case r.stage == stopped:
		status.State.Terminated = r.termination(pod, container)
	default:
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
	}
	status.Started = &runs
	if runs || !container.startedAt.IsZero() {
		status.ContainerID, status.ImageID = containerID(pod, container), image
	}
	return status
}

func (r *podRun) termination(pod *corev1.Pod, container *containerRun) *corev1.ContainerStateTerminated {
	ended := &corev1.ContainerStateTerminated{Reason: "Completed", FinishedAt: seconds(container.finishedAt)}
	if container.startedAt.IsZero() {
		// Of a container that never ran here the runtime knows nothing.
		ended.Reason, ended.ExitCode = "ContainerStatusUnknown", 137
		return ended
	}
	ended.StartedAt, ended.ContainerID = seconds(container.startedAt), containerID(pod, container)
	if r.killed {
		ended.Reason, ended.ExitCode = "Error", 137
	}
	return ended
}

// initContainerStatuses: by the time the containers start, the init containers have succeeded; sidecars run on.
func (r *podRun) initContainerStatuses(pod *corev1.Pod) []corev1.ContainerStatus {
	var statuses []corev1.ContainerStatus
	for _, container := range pod.Spec.InitContainers {
		sidecar := container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways
		run := &containerRun{name: container.Name, startedAt: r.containers[0].startedAt, finishedAt: r.containers[0].startedAt}
		status := r.containerStatus(pod, run, container.Image, run.startedAt)
		if !sidecar && status.State.Running != nil {
			begun := status.State.Running.StartedAt
			status.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				Reason: "Completed", StartedAt: begun, FinishedAt: begun, ContainerID: status.ContainerID,
			}}
		}
		statuses = append(statuses, status)
	}
	return statuses
}

func containerID(pod *corev1.Pod, container *containerRun) string {
	return fmt.Sprintf("fake://%s/%s/%d", pod.UID, container.name, container.restarts)
}

// seconds is what the API keeps of a time, so that what was written compares equal to what is read.
func seconds(t time.Time) metav1.Time {
	if t.IsZero() {
		return metav1.Time{}
	}
	return metav1.NewTime(t.Truncate(time.Second))
}
