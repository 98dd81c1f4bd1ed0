// Typecheck lets upstream's type checker judge the policies of policies.yaml and prints them with its warnings, one JSON
// object a line. The Rust tests of the catalog read it.
package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"regexp"

	admissionregistration "k8s.io/api/admissionregistration/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/scheme"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/cel/openapi/resolver"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kubernetes/pkg/generated/openapi"
	"sigs.k8s.io/yaml"
)

//go:embed policies.yaml
var policies []byte

// Types are called after their kind and a number that is another each time.
var numbered = regexp.MustCompile(`\b(Pod|Deployment|ReplicaSet|ConfigMap|Event|CustomResourceDefinition|Service|HorizontalPodAutoscaler)\d+\b`)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var all []admissionregistration.ValidatingAdmissionPolicy
	if err := yaml.UnmarshalStrict(policies, &all); err != nil {
		return err
	}
	if err := apiextensions.AddToScheme(scheme.Scheme); err != nil {
		return err
	}
	checker := validating.TypeChecker{
		SchemaResolver: resolver.NewDefinitionsSchemaResolver(openapi.GetOpenAPIDefinitions, scheme.Scheme),
		RestMapper:     testrestmapper.TestOnlyStaticRESTMapper(scheme.Scheme),
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, policy := range all {
		warnings := checker.Check(&policy)
		for i := range warnings {
			warnings[i].Warning = numbered.ReplaceAllString(warnings[i].Warning, "$1")
		}
		if err := out.Encode(map[string]any{"policy": policy, "warnings": warnings}); err != nil {
			return err
		}
	}
	return nil
}
