// Package customresources drives kubectl, the dynamic client and a conversion webhook through the life of custom resources.
package customresources

import (
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, kind: CronTab, shortNames: [ct], categories: [jobs]}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        description: CronTab says when something runs.
        properties:
          spec:
            type: object
            required: [cronSpec]
            properties:
              cronSpec: {type: string, description: When it runs., pattern: '^[0-9* /,-]+$'}
              image: {type: string}
              replicas: {type: integer, minimum: 1, maximum: 10, default: 1}
          status:
            type: object
            properties: {replicas: {type: integer}, labelSelector: {type: string}}
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .status.labelSelector}
    additionalPrinterColumns:
    - {name: Spec, type: string, jsonPath: .spec.cronSpec}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Image, type: string, jsonPath: .spec.image, priority: 1}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    selectableFields: [{jsonPath: .spec.image}]
  - name: v1beta1
    served: true
    storage: false
    deprecated: true
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

const crontab = `
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: often}
spec: {cronSpec: "* * * * */5", image: runner}
`

// TestScenario is one story on one server; each step builds on those before it.
func TestScenario(t *testing.T) {
	s := harness.Start(t)
	for _, step := range []struct {
		name string
		run  func(*testing.T, *harness.Server)
	}{
		{"a definition is established", establish},
		{"objects are applied, defaulted, pruned, validated", write},
		{"get, wide, explain", read},
		{"edit, patch, scale, status", change},
		{"another version", versions},
		{"the definition goes with its objects", remove},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, s.In(t)) }) {
			t.Logf("server log:\n%s", s.Log())
		}
	}
}

func establish(t *testing.T, s *harness.Server) {
	harness.Contains(t, s.OK(definition, "create", "-f", "-"), "customresourcedefinition.apiextensions.k8s.io/crontabs.stable.example.com created")
	s.OK("", "wait", "--for=condition=Established", "crd/crontabs.stable.example.com", "--timeout=30s")
	conditions := s.OK("", "get", "crd", "crontabs.stable.example.com", "-o", "jsonpath={range .status.conditions[*]}{.type}={.status}:{.reason}:{.message};{end}")
	want := "NamesAccepted=True:NoConflicts:no conflicts found;Established=True:InitialNamesAccepted:the initial names have been accepted;"
	if conditions != want {
		t.Errorf("conditions are %s", conditions)
	}
	harness.Contains(t, s.OK("", "get", "crd", "crontabs.stable.example.com", "-o", "jsonpath={.status.acceptedNames.listKind}"), "CronTabList")
	harness.Contains(t, s.OK("", "api-resources", "--api-group=stable.example.com"), "crontabs", "ct", "stable.example.com/v1", "true", "CronTab")
	rival := strings.NewReplacer("crontabs", "rivals").Replace(definition)
	s.OK(rival, "create", "-f", "-")
	harness.Eventually(t, "the second definition of a kind being refused its names", func() bool {
		// Until the definition is judged it has no conditions, over which kubectl's filter fails.
		reason, _, err := s.Run("", "get", "crd", "rivals.stable.example.com", "-o", `jsonpath={.status.conditions[?(@.type=="NamesAccepted")].reason}`)
		return err == nil && reason == "ListKindConflict"
	})
	s.OK("", "delete", "crd", "rivals.stable.example.com")
}

func write(t *testing.T, s *harness.Server) {
	harness.Contains(t, s.OK(crontab, "apply", "-f", "-"), "crontab.stable.example.com/often created")
	harness.Contains(t, s.OK(crontab, "apply", "-f", "-"), "crontab.stable.example.com/often unchanged")
	harness.Contains(t, s.OK("", "get", "ct", "often", "-o", "jsonpath={.spec.replicas}"), "1")
	harness.Contains(t, s.Refused(strings.Replace(crontab, "image: runner", "imag: runner", 1), "apply", "-f", "-"), `unknown field "spec.imag"`)
	harness.Contains(t, s.Refused(strings.Replace(crontab, "* * * * */5", "never", 1), "apply", "-f", "-", "--validate=false"),
		`spec.cronSpec: Invalid value: "never": spec.cronSpec in body should match '^[0-9* /,-]+$'`)
	harness.Contains(t, s.Refused(strings.Replace(crontab, "image: runner", "replicas: 11", 1), "apply", "-f", "-"), "spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10")
	harness.Contains(t, s.OK(strings.Replace(crontab, "name: often", "name: dry", 1), "create", "-f", "-", "--dry-run=server", "-o", "yaml"), "replicas: 1")
	harness.Contains(t, s.Refused("", "get", "ct", "dry"), "NotFound")
}

func read(t *testing.T, s *harness.Server) {
	table := s.OK("", "get", "crontabs")
	harness.Contains(t, table, "NAME", "SPEC", "REPLICAS", "AGE", "often", "* * * * */5")
	if strings.Contains(table, "IMAGE") {
		t.Errorf("a column of priority 1 is shown without -o wide:\n%s", table)
	}
	harness.Contains(t, s.OK("", "get", "ct", "-o", "wide"), "IMAGE", "runner")
	harness.Contains(t, s.OK("", "get", "jobs"), "often")
	harness.Contains(t, s.OK("", "get", "ct", "--field-selector", "spec.image=runner", "-o", "name"), "crontab.stable.example.com/often")
	if found := s.OK("", "get", "ct", "--field-selector", "spec.image=other", "-o", "name"); found != "" {
		t.Errorf("the selector found %s", found)
	}
	harness.Contains(t, s.OK("", "explain", "crontab"), "CronTab says when something runs.", "VERSION:", "v1")
	harness.Contains(t, s.OK("", "explain", "crontab.spec.cronSpec"), "When it runs.", "<string>")
	harness.Contains(t, s.OK("", "describe", "ct", "often"), "Cron Spec:", "* * * * */5")
}

func change(t *testing.T, s *harness.Server) {
	s.OK("", "patch", "ct", "often", "--type=merge", "-p", `{"spec":{"image":"other"}}`)
	s.OK("", "patch", "ct", "often", "--type=json", "-p", `[{"op":"replace","path":"/spec/cronSpec","value":"1 * * * *"}]`)
	s.OK("", "label", "ct", "often", "team=night")
	harness.Contains(t, s.OK("", "get", "ct", "often", "-o", "jsonpath={.metadata.generation} {.spec.image} {.metadata.labels.team}"), "3 other night")
	harness.Contains(t, s.OK("", "scale", "ct", "often", "--replicas=4"), "scaled")
	harness.Contains(t, s.OK("", "get", "ct", "often", "-o", "jsonpath={.spec.replicas}"), "4")
	s.OK("", "patch", "ct", "often", "--subresource=status", "--type=merge", "-p", `{"status":{"replicas":3},"spec":{"image":"ignored"}}`)
	harness.Contains(t, s.OK("", "get", "ct", "often", "-o", "jsonpath={.status.replicas} {.spec.image} {.metadata.generation}"), "3 other 4")
	harness.Contains(t, s.Refused("", "patch", "ct", "often", "--type=strategic", "-p", `{}`),
		"application/strategic-merge-patch+json is not supported by stable.example.com/v1, Kind=CronTab", "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml")
}

func versions(t *testing.T, s *harness.Server) {
	old, warning, err := s.Run("", "get", "crontabs.v1beta1.stable.example.com", "often", "-o", "yaml")
	if err != nil {
		t.Fatal(err)
	}
	harness.Contains(t, old, "apiVersion: stable.example.com/v1beta1", "replicas: 4")
	harness.Contains(t, warning, "Warning: stable.example.com/v1beta1 CronTab is deprecated; use stable.example.com/v1 CronTab")
}

func remove(t *testing.T, s *harness.Server) {
	s.OK("", "create", "namespace", "night")
	s.OK(crontab, "apply", "-n", "night", "-f", "-")
	s.OK("", "delete", "namespace", "night", "--timeout=60s")
	s.OK("", "delete", "crd", "crontabs.stable.example.com", "--timeout=60s")
	// kubectl still knows the resource, the server does not.
	harness.Contains(t, s.Refused("", "get", "crontabs"), "the server could not find the requested resource")
	s.OK(definition, "create", "-f", "-")
	s.OK("", "wait", "--for=condition=Established", "crd/crontabs.stable.example.com", "--timeout=30s")
	if left := s.OK("", "get", "crontabs", "-A", "-o", "name"); left != "" {
		t.Errorf("objects outlived their definition: %s", left)
	}
}
