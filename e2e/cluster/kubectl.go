package main

import (
	"os"
	"path/filepath"
	"strings"

	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

// kubectl is the main function of the real one. The first argument is its name.
func kubectl(arguments []string) {
	os.Args = arguments
	keepCacheWithCluster(arguments)
	_, _ = logs.GlogSetter(cmd.GetLogVerbosity(arguments))
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}

// keepCacheWithCluster makes the cache of the cluster's API vanish with the cluster's data. In the home directory it would
// stay, and a later cluster on the same port would be taken for this one.
func keepCacheWithCluster(arguments []string) {
	if os.Getenv("KUBECACHEDIR") != "" {
		return
	}
	kubeconfig := os.Getenv("KUBECONFIG")
	for i, argument := range arguments {
		if value, found := strings.CutPrefix(argument, "--kubeconfig="); found {
			kubeconfig = value
		} else if argument == "--kubeconfig" && i+1 < len(arguments) {
			kubeconfig = arguments[i+1]
		}
	}
	if kubeconfig != "" {
		_ = os.Setenv("KUBECACHEDIR", filepath.Join(filepath.Dir(kubeconfig), "kubectl-cache"))
	}
}
