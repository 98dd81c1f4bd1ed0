package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// options are the kinds whose fields are parameters of queries. Those of deletes are described with everything else.
var options = []interface{ SwaggerDoc() map[string]string }{
	corev1.NodeProxyOptions{}, corev1.PodAttachOptions{}, corev1.PodExecOptions{}, corev1.PodLogOptions{}, corev1.PodPortForwardOptions{},
	corev1.PodProxyOptions{}, corev1.ServiceProxyOptions{},
	metav1.CreateOptions{}, metav1.GetOptions{}, metav1.ListOptions{}, metav1.PatchOptions{},
}

// queries says what a server tells of parameters: lines of `<options> <parameter><tab><description as JSON>`. Clients see the names
// under which a document shares parameters, and these hang on every letter of the descriptions.
func queries(module string) (string, error) {
	var out strings.Builder
	line := func(key, about string) error {
		text, err := json.Marshal(about)
		fmt.Fprintf(&out, "%s\t%s\n", key, text)
		return err
	}
	for _, of := range options {
		kind := reflect.TypeOf(of)
		name := "io.k8s.api.core.v1." + kind.Name()
		if kind.PkgPath() == reflect.TypeFor[metav1.ListOptions]().PkgPath() {
			name = "io.k8s.apimachinery.pkg.apis.meta.v1." + kind.Name()
		}
		docs := of.SwaggerDoc()
		for _, field := range keys(docs) {
			if field == "" {
				continue
			}
			if err := line(name+" "+field, docs[field]); err != nil {
				return "", err
			}
		}
	}
	pretty, err := publishedParameter(module, "pretty")
	if err != nil {
		return "", err
	}
	err = line("pretty", pretty)
	return out.String(), err
}

// publishedParameter is what upstream's published document says of a parameter that belongs to no options.
func publishedParameter(module, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(module, "api/openapi-spec/swagger.json"))
	if err != nil {
		return "", err
	}
	var document struct {
		Parameters map[string]struct{ Name, Description string }
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return "", err
	}
	for _, parameter := range document.Parameters {
		if parameter.Name == name {
			return parameter.Description, nil
		}
	}
	return "", fmt.Errorf("no parameter %s is published", name)
}
