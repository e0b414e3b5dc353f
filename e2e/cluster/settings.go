package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/sqledge-ha/sqledge-ha/e2e/cluster/internal/controlplane"
	"github.com/sqledge-ha/sqledge-ha/e2e/cluster/internal/fakes"
)

const serveUsage = `Runs a cluster until SIGTERM, SIGINT or the end of its standard input (a pipe or a terminal; /dev/null does not
count). When everything is ready it prints one line of JSON:

  {"kubeconfig":"/path","server":"https://127.0.0.1:PORT","control":"http://127.0.0.1:PORT","dataDir":"/path"}

Usage:
  e2e-cluster serve [flags]

Flags:
`

type settings struct {
	plane     controlplane.Settings
	fakes     fakes.Settings
	nodes     []fakes.Machine
	verbosity int
}

func parseSettings(arguments []string) (settings, error) {
	var s settings
	var nodes string
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.StringVar(&nodes, "nodes", "amd64-a=amd64,amd64-b=amd64,arm64-a=arm64", "`NAME=ARCH[/ZONE],...`, the nodes at start")
	flags.StringVar(&s.plane.DataDir, "data-dir", "", "empty or new `directory` for keys, database and log, kept at exit (default a temporary one, removed at exit)")
	flags.BoolVar(&s.plane.APIOnly, "api-only", false, "only etcd and kube-apiserver: no controllers, scheduler, nodes or other fakes")
	flags.DurationVar(&s.plane.NodeMonitorGrace, "node-monitor-grace", 5*time.Second, "how long a node may be silent before it is unreachable (40-50s in a real cluster)")
	flags.DurationVar(&s.plane.NodeMonitorPeriod, "node-monitor-period", 500*time.Millisecond, "how often the node lifecycle controller looks (5s in a real cluster)")
	flags.DurationVar(&s.plane.ForceDetach, "force-detach", 20*time.Second, "when a volume is detached though its node reports no unmount (6m in a real cluster)")
	flags.DurationVar(&s.plane.DefaultToleration, "default-toleration", 5*time.Minute, "how long a pod without tolerations of its own stays on a silent node, in whole seconds")
	flags.DurationVar(&s.fakes.PodStart, "pod-start", 300*time.Millisecond, "from mounted volumes to a ready pod")
	flags.DurationVar(&s.fakes.PodStop, "pod-stop", time.Second, "from the request to stop until the containers have ended, if the grace period allows it")
	flags.DurationVar(&s.fakes.CrashRecovery, "crash-recovery", time.Second, "from a container's crash until its restarted successor is ready")
	flags.DurationVar(&s.fakes.AttachTime, "attach-time", 200*time.Millisecond, "what the storage needs to attach or detach a volume")
	flags.IntVar(&s.verbosity, "v", 0, "verbosity of the components' log, as everywhere in Kubernetes")
	flags.Usage = func() { fmt.Print(serveUsage + flags.FlagUsagesWrapped(120)) }
	if err := flags.Parse(arguments); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("serve takes no argument: %s", flags.Arg(0))
	}
	// Leases are renewed once a second; a shorter grace would make healthy nodes unreachable.
	if s.plane.NodeMonitorGrace < 2*time.Second {
		return s, errors.New("--node-monitor-grace must be at least 2s")
	}
	var err error
	s.nodes, err = parseNodes(nodes)
	return s, err
}

// parseNodes reads NAME=ARCH[/ZONE],...
func parseNodes(list string) ([]fakes.Machine, error) {
	var machines []fakes.Machine
	for item := range strings.SplitSeq(list, ",") {
		name, platform, found := strings.Cut(item, "=")
		arch, zone, _ := strings.Cut(platform, "/")
		if !found || name == "" || arch == "" {
			return nil, fmt.Errorf("--nodes: %q is not NAME=ARCH or NAME=ARCH/ZONE", item)
		}
		machines = append(machines, fakes.Machine{Name: name, Arch: arch, Zone: zone})
	}
	return machines, nil
}
