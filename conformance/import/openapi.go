package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// published holds the schemas of upstream's published OpenAPI v3 documents by name.
type published map[string]map[string]any

func readPublished(module string) (published, error) {
	files, err := filepath.Glob(filepath.Join(module, "api/openapi-spec/v3/*.json"))
	if err != nil {
		return nil, err
	}
	all := published{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var document struct {
			Components struct {
				Schemas map[string]map[string]any
			}
		}
		if err := json.Unmarshal(text, &document); err != nil {
			return nil, err
		}
		for name, schema := range document.Components.Schemas {
			all[name] = schema
		}
	}
	return all, nil
}

// described maps each description to a field that has it: the text itself is never recorded.
func (p published) described() map[string]string {
	found := map[string]string{}
	for _, name := range keys(p) {
		properties, _ := p[name]["properties"].(map[string]any)
		for _, field := range keys(properties) {
			property, _ := properties[field].(map[string]any)
			text, _ := property["description"].(string)
			if _, ok := found[text]; !ok && text != "" {
				found[text] = name + "/" + field
			}
		}
	}
	return found
}

// facts are the words for what the schema of a field says beyond its type.
func (p published) facts(owner, name, word string, omitted bool) []string {
	schema, ok := p[owner]
	if !ok {
		return nil
	}
	var words []string
	if required, _ := schema["required"].([]any); slices.Contains(required, any(name)) {
		words = append(words, "required")
	}
	properties, _ := schema["properties"].(map[string]any)
	property, ok := properties[name].(map[string]any)
	if !ok {
		return append(words, "unpublished")
	}
	return append(words, propertyFacts(property, strings.TrimPrefix(word, "*"), zeroOf(word, omitted))...)
}

func propertyFacts(property map[string]any, kind, zero string) []string {
	var words []string
	if list, ok := property["x-kubernetes-list-type"].(string); ok {
		if keys, ok := property["x-kubernetes-list-map-keys"].([]any); ok {
			list += ":" + join(keys)
		}
		words = append(words, "list="+list)
	}
	if kind, ok := property["x-kubernetes-map-type"].(string); ok {
		words = append(words, "map="+kind)
	}
	if format, ok := property["format"].(string); ok && format != formatOf(kind) {
		words = append(words, "format="+format)
	} else if !ok && formatOf(kind) != "" {
		words = append(words, "format=")
	}
	return append(words, schemaDefault(property, zero)...)
}

// schemaDefault is the word for a default that does not follow from the type: values that are no pointers and are always
// written default to their zero value, structs that are no pointers to {}.
func schemaDefault(property map[string]any, inferred string) []string {
	value, ok := property["default"]
	text, _ := json.Marshal(value)
	switch {
	case !ok && inferred == "":
		return nil
	case !ok:
		return []string{"schema-default=none"}
	case string(text) == inferred:
		return nil
	}
	return []string{"schema-default=" + string(text)}
}

// zeroOf is the published default that follows from a field's word and tag.
func zeroOf(word string, omitted bool) string {
	zeros := map[string]string{"string": `""`, "bool": "false", "int32": "0", "int64": "0", "float64": "0"}
	switch {
	case strings.HasPrefix(word, "io.k8s."):
		return "{}"
	case omitted:
		return ""
	}
	return zeros[word]
}

func formatOf(kind string) string {
	switch kind {
	case "int32", "int64":
		return kind
	case "float64":
		return "double"
	case "bytes":
		return "byte"
	}
	return ""
}

// typeFacts are the words for what the schema of a struct says beyond its fields.
func (p published) typeFacts(name string) []string {
	schema, ok := p[name]
	if !ok {
		return []string{"unpublished"}
	}
	var words []string
	if kind, ok := schema["x-kubernetes-map-type"].(string); ok {
		words = append(words, "map="+kind)
	}
	if unions, ok := schema["x-kubernetes-unions"]; ok {
		text, _ := json.Marshal(unions)
		words = append(words, "unions="+string(text))
	}
	return words
}

func join(values []any) string {
	var words []string
	for _, value := range values {
		words = append(words, reflect.ValueOf(value).String())
	}
	return strings.Join(words, ",")
}
