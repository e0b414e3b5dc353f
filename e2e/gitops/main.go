// Applies manifests as GitOps controllers do, with the libraries that Argo CD and Flux consist of, and prints what they see.
//
// Standard input is one Request as JSON, standard output one Answer.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
)

// Request says which objects to apply, and how.
type Request struct {
	Kubeconfig string `json:"kubeconfig"`
	// Strategy is a key of `strategies`.
	Strategy string `json:"strategy"`
	// Steps are the states of Git, one after the other. Each step is applied; the last one is applied twice.
	Steps [][]map[string]any `json:"steps"`
	// Ignore are the fields that the controller is told to ignore. Without them, nothing is ignored.
	Ignore []Ignore `json:"ignore"`
}

// Ignore is a rule of Argo CD's ignoreDifferences, or of Flux's ignore.
type Ignore struct {
	Group string   `json:"group"`
	Kind  string   `json:"kind"`
	Paths []string `json:"paths"`
}

// Answer says what the controller sees after the second apply.
type Answer struct {
	// Rejected are messages of the API server, by object.
	Rejected map[string]string `json:"rejected"`
	// Differs are the fields in which the live object differs from what the controller expects, by object.
	Differs map[string][]string `json:"differs"`
	// Rewritten are the objects that the second apply changed.
	Rewritten []string `json:"rewritten"`
	// Attempted are the objects that the controller wrote in the second apply although nothing in Git changed.
	Attempted []string `json:"attempted"`
}

// A controller applies objects, and compares them with the live ones.
type controller interface {
	// apply applies the objects. It returns the rejected ones, and those that it wrote.
	apply(ctx context.Context, objects []*unstructured.Unstructured) (rejected map[string]string, written []string, err error)
	// diff returns what the controller expects and what it sees, as JSON.
	diff(ctx context.Context, object, live *unstructured.Unstructured) (expected, found []byte, err error)
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var request Request
	if err := json.NewDecoder(os.Stdin).Decode(&request); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", request.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 500, 500
	start, ok := strategies[request.Strategy]
	if !ok {
		return fmt.Errorf("unknown strategy %q", request.Strategy)
	}
	cluster, err := newCluster(config)
	if err != nil {
		return err
	}
	controller, cleanup, err := start(cluster, request.Ignore)
	if err != nil {
		return err
	}
	defer cleanup()
	answer, err := reconcile(ctx, cluster, controller, request.Steps)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

// Applies every step, then the last one again.
func reconcile(ctx context.Context, cluster *cluster, controller controller, steps [][]map[string]any) (*Answer, error) {
	answer := &Answer{Rejected: map[string]string{}, Differs: map[string][]string{}}
	var objects []*unstructured.Unstructured
	for _, step := range steps {
		objects = nil
		for _, object := range step {
			objects = append(objects, &unstructured.Unstructured{Object: object})
		}
		rejected, _, err := controller.apply(ctx, objects)
		if err != nil {
			return nil, err
		}
		for name, message := range rejected {
			answer.Rejected[name] = message
		}
		cluster.settle()
	}
	var accepted []*unstructured.Unstructured
	for _, object := range objects {
		if _, isRejected := answer.Rejected[name(object)]; !isRejected {
			accepted = append(accepted, object)
		}
	}
	before, err := cluster.resourceVersions(ctx, accepted)
	if err != nil {
		return nil, err
	}
	rejected, written, err := controller.apply(ctx, accepted)
	if err != nil {
		return nil, err
	}
	if len(rejected) > 0 {
		return nil, fmt.Errorf("the second apply is rejected: %v", rejected)
	}
	answer.Attempted = written
	after, err := cluster.resourceVersions(ctx, accepted)
	if err != nil {
		return nil, err
	}
	for _, object := range accepted {
		if before[name(object)] != after[name(object)] {
			answer.Rewritten = append(answer.Rewritten, name(object))
		}
		live, err := cluster.get(ctx, object)
		if err != nil {
			return nil, err
		}
		expected, found, err := controller.diff(ctx, object.DeepCopy(), live)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name(object), err)
		}
		paths, err := differences(expected, found)
		if err != nil {
			return nil, err
		}
		if len(paths) > 0 {
			answer.Differs[name(object)] = paths
		}
	}
	return answer, nil
}

// The namespace, kind and name of an object.
func name(object *unstructured.Unstructured) string {
	return object.GetNamespace() + "/" + object.GetKind() + "/" + object.GetName()
}
