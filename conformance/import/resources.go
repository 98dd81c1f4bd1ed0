package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
)

// storages are what the instance serves, by group, version and path ("pods/status").
type storages map[schema.GroupVersion]map[string]served

func storagesOf(infos []genericapiserver.APIGroupInfo) storages {
	all := storages{}
	for _, info := range infos {
		for version, paths := range info.VersionedResourcesStorageMap {
			gv := schema.GroupVersion{Group: info.PrioritizedVersions[0].Group, Version: version}
			all[gv] = map[string]served{}
			for path, storage := range paths {
				all[gv][path] = served{gv, path, storage, storeOf(reflect.ValueOf(storage)), info.Scheme}
			}
		}
	}
	return all
}

// discovery is upstream's published discovery, cut down to what the instance serves.
type discovery struct {
	groups    []metav1.APIGroup
	resources map[schema.GroupVersion][]metav1.APIResource
}

func readDiscovery(module string, all storages) (discovery, error) {
	var groups metav1.APIGroupList
	if err := readJSON(filepath.Join(module, "api/discovery/apis.json"), &groups); err != nil {
		return discovery{}, err
	}
	found := discovery{resources: map[schema.GroupVersion][]metav1.APIResource{}}
	core := metav1.APIGroup{Versions: []metav1.GroupVersionForDiscovery{{GroupVersion: "v1", Version: "v1"}}}
	for _, group := range append([]metav1.APIGroup{core}, groups.Groups...) {
		var versions []metav1.GroupVersionForDiscovery
		for _, version := range group.Versions {
			gv := schema.GroupVersion{Group: group.Name, Version: version.Version}
			if _, ok := all[gv]; !ok {
				continue
			}
			resources, err := readResources(module, gv, all[gv])
			if err != nil {
				return discovery{}, err
			}
			versions = append(versions, version)
			found.resources[gv] = resources
		}
		if len(versions) > 0 {
			group.Versions = versions
			found.groups = append(found.groups, group)
		}
	}
	if len(found.resources) != len(all) {
		return discovery{}, fmt.Errorf("%d group versions are served and %d published", len(all), len(found.resources))
	}
	return found, nil
}

func readResources(module string, gv schema.GroupVersion, paths map[string]served) ([]metav1.APIResource, error) {
	name := "api__" + gv.Version
	if gv.Group != "" {
		name = "apis__" + gv.Group + "__" + gv.Version
	}
	var list metav1.APIResourceList
	if err := readJSON(filepath.Join(module, "api/discovery", name+".json"), &list); err != nil {
		return nil, err
	}
	var kept []metav1.APIResource
	for _, resource := range list.APIResources {
		if _, ok := paths[resource.Name]; ok {
			kept = append(kept, resource)
		}
	}
	if len(kept) != len(paths) {
		return nil, fmt.Errorf("%s: %d paths are served and %d published", gv, len(paths), len(kept))
	}
	return kept, nil
}

func readJSON(file string, into any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func (d discovery) render(all storages) string {
	var out strings.Builder
	out.WriteString("# Derived by `cargo x import`; the format is told in gateway/catalog/src/read.rs.\n")
	for _, group := range d.groups {
		fmt.Fprintf(&out, "group %s\n", orDash(group.Name))
		for _, version := range group.Versions {
			gv := schema.GroupVersion{Group: group.Name, Version: version.Version}
			fmt.Fprintf(&out, "version %s\n", version.Version)
			for _, resource := range sorted(d.resources[gv]) {
				out.WriteString(line(gv, resource, all[gv][resource.Name]) + "\n")
			}
		}
	}
	return out.String()
}

// sorted puts each resource before its subresources, as "pods/…" sorts behind "pods" but also behind "podsx".
func sorted(resources []metav1.APIResource) []metav1.APIResource {
	sort.SliceStable(resources, func(i, j int) bool {
		return strings.ReplaceAll(resources[i].Name, "/", "\x01") < strings.ReplaceAll(resources[j].Name, "/", "\x01")
	})
	return resources
}

func line(gv schema.GroupVersion, resource metav1.APIResource, in served) string {
	words := []string{"resource", resource.Name, resource.Kind}
	if _, sub, ok := strings.Cut(resource.Name, "/"); ok {
		words = []string{"\tsub", sub, resource.Kind}
	} else {
		words = append(words, resource.SingularName, scopeWord(resource.Namespaced))
	}
	words = append(words, "verbs="+strings.Join(resource.Verbs, ","))
	if resource.Version != "" {
		words = append(words, "gv="+schema.GroupVersion{Group: resource.Group, Version: resource.Version}.String())
	}
	for _, list := range []struct {
		word   string
		values []string
	}{{"short", resource.ShortNames}, {"categories", resource.Categories}} {
		if len(list.values) > 0 {
			words = append(words, list.word+"="+strings.Join(list.values, ","))
		}
	}
	if resource.StorageVersionHash != "" {
		words = append(words, "hash="+resource.StorageVersionHash)
	}
	if lister, ok := in.storage.(rest.Lister); ok {
		if kinds, _, err := in.scheme.ObjectKinds(lister.NewList()); err == nil {
			words = append(words, "list="+kinds[0].Kind)
		}
	}
	words = append(words, connectFacts(in)...)
	if in.store != nil && !strings.Contains(resource.Name, "/") {
		words = append(words, storeFacts(in)...)
	}
	return strings.Join(append(words, strategyFacts(in)...), " ")
}

// connectFacts names the options kind of a subresource that is connected to, and the parameter that takes a path.
func connectFacts(in served) []string {
	if getter, ok := in.storage.(rest.GetterWithOptions); ok {
		options, _, _ := getter.NewGetOptions()
		return optionsFact(in, options)
	}
	connecter, ok := in.storage.(rest.Connecter)
	if !ok {
		return nil
	}
	options, subpath, parameter := connecter.NewConnectOptions()
	words := optionsFact(in, options)
	if subpath {
		words = append(words, "subpath="+parameter)
	}
	return append(words, "connect="+strings.Join(connecter.ConnectMethods(), ","))
}

func optionsFact(in served, options runtime.Object) []string {
	if options == nil {
		return nil
	}
	kinds, _, err := in.scheme.ObjectKinds(options)
	if err != nil {
		return nil
	}
	return []string{"options=" + kinds[0].Kind}
}

func storeFacts(in served) []string {
	ctx := genericapirequest.WithNamespace(context.Background(), "")
	prefix := strings.TrimSuffix(in.store.KeyRootFunc(ctx), "/")
	words := []string{"prefix=" + prefix}
	internal, _, err := in.scheme.ObjectKinds(in.store.NewFunc())
	if err == nil && in.store.StorageVersioner != nil {
		if gvk, ok := in.store.StorageVersioner.KindForGroupVersionKinds(internal); ok {
			words = append(words, "stored="+gvk.GroupVersion().String())
		}
	}
	return words
}

func scopeWord(namespaced bool) string {
	if namespaced {
		return "namespaced"
	}
	return "cluster"
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
