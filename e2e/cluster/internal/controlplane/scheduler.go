package controlplane

import (
	"context"

	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/cmd/kube-scheduler/app"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
)

// runScheduler returns when the context ends, or with an error.
func runScheduler(ctx context.Context, kubeconfig string) error {
	schedulerOptions := options.NewOptions()
	if err := parse(*schedulerOptions.Flags, []string{
		"--kubeconfig=" + kubeconfig,
		"--secure-port=0",
		"--leader-elect=false",
	}); err != nil {
		return err
	}
	name, err := cache.NewInformerName("kube-scheduler")
	if err != nil {
		return err
	}
	schedulerOptions.InformerName = name
	config, scheduler, err := app.Setup(ctx, schedulerOptions)
	if err != nil {
		return err
	}
	return app.Run(ctx, config, scheduler)
}
