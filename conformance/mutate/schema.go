package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// schema is what upstream's published OpenAPI v2 document says of a type, as far as values can be made up from it.
type schema struct {
	Ref         string            `json:"$ref"`
	Type        string            `json:"type"`
	Format      string            `json:"format"`
	Description string            `json:"description"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
	Additional  *schema           `json:"additionalProperties"`
	Required    []string          `json:"required"`
	Kinds       []struct {
		Group   string `json:"group"`
		Version string `json:"version"`
		Kind    string `json:"kind"`
	} `json:"x-kubernetes-group-version-kind"`
}

// schemas are the definitions by name.
type schemas map[string]schema

// sort is what a value of a schema looks like.
type sort string

const (
	isText     sort = "text"
	isNumber   sort = "number"
	isFlag     sort = "flag"
	isQuantity sort = "quantity"
	isInstant  sort = "instant"
	isEither   sort = "number or text"
	isBytes    sort = "bytes"
	isList     sort = "list"
	isMap      sort = "map"
	isObject   sort = "object"
	isAnything sort = "anything"
)

// readSchemas reads the document in the folder of the module k8s.io/kubernetes.
func readSchemas(module string) (schemas, error) {
	content, err := os.ReadFile(filepath.Join(module, "api", "openapi-spec", "swagger.json"))
	if err != nil {
		return nil, err
	}
	var document struct {
		Definitions schemas `json:"definitions"`
	}
	err = json.Unmarshal(content, &document)
	return document.Definitions, err
}

// of finds the definition of a kind.
func (s schemas) of(apiVersion, kind string) (string, bool) {
	group, version, grouped := strings.Cut(apiVersion, "/")
	if !grouped {
		group, version = "", apiVersion
	}
	for name, one := range s {
		for _, known := range one.Kinds {
			if len(one.Kinds) == 1 && known.Group == group && known.Version == version && known.Kind == kind {
				return name, true
			}
		}
	}
	return "", false
}

// resolve follows a reference, and says how the definition is called, in short.
func (s schemas) resolve(one schema) (string, schema) {
	name := strings.TrimPrefix(one.Ref, "#/definitions/")
	if name == "" {
		return "", one
	}
	found := s[name]
	return short(name), found
}

// short leaves the version and the name of a definition's whole name: "v1.Container".
func short(name string) string {
	parts := strings.Split(name, ".")
	return strings.Join(parts[max(0, len(parts)-2):], ".")
}

// sortOf says what values of a resolved schema look like.
func sortOf(name string, one schema) sort {
	switch {
	case name == "resource.Quantity":
		return isQuantity
	case one.Format == "date-time":
		return isInstant
	case one.Format == "int-or-string":
		return isEither
	case one.Format == "byte":
		return isBytes
	case one.Type == "string":
		return isText
	case one.Type == "integer" || one.Type == "number":
		return isNumber
	case one.Type == "boolean":
		return isFlag
	case one.Type == "array":
		return isList
	case one.Type == "object" && one.Additional != nil:
		return isMap
	case len(one.Properties) > 0:
		return isObject
	}
	return isAnything
}

// quoted finds the words that a description puts in quotes or writes in one of the usual ways for constants.
var quoted = regexp.MustCompile(`["'` + "`" + `]([A-Za-z][\w./-]{1,40})["'` + "`" + `]|\b([A-Z][a-z]+[A-Z]\w+|[A-Z]{3,5})\b`)

// wordsMax is how many words of a description are tried.
const wordsMax = 8

// words are the values that a description names.
func words(description string) []any {
	var found []any
	seen := map[string]bool{}
	for _, match := range quoted.FindAllStringSubmatch(description, -1) {
		if word := match[1] + match[2]; !seen[word] && len(found) < wordsMax {
			seen[word] = true
			found = append(found, word)
		}
	}
	return found
}
