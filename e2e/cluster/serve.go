package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"

	"github.com/spf13/pflag"
	"github.com/sqledge-ha/sqledge-ha/e2e/cluster/internal/controlplane"
	"github.com/sqledge-ha/sqledge-ha/e2e/cluster/internal/fakes"
	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"
)

// announcement is what a test harness reads when the cluster is ready.
type announcement struct {
	Kubeconfig string `json:"kubeconfig"`
	Server     string `json:"server"`
	Control    string `json:"control"`
	DataDir    string `json:"dataDir"`
}

func serve(arguments []string) {
	s, err := parseSettings(arguments)
	if errors.Is(err, pflag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e-cluster:", err)
		os.Exit(2)
	}
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "e2e-cluster:", err)
		os.Exit(1)
	}
	// Leave at once: the components' goroutines have nothing to finish.
	os.Exit(0)
}

func run(s settings) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	stopAtEndOfInput(stop)

	dataDir, remove, err := makeDataDir(s.plane.DataDir)
	if err != nil {
		return err
	}
	defer remove()
	s.plane.DataDir = dataDir
	if err := logTo(controlplane.LogFile(dataDir), s.verbosity); err != nil {
		return err
	}
	plane, err := controlplane.Start(ctx, s.plane)
	if err != nil {
		return ignoreIfStopped(ctx, err)
	}
	defer plane.Stop()
	cluster, err := startFakes(ctx, s, plane.Kubeconfig)
	if err != nil {
		return ignoreIfStopped(ctx, err)
	}
	control, err := startControl(ctx, plane, cluster)
	if err != nil {
		return err
	}
	line := announcement{Kubeconfig: plane.Kubeconfig, Server: plane.APIServer.URL, Control: control, DataDir: dataDir}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-plane.Failed():
		return err
	}
}

// startFakes returns nil without an error in a cluster that is only an API server.
func startFakes(ctx context.Context, s settings, kubeconfig string) (*fakes.Cluster, error) {
	if s.plane.APIOnly {
		return nil, fakes.AddDefaultServiceAccount(ctx, kubeconfig)
	}
	return fakes.Start(ctx, kubeconfig, s.fakes, s.nodes)
}

// ignoreIfStopped drops errors that stopping the program causes.
func ignoreIfStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// stopAtEndOfInput stops when the harness has died: then its end of our standard input closes.
func stopAtEndOfInput(stop func()) {
	input, err := os.Stdin.Stat()
	if err != nil {
		return
	}
	null, err := os.Stat(os.DevNull)
	if err == nil && os.SameFile(input, null) {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
}

// makeDataDir returns the directory and what to do with it at the end.
func makeDataDir(wanted string) (string, func(), error) {
	if wanted == "" {
		temporary, err := os.MkdirTemp("", "e2e-cluster-")
		return temporary, func() { _ = os.RemoveAll(temporary) }, err
	}
	if err := os.MkdirAll(wanted, 0o700); err != nil {
		return "", nil, err
	}
	content, err := os.ReadDir(wanted)
	if err != nil {
		return "", nil, err
	}
	if len(content) > 0 {
		return "", nil, fmt.Errorf("--data-dir: %s is not empty", wanted)
	}
	absolute, err := filepath.Abs(wanted)
	return absolute, func() {}, err
}

// logTo sends the log of all components to one file. The standard error is for errors of this program, and for the trace
// if it crashes.
func logTo(path string, verbosity int) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := divertStandardError(file); err != nil {
		return err
	}
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	klog.InitFlags(flags)
	for name, value := range map[string]string{
		"logtostderr": "false", "stderrthreshold": "FATAL", "one_output": "true", "v": strconv.Itoa(verbosity),
	} {
		if err := flags.Set(name, value); err != nil {
			return err
		}
	}
	klog.SetOutput(file)
	return nil
}

// divertStandardError is for the API server's etcd client, which opens the descriptor before main begins and cannot be told
// to log elsewhere. This program goes on with a copy of the original.
func divertStandardError(file *os.File) error {
	original, err := unix.Dup(unix.Stderr)
	if err != nil {
		return err
	}
	unix.CloseOnExec(original)
	os.Stderr = os.NewFile(uintptr(original), "/dev/stderr")
	if err := debug.SetCrashOutput(os.Stderr, debug.CrashOptions{}); err != nil {
		return err
	}
	return unix.Dup2(int(file.Fd()), unix.Stderr)
}
