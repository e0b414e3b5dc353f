package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The field manager of Argo CD's server-side apply.
const argoManager = "argocd-controller"

// Every strategy, by name.
var strategies = map[string]func(*cluster, []Ignore) (controller, func(), error){
	// Argo CD without options: client-side apply, three-way diff.
	"argo-client-side": argo(false),
	// With the sync option ServerSideApply=true: structured-merge diff.
	"argo-server-side": argo(true, diff.WithStructuredMergeDiff(true)),
	// With the compare option ServerSideDiff=true, too.
	"argo-server-side-diff": argo(true, diff.WithServerSideDiff(true)),
	// With the compare options ServerSideDiff=true,IncludeMutationWebhook=true.
	"argo-server-side-diff-with-webhooks": argo(true, diff.WithServerSideDiff(true), diff.WithIgnoreMutationWebhook(false)),
	"flux":                                newFlux,
}

// Argo CD's engine.
type argoController struct {
	cluster    *cluster
	kubectl    *kube.KubectlCmd
	serverSide bool
	options    []diff.Option
}

func argo(serverSide bool, options ...diff.Option) func(*cluster, []Ignore) (controller, func(), error) {
	return func(cluster *cluster, ignore []Ignore) (controller, func(), error) {
		kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
		_, parser, err := kubectl.LoadOpenAPISchema(cluster.config)
		if err != nil {
			return nil, nil, err
		}
		applier, cleanup, err := kubectl.ManageServerSideDiffDryRuns(cluster.config)
		if err != nil {
			return nil, nil, err
		}
		common := []diff.Option{
			diff.WithLogr(logr.Discard()),
			diff.WithManager(argoManager),
			diff.WithGVKParser(parser),
			diff.WithNormalizer(normalizer(ignore)),
			diff.WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(applier)),
		}
		return &argoController{cluster, kubectl, serverSide, append(common, options...)}, cleanup, nil
	}
}

// Syncs all objects, as self-heal does.
func (a *argoController) apply(ctx context.Context, objects []*unstructured.Unstructured) (map[string]string, []string, error) {
	result := sync.ReconciliationResult{}
	var written []string
	for _, object := range objects {
		live, err := a.cluster.get(ctx, object)
		if err != nil {
			return nil, nil, err
		}
		isModified := true
		if live != nil {
			compared, err := diff.Diff(object.DeepCopy(), live.DeepCopy(), a.options...)
			if err != nil {
				return nil, nil, err
			}
			isModified = compared.Modified
		}
		if isModified {
			written = append(written, name(object))
		}
		result.Target = append(result.Target, object.DeepCopy())
		result.Live = append(result.Live, live)
	}
	syncing, cleanup, err := sync.NewSyncContext("1", result, a.cluster.config, a.cluster.config, a.kubectl, "default",
		sync.WithLogr(logr.Discard()),
		sync.WithManifestValidation(true),
		sync.WithServerSideApply(a.serverSide),
		sync.WithServerSideApplyManager(argoManager))
	if err != nil {
		return nil, nil, err
	}
	defer cleanup()
	for range 600 {
		syncing.Sync()
		phase, message, resources := syncing.GetState()
		if phase == common.OperationRunning {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		rejected := map[string]string{}
		for _, resource := range resources {
			if resource.Status == common.ResultCodeSyncFailed {
				key := resource.ResourceKey
				rejected[key.Namespace+"/"+key.Kind+"/"+key.Name] = resource.Message
			}
		}
		if phase != common.OperationSucceeded && len(rejected) == 0 {
			return nil, nil, fmt.Errorf("%s: %s", phase, message)
		}
		return rejected, written, nil
	}
	return nil, nil, fmt.Errorf("the sync does not end")
}

func (a *argoController) diff(_ context.Context, object, live *unstructured.Unstructured) ([]byte, []byte, error) {
	compared, err := diff.Diff(object, live, a.options...)
	if err != nil {
		return nil, nil, err
	}
	return compared.PredictedLive, compared.NormalizedLive, nil
}

// Removes ignored fields, as Argo CD does with ignoreDifferences.
type normalizer []Ignore

func (n normalizer) Normalize(object *unstructured.Unstructured) error {
	kind := object.GroupVersionKind().GroupKind()
	for _, ignore := range n {
		if ignore.Group != kind.Group || ignore.Kind != kind.Kind {
			continue
		}
		for _, path := range ignore.Paths {
			if err := remove(object, path); err != nil {
				return err
			}
		}
	}
	return nil
}

func remove(object *unstructured.Unstructured, path string) error {
	text, err := json.Marshal([]map[string]string{{"op": "remove", "path": path}})
	if err != nil {
		return err
	}
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		return err
	}
	before, err := json.Marshal(object)
	if err != nil {
		return err
	}
	after, err := patch.Apply(before)
	if err != nil {
		// The object lacks the field.
		return nil
	}
	return json.Unmarshal(after, object)
}
