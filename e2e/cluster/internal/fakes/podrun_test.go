package fakes

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var noon = time.Date(2020, 1, 1, 12, 0, 0, 0, time.UTC)

func testKubelet() *kubelet {
	return &kubelet{subnet: 1, settings: Settings{PodStart: time.Second, PodStop: 3 * time.Second, CrashRecovery: 2 * time.Second}}
}

func testPod() *corev1.Pod {
	return &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "sql"}}}}
}

func deleted(pod *corev1.Pod, grace int64) *corev1.Pod {
	pod = pod.DeepCopy()
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &metav1.Time{Time: noon}, &grace
	return pod
}

// runningPod has run since noon.
func runningPod(pod *corev1.Pod, k *kubelet) *podRun {
	run := newPodRun(pod)
	run.advance(noon.Add(-time.Second), pod, k)
	run.advance(noon, pod, k)
	return run
}

func expect(t *testing.T, run *podRun, pod *corev1.Pod, now time.Time, phase corev1.PodPhase, ready bool) {
	t.Helper()
	status := run.status(pod, now)
	if got := status.ContainerStatuses[0].Ready; status.Phase != phase || got != ready {
		t.Errorf("phase %s, ready %v; expected %s, %v", status.Phase, got, phase, ready)
	}
}

func TestAPodIsReadyAfterItsStartTime(t *testing.T) {
	pod, k := testPod(), testKubelet()
	run := newPodRun(pod)
	run.advance(noon, pod, k)
	expect(t, run, pod, noon, corev1.PodPending, false)
	run.advance(noon.Add(time.Second), pod, k)
	expect(t, run, pod, noon.Add(time.Second), corev1.PodRunning, true)
}

func TestAPodStopsInPeaceWithinItsGracePeriod(t *testing.T) {
	k := testKubelet()
	run := runningPod(testPod(), k)
	pod := deleted(testPod(), 30)
	run.advance(noon, pod, k)
	run.advance(noon.Add(2*time.Second), pod, k)
	expect(t, run, pod, noon.Add(2*time.Second), corev1.PodRunning, true)
	run.advance(noon.Add(3*time.Second), pod, k)
	expect(t, run, pod, noon.Add(3*time.Second), corev1.PodSucceeded, false)
}

func TestAPodIsKilledAtTheEndOfAShortGracePeriod(t *testing.T) {
	k := testKubelet()
	run := runningPod(testPod(), k)
	pod := deleted(testPod(), 1)
	run.advance(noon, pod, k)
	run.advance(noon.Add(time.Second), pod, k)
	expect(t, run, pod, noon.Add(time.Second), corev1.PodFailed, false)
}

func TestAPodDeletedByForceStillHasToStop(t *testing.T) {
	k := testKubelet()
	run := runningPod(testPod(), k)
	run.advance(noon, nil, k)
	if run.stage != stopping {
		t.Errorf("its volumes would be free while it runs: %v", run.stage)
	}
}

func TestACrashedContainerIsRestartedAndReadyAfterItsRecovery(t *testing.T) {
	pod, k := testPod(), testKubelet()
	run := runningPod(pod, k)
	if err := run.crash(pod, "", noon, k.settings.CrashRecovery); err != nil {
		t.Fatal(err)
	}
	expect(t, run, pod, noon.Add(time.Second), corev1.PodRunning, false)
	expect(t, run, pod, noon.Add(2*time.Second), corev1.PodRunning, true)
	if count := run.status(pod, noon).ContainerStatuses[0].RestartCount; count != 1 {
		t.Errorf("%d restarts", count)
	}
}

func TestARebootRestartsContainersAndForgetsDeletedPods(t *testing.T) {
	pod, k := testPod(), testKubelet()
	pod.Status = *runningPod(pod, k).status(pod, noon)
	again := newPodRun(pod)
	if again.containers[0].restarts != 1 {
		t.Errorf("%d restarts", again.containers[0].restarts)
	}
	if gone := newPodRun(deleted(pod, 30)); gone.stage != stopped {
		t.Errorf("a pod deleted meanwhile is in stage %v", gone.stage)
	}
}
