// Package controlplane runs the real etcd, kube-apiserver, kube-controller-manager and kube-scheduler in this process.
package controlplane

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/rest"
)

// Settings are what a test may choose about the control plane.
type Settings struct {
	// DataDir receives keys, kubeconfigs, the database and the log. It exists and is empty.
	DataDir string
	// APIOnly leaves the controller manager and the scheduler out.
	APIOnly bool
	// NodeMonitorGrace is how long a node may be silent before it counts as unreachable.
	NodeMonitorGrace time.Duration
	// NodeMonitorPeriod is how often the node lifecycle controller looks.
	NodeMonitorPeriod time.Duration
	// ForceDetach is how long the attach-detach controller waits for an unmount without a report.
	ForceDetach time.Duration
	// DefaultToleration is how long a pod without tolerations of its own stays on a node that is unreachable or not ready.
	DefaultToleration time.Duration
}

// ControlPlane is a running control plane.
type ControlPlane struct {
	APIServer  *APIServer
	Kubeconfig string
	failed     chan error
	etcd       *etcd
}

// Start returns when the API server is ready to serve. The controllers and the scheduler may still be starting then.
func Start(ctx context.Context, settings Settings) (*ControlPlane, error) {
	// One registry of versions and feature gates serves all components of a process; nothing in it is changed here.
	if err := compatibility.DefaultComponentGlobalsRegistry.Set(); err != nil {
		return nil, err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})

	database, err := startEtcd(settings.DataDir)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	plane := &ControlPlane{etcd: database, failed: make(chan error, 8)}
	if err := plane.startComponents(ctx, settings); err != nil {
		plane.Stop()
		return nil, err
	}
	return plane, nil
}

func (p *ControlPlane) startComponents(ctx context.Context, settings Settings) error {
	keys, err := newKeys(settings.DataDir)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	p.APIServer, err = newAPIServer(p.etcd.url, keys, settings.DefaultToleration, p.failed)
	if err != nil {
		return fmt.Errorf("kube-apiserver: %w", err)
	}
	if err := p.APIServer.Start(ctx); err != nil {
		return fmt.Errorf("kube-apiserver: %w", err)
	}
	p.Kubeconfig, err = keys.kubeconfig(p.APIServer.URL, "admin", "system:masters")
	if err != nil || settings.APIOnly {
		return err
	}
	return p.startControllers(ctx, settings, keys)
}

func (p *ControlPlane) startControllers(ctx context.Context, settings Settings, keys *keys) error {
	controllers, err := keys.kubeconfig(p.APIServer.URL, "system:kube-controller-manager")
	if err != nil {
		return err
	}
	scheduler, err := keys.kubeconfig(p.APIServer.URL, "system:kube-scheduler")
	if err != nil {
		return err
	}
	p.run(ctx, "kube-controller-manager", func() error { return runControllerManager(ctx, controllers, keys, settings) })
	p.run(ctx, "kube-scheduler", func() error { return runScheduler(ctx, scheduler) })
	return nil
}

// run starts a component and reports its end, unless everything is being stopped.
func (p *ControlPlane) run(ctx context.Context, name string, component func() error) {
	go func() {
		err := component()
		if ctx.Err() == nil {
			p.failed <- fmt.Errorf("%s ended: %v", name, err)
		}
	}()
}

// Failed receives an error when a component ends that should run.
func (p *ControlPlane) Failed() <-chan error { return p.failed }

// Stop closes the database. The other components stop with the context or the process.
func (p *ControlPlane) Stop() { p.etcd.stop() }
