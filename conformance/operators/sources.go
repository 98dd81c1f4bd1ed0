// Package operators installs the definitions of well-known operators and has their own samples, valid and invalid, judged,
// each also with one field damaged. It knows no server: the test compares Gatehouse with what the real kube-apiserver
// answered, which `go run ./record -operators` writes down.
package operators

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Source is a module that ships definitions and samples. Modules are read, not built: this module does not depend on them.
type Source struct {
	// Name is what its answers are filed under.
	Name string
	// Module and Sum say which module, to the byte.
	Module, Sum string
	// definitions and samples are folders of the module.
	definitions string
	samples     []string
}

const (
	gatewayModule = "sigs.k8s.io/gateway-api@v1.4.0"
	gatewaySum    = "h1:ZwlNM6zOHq0h3WUX2gfByPs2yAEsy/EenYJB78jpQfQ="
)

// Sources are installed in this order on one server: the experimental definitions of Gateway API over the standard ones.
var Sources = []Source{
	{"gateway-standard", gatewayModule, gatewaySum, "config/crd/standard", []string{"examples/standard", "hack/invalid-examples/standard", "conformance/tests"}},
	{"gateway-experimental", gatewayModule, gatewaySum, "config/crd/experimental", []string{"examples/experimental", "hack/invalid-examples/experimental"}},
	{"cert-manager", "github.com/cert-manager/cert-manager@v1.19.1", "h1:Txh8L/nLWTDcb7ZnXuXbTe15BxQnLbLirXmbNk0fGgY=", "deploy/crds", []string{"test/fixtures"}},
	{"prometheus", "github.com/prometheus-operator/prometheus-operator@v0.85.0", "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=", "example/prometheus-operator-crd", []string{"example"}},
}

// Definitions are the files of a source's definitions, given the module's folder.
func (s Source) Definitions(folder string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(folder, s.definitions, "*.yaml"))
	if len(files) == 0 && err == nil {
		err = fmt.Errorf("%s has no definitions in %s", s.Module, s.definitions)
	}
	return slices.DeleteFunc(files, func(file string) bool { return filepath.Base(file) == "kustomization.yaml" }), err
}

// sample is an object to be judged.
type sample struct {
	name   string
	object *unstructured.Unstructured
}

// samplesOf are the objects of a source's samples that are of the given kinds.
func (s Source) samplesOf(folder string, kinds kinds) ([]sample, error) {
	var samples []sample
	for _, under := range s.samples {
		err := filepath.WalkDir(filepath.Join(folder, under), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
				return err
			}
			objects, err := read(path)
			if err != nil {
				return nil //nolint:nilerr // templates of charts are no YAML
			}
			name, err := filepath.Rel(folder, path)
			for number, object := range objects {
				if _, known := kinds[object.GroupVersionKind().GroupKind()]; known {
					samples = append(samples, sample{fmt.Sprintf("%s#%d", name, number), object})
				}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(samples) == 0 {
		return nil, fmt.Errorf("%s has no samples", s.Module)
	}
	return samples, nil
}

// read gives the documents of a YAML file.
func read(path string) ([]*unstructured.Unstructured, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := documents.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if len(object.Object) > 0 && strings.Contains(object.GetAPIVersion(), "/") {
			objects = append(objects, object)
		}
	}
}
