package corpus

import (
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// kind is a resource and an object of it; every request that makes sense for any kind is derived from them.
type kind struct {
	// Path is the collection's; one in a namespace names `$ns`.
	Path string `json:"path"`
	// Object is the smallest that is valid, or a full one; its name is the scenario's namespace.
	Object map[string]any `json:"object"`
	// Change is a merge patch that keeps it valid.
	Change map[string]any `json:"change"`
	// Status is a merge patch for the status subresource.
	Status map[string]any `json:"status,omitempty"`
	// Named is an expression of the name where it cannot be the scenario's own.
	Named string `json:"named,omitempty"`
}

// kinds derives a scenario for each object of a file.
func kinds(family string, text []byte) ([]Scenario, error) {
	var file map[string]kind
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		return nil, err
	}
	var all []Scenario
	for _, name := range slices.Sorted(maps.Keys(file)) {
		all = append(all, New(family, name, map[string]string{"at": file[name].Path}, file[name].steps()))
	}
	return all, nil
}

// Bare is the smallest object of a kind.
type Bare struct {
	// Kind is its name in kinds/bare.yaml.
	Kind string
	// Path is the collection's.
	Path string
	// Name is the object's.
	Name string
	// Object is what is posted.
	Object map[string]any
	// Change is a merge patch that keeps it valid.
	Change map[string]any
}

// Bares are the objects of kinds/bare.yaml, in and after a namespace.
func Bares(namespace string) ([]Bare, error) {
	text, err := files.ReadFile("kinds/bare.yaml")
	if err != nil {
		return nil, err
	}
	var file map[string]kind
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(string(text), "$ns", namespace)), &file); err != nil {
		return nil, err
	}
	var all []Bare
	taken := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(file)) {
		k := file[name]
		metadata, _ := k.Object["metadata"].(map[string]any)
		own, _ := metadata["name"].(string)
		own = cmpOr(own, k.Named, namespace)
		// Events and autoscalers are served in two groups and are the same objects.
		if at := k.Path[strings.LastIndex(k.Path, "/"):] + "/" + own; taken[at] {
			own += "-again"
		} else {
			taken[at] = true
		}
		object := k.with(map[string]any{"metadata": map[string]any{"name": own}})
		all = append(all, Bare{Kind: name, Path: k.Path, Name: own, Object: object, Change: k.Change})
	}
	return all, nil
}

// steps takes one object through its life.
func (k kind) steps() []Step {
	object := k.with(map[string]any{"metadata": map[string]any{"labels": map[string]any{"corpus": "$ns"}}})
	metadata, _ := object["metadata"].(map[string]any)
	if metadata["name"] == nil {
		metadata["name"] = cmpOr(k.Named, "$ns")
	}
	one := "$at/" + metadata["name"].(string)
	here := "$at?labelSelector=corpus%3D$ns"
	k.Object = object
	changed := k.with(k.Change)
	nothing := ""
	steps := []Step{
		{Do: "POST $at?dryRun=All", Body: object},
		{Do: "POST $at", Body: object, Save: map[string]string{"made": "metadata.resourceVersion"}},
		{Do: "GET " + one}, {Do: "GET:yaml " + one}, {Do: "GET:table " + one}, {Do: "GET:partial " + one}, {Do: "GET:protobuf " + one},
		{Do: "GET " + here}, {Do: "GET:yaml " + here}, {Do: "GET:table " + here}, {Do: "GET:partiallist " + here}, {Do: "GET:protobuf " + here},
		{Do: "GET:table " + here + "&includeObject=Object&limit=1"},
		{Do: "GET " + here + "&watch=true&resourceVersion=0&timeoutSeconds=30", Events: 1},
		{Do: "GET:table " + here + "&watch=true&resourceVersion=0&timeoutSeconds=30", Events: 1},
		{Do: "GET:partial " + here + "&watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=30", Events: 2},
		{Do: "POST $at", Body: object},
		{Do: "PATCH:merge " + one, Body: labels("merge", "yes")},
		{Do: "PATCH:jsonpatch " + one, Body: []any{map[string]any{"op": "add", "path": "/metadata/labels/json", "value": "yes"}, map[string]any{"op": "test", "path": "/metadata/labels/merge", "value": "yes"}}},
		{Do: "PATCH:strategic " + one, Body: labels("merge", nil)},
		{Do: "PATCH:strategic " + one, Body: labels("merge", nil)},
		{Do: "PATCH:apply " + one + "?fieldManager=applier", Body: k.applied(metadata)},
		{Do: "PATCH:merge " + one + "?dryRun=All", Body: k.Change},
		{Do: "PUT " + one, Body: withRevision(changed, "$made")},
		{Do: "PUT " + one, Body: changed},
		{Do: "PUT $at/another", Body: changed},
		{Do: "GET " + here + "&watch=true&resourceVersion=$made&timeoutSeconds=30", Events: 2},
	}
	if k.Status != nil {
		steps = append(steps,
			Step{Do: "GET " + one + "/status"}, Step{Do: "PATCH:merge " + one + "/status", Body: map[string]any{"status": k.Status, "spec": map[string]any{}}},
			Step{Do: "GET:table " + one})
	}
	unknown := k.with(map[string]any{"metadata": map[string]any{"name": "$ns-2"}, "unheardOf": 1})
	unnamed := k.with(map[string]any{"metadata": map[string]any{"name": nil, "generateName": "gen-"}})
	steps = append(steps,
		Step{Do: "POST $at?dryRun=All", Body: unknown},
		Step{Do: "POST $at?dryRun=All&fieldValidation=Strict", Body: unknown},
		Step{Do: "POST $at?dryRun=All&fieldValidation=Ignore", Body: unknown},
		Step{Do: "POST $at?dryRun=All", Body: unnamed},
		Step{Do: "POST $at?dryRun=All", Body: k.with(map[string]any{"metadata": map[string]any{"name": nil}})},
		Step{Do: "POST $at?dryRun=All", Body: k.with(map[string]any{"metadata": map[string]any{"name": "Not/A Name"}})},
		Step{Do: "POST $at?dryRun=All", Body: k.with(map[string]any{"metadata": map[string]any{"labels": map[string]any{"-": "!"}, "annotations": map[string]any{"a b": ""}, "finalizers": []any{"x"}}})},
		Step{Do: "POST $at?dryRun=All", Body: k.with(map[string]any{"kind": "Unheard"})},
		Step{Do: "POST $at?dryRun=All", Body: k.with(map[string]any{"apiVersion": "example.com/v1"})},
		Step{Do: "POST $at?dryRun=All", Raw: &nothing},
		Step{Do: "POST:yaml $at?dryRun=All", Body: k.with(map[string]any{"metadata": map[string]any{"name": "$ns-2"}})},
		Step{Do: "POST:protobuf $at?dryRun=All", Body: k.with(map[string]any{"metadata": map[string]any{"name": "$ns-2"}})},
		Step{Do: "GET $at/missing"},
		Step{Do: "DELETE " + one + "?dryRun=All"},
		Step{Do: "DELETE " + one, Body: map[string]any{"preconditions": map[string]any{"uid": "11111111-2222-3333-4444-555555555555"}}},
		Step{Do: "DELETE " + one, Body: map[string]any{"propagationPolicy": "Sometimes"}},
		Step{Do: "DELETE " + here + "&dryRun=All"},
		Step{Do: "DELETE " + one, Body: map[string]any{"propagationPolicy": "Background", "gracePeriodSeconds": 0}},
		Step{Do: "GET " + one},
		Step{Do: "DELETE " + one},
		Step{Do: "DELETE " + here},
	)
	return steps
}

// with is the object changed by a merge patch.
func (k kind) with(patch map[string]any) map[string]any {
	return merged(k.Object, patch)
}

// applied is what an applier says: the object's kind and name, and one label.
func (k kind) applied(metadata map[string]any) map[string]any {
	said := map[string]any{"apiVersion": k.Object["apiVersion"], "kind": k.Object["kind"]}
	said["metadata"] = map[string]any{"name": metadata["name"], "labels": map[string]any{"applied": "yes"}}
	return said
}

func labels(name string, value any) map[string]any {
	return map[string]any{"metadata": map[string]any{"labels": map[string]any{name: value}}}
}

func withRevision(object map[string]any, revision string) map[string]any {
	return merged(object, map[string]any{"metadata": map[string]any{"resourceVersion": revision}})
}

// merged applies a merge patch; null takes a member out.
func merged(object, patch map[string]any) map[string]any {
	made := maps.Clone(object)
	if made == nil {
		made = map[string]any{}
	}
	for name, value := range patch {
		inner, isMap := value.(map[string]any)
		before, _ := made[name].(map[string]any)
		switch {
		case value == nil:
			delete(made, name)
		case isMap:
			made[name] = merged(before, inner)
		default:
			made[name] = value
		}
	}
	return made
}
