package main

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A cluster.
type cluster struct {
	config *rest.Config
	client client.Client
}

func newCluster(config *rest.Config) (*cluster, error) {
	client, err := client.New(config, client.Options{})
	return &cluster{config, client}, err
}

// Waits until the webhook's watches have seen what was applied.
func (c *cluster) settle() {
	time.Sleep(time.Second)
}

// The live object, or nil.
func (c *cluster) get(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(object.GroupVersionKind())
	err := c.client.Get(ctx, client.ObjectKeyFromObject(object), live)
	if errors.IsNotFound(err) {
		return nil, nil
	}
	return live, err
}

func (c *cluster) resourceVersions(ctx context.Context, objects []*unstructured.Unstructured) (map[string]string, error) {
	versions := map[string]string{}
	for _, object := range objects {
		live, err := c.get(ctx, object)
		if err != nil {
			return nil, err
		}
		if live == nil {
			return nil, fmt.Errorf("%s does not exist", name(object))
		}
		versions[name(object)] = live.GetResourceVersion()
	}
	return versions, nil
}

// The JSON pointers of the values in which two objects differ.
func differences(expected, found []byte) ([]string, error) {
	var one, other any
	if err := json.Unmarshal(expected, &one); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(found, &other); err != nil {
		return nil, err
	}
	var paths []string
	compare(one, other, "", &paths)
	slices.Sort(paths)
	return paths, nil
}

func compare(one, other any, path string, paths *[]string) {
	oneMap, isMap := one.(map[string]any)
	otherMap, isOtherMap := other.(map[string]any)
	if !isMap || !isOtherMap {
		if !reflect.DeepEqual(one, other) {
			*paths = append(*paths, path)
		}
		return
	}
	keys := map[string]bool{}
	for key := range oneMap {
		keys[key] = true
	}
	for key := range otherMap {
		keys[key] = true
	}
	for key := range keys {
		compare(oneMap[key], otherMap[key], path+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(key), paths)
	}
}
