package main

import (
	"context"
	"embed"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"gatehouse.dev/conformance/corpus"
	"gatehouse.dev/conformance/peer"
)

//go:embed objects
var files embed.FS

// base is an object that is changed in many ways.
type base struct {
	// name is its own among all; its namespace and, unless it has another, its name are derived from it.
	name string
	// definition is what the schema of its kind is called.
	definition string
	value      map[string]any
	// path is the collection's.
	path string
	// status says that the kind has a status of its own.
	status bool
	// invalid objects are sent though somebody is going to refuse them: for what is said of all their fields.
	invalid bool
	// fleeting ones are answered and not kept: reviews.
	fleeting bool
}

// unsteady are kinds whose answers differ without anybody's fault: upstream lists the rules of a review in a random order,
// its priority and fairness writes the status of flow schemas meanwhile, and Services get addresses of new ranges.
var unsteady = map[string]bool{"SelfSubjectRulesReview": true, "FlowSchema": true, "ServiceCIDR": true}

// family is of all scenarios; namespaces begin with it.
const family = "mutate"

// one is the path of the object itself.
func (b *base) one() string {
	metadata, _ := b.value["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	return b.path + "/" + name
}

// without leaves members out.
func (b *base) without(names ...string) map[string]any {
	made := maps.Clone(b.value)
	for _, name := range names {
		delete(made, name)
	}
	return made
}

// bases are the full objects that lie here, then those of the corpus, then upstream's golden files with a value in every
// field; of all these, what is served.
func bases(ctx context.Context, server *rest.Config, all schemas) ([]*base, error) {
	served, err := discover(ctx, server)
	if err != nil {
		return nil, err
	}
	var found []*base
	taken := map[string]bool{}
	add := func(name string, value map[string]any, invalid bool) {
		for taken[name] {
			name += "-again"
		}
		taken[name] = true
		if one := served.place(&base{name: name, value: value, invalid: invalid}); one != nil {
			if definition, ok := all.of(one.value["apiVersion"].(string), one.value["kind"].(string)); ok {
				one.definition = definition
				found = append(found, one)
			}
		}
	}
	if err := own(add); err != nil {
		return nil, err
	}
	objects, err := corpus.Objects()
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		add(name, objects[name], false)
	}
	return found, golden(add)
}

// own adds the objects that lie here.
func own(add func(string, map[string]any, bool)) error {
	entries, err := files.ReadDir("objects")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		content, err := files.ReadFile("objects/" + entry.Name())
		if err != nil {
			return err
		}
		for _, document := range strings.Split(string(content), "\n---\n") {
			var value map[string]any
			if err := yaml.Unmarshal([]byte(document), &value); err != nil {
				return err
			}
			kind, _ := value["kind"].(string)
			metadata, _ := value["metadata"].(map[string]any)
			name, _ := metadata["name"].(string)
			if strings.ContainsAny(name, "$.") {
				name = ""
			}
			add(strings.Trim("full-"+strings.ToLower(kind)+"-"+name, "-"), value, false)
		}
	}
	return nil
}

// golden adds upstream's.
func golden(add func(string, map[string]any, bool)) error {
	module, err := peer.Source(".", "k8s.io/api")
	if err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(module, "testdata", "HEAD", "*.json"))
	if err != nil {
		return err
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var value map[string]any
		if err := json.Unmarshal(content, &value); err != nil {
			return err
		}
		value["metadata"] = map[string]any{"labels": map[string]any{"a": "b"}}
		add("golden-"+strings.ToLower(strings.TrimSuffix(filepath.Base(name), ".json")), value, true)
	}
	return nil
}

// resources are what a server serves, by version and kind.
type resources map[[2]string]resource

type resource struct {
	metav1.APIResource
	status bool
}

func discover(ctx context.Context, server *rest.Config) (resources, error) {
	client, err := discovery.NewDiscoveryClientForConfig(server)
	if err != nil {
		return nil, err
	}
	_, lists, err := client.ServerGroupsAndResourcesWithContext(ctx)
	if err != nil {
		return nil, err
	}
	found := resources{}
	for _, of := range lists {
		for _, one := range of.APIResources {
			if slices.Contains(one.Verbs, "create") && !strings.Contains(one.Name, "/") {
				key := [2]string{of.GroupVersion, one.Kind}
				found[key] = resource{one, slices.ContainsFunc(of.APIResources, func(other metav1.APIResource) bool { return other.Name == one.Name+"/status" })}
			}
		}
	}
	return found, nil
}

// place gives the object its path, its namespace and its name; nothing when its kind is not served.
func (r resources) place(one *base) *base {
	version, _ := one.value["apiVersion"].(string)
	kind, _ := one.value["kind"].(string)
	of, served := r[[2]string{version, kind}]
	if !served || unsteady[kind] {
		return nil
	}
	one.status = of.status
	one.fleeting = !slices.Contains(of.Verbs, "update")
	one.name = strings.NewReplacer(".", "-", "_", "-").Replace(one.name)
	one.path = "/apis/" + version
	if !strings.Contains(version, "/") {
		one.path = "/api/" + version
	}
	namespace := family + "-" + one.name
	if of.Namespaced {
		one.path += "/namespaces/" + namespace
	}
	one.path += "/" + of.Name
	encoded, err := json.Marshal(one.value)
	if err != nil {
		return nil
	}
	var value map[string]any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(encoded), "$ns", namespace)), &value); err != nil {
		return nil
	}
	metadata, _ := value["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	if metadata == nil {
		metadata = map[string]any{}
	}
	if metadata["name"] == nil {
		metadata["name"] = namespace
	}
	value["metadata"] = metadata
	one.value = value
	return one
}
