package main

import (
	"context"

	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/jsondiff"
	"github.com/fluxcd/pkg/ssa/normalize"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Flux's kustomize-controller: server-side apply with its field manager, after a dry run of each object.
type fluxController struct {
	manager *ssa.ResourceManager
	ignore  []jsondiff.IgnoreRule
}

func newFlux(cluster *cluster, ignore []Ignore) (controller, func(), error) {
	owner := ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"}
	flux := &fluxController{manager: ssa.NewResourceManager(cluster.client, nil, owner)}
	for _, rule := range ignore {
		selector := &jsondiff.Selector{Group: rule.Group, Kind: rule.Kind}
		flux.ignore = append(flux.ignore, jsondiff.IgnoreRule{Paths: rule.Paths, Selector: selector})
	}
	return flux, func() {}, nil
}

func (f *fluxController) apply(ctx context.Context, objects []*unstructured.Unstructured) (map[string]string, []string, error) {
	rejected := map[string]string{}
	var written []string
	options := ssa.DefaultApplyOptions()
	options.DriftIgnoreRules = f.ignore
	for _, object := range objects {
		object := object.DeepCopy()
		if err := normalize.Unstructured(object); err != nil {
			return nil, nil, err
		}
		entry, err := f.manager.Apply(ctx, object, options)
		if err != nil {
			rejected[name(object)] = err.Error()
		} else if entry.Action != ssa.UnchangedAction {
			written = append(written, name(object))
		}
	}
	return rejected, written, nil
}

func (f *fluxController) diff(ctx context.Context, object, live *unstructured.Unstructured) ([]byte, []byte, error) {
	if err := normalize.Unstructured(object); err != nil {
		return nil, nil, err
	}
	options := ssa.DefaultDiffOptions()
	options.DriftIgnoreRules = f.ignore
	entry, found, expected, err := f.manager.Diff(ctx, object, options)
	if err != nil {
		return nil, nil, err
	}
	if entry.Action == ssa.UnchangedAction {
		found, expected = live, live
	}
	one, err := expected.MarshalJSON()
	if err != nil {
		return nil, nil, err
	}
	other, err := found.MarshalJSON()
	return one, other, err
}
