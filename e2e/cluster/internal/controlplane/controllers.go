package controlplane

import (
	"context"
	"fmt"

	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	"k8s.io/kubernetes/pkg/controller/volume/attachdetach"
)

// runControllerManager returns when the context ends, or with an error.
func runControllerManager(ctx context.Context, kubeconfig string, keys *keys, settings Settings) error {
	// The six minutes of a real cluster are a variable, without a flag.
	attachdetach.DefaultTimerConfig.ReconcilerMaxWaitForUnmountDuration = settings.ForceDetach

	managerOptions, err := options.NewKubeControllerManagerOptions()
	if err != nil {
		return err
	}
	known, disabled, aliases := app.KnownControllers(), app.ControllersDisabledByDefault(), app.ControllerAliases()
	flags := managerOptions.Flags(known, disabled, aliases)
	managerOptions.ParsedFlags = &flags
	if err := parse(flags, []string{
		"--kubeconfig=" + kubeconfig,
		"--secure-port=0",
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--service-account-private-key-file=" + keys.serviceAccountsFile,
		"--root-ca-file=" + keys.authorityFile,
		"--cluster-signing-cert-file=" + keys.authorityFile,
		"--cluster-signing-key-file=" + keys.authorityKeyFile,
		fmt.Sprintf("--node-monitor-grace-period=%s", settings.NodeMonitorGrace),
		fmt.Sprintf("--node-monitor-period=%s", settings.NodeMonitorPeriod),
		// One node in ten seconds is the default, which with a handful of nodes only makes tests wait.
		"--node-eviction-rate=10",
		"--horizontal-pod-autoscaler-sync-period=2s",
		"--kube-api-qps=200",
		"--kube-api-burst=400",
	}); err != nil {
		return err
	}
	config, err := managerOptions.Config(ctx, known, disabled, aliases)
	if err != nil {
		return err
	}
	return app.Run(ctx, config.Complete())
}
