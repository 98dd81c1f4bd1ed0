package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

// mutating is a policy that gives Pods of a team's namespace that team's label, and what its author expects of it.
var mutating = map[string]string{
	"policy.yaml": `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: team}
spec:
  reinvocationPolicy: Never
  matchConstraints:
    namespaceSelector: {matchExpressions: [{key: team, operator: Exists}]}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  matchConditions:
  - {name: unprivileged, expression: "!authorizer.group('').resource('pods').namespace(request.namespace).check('delete').allowed()"}
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: "Object{metadata: Object.metadata{labels: {'team': namespaceObject.metadata.labels.team}}}"
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: team}
spec: {policyName: team}
`,
	"cases/pods.yaml": `
cases:
- name: a pod of a team is marked
  cluster: [&shop {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: payments}}}]
  object: &pod {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {containers: [{name: a, image: b}]}}
  expect:
    asked: true
    object: {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop, labels: {team: payments}}, spec: {containers: [{name: a, image: b}]}}
- name: nobody's pod stays
  object: *pod
  expect: {asked: false}
- name: who may delete it knows better
  cluster: [*shop]
  authorizer: [{verb: delete, resource: pods, namespace: shop}]
  object: *pod
  expect: {unchanged: true}
`,
}

// files writes a folder.
func files(t *testing.T, texts map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range texts {
		file := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestCELInCases(t *testing.T) {
	root := harness.Root(t)
	same := gatehouse(t, root, "policy", "test", "examples/required-labels/cel", "--cases", "policies/required-labels/cases")
	harness.Contains(t, same, "required-labels (validator in CEL)", "10 of 10 cases passed")
	harness.Contains(t, gatehouse(t, files(t, mutating), "policy", "test"), "team (mutator in CEL)", "3 of 3 cases passed")
}

// TestCELOnServer applies the policy that the cases have judged, and lets the commands compare with what the server says.
func TestCELOnServer(t *testing.T) {
	folder := filepath.Join(harness.Root(t), "examples/required-labels/cel")
	log := filepath.Join(t.TempDir(), "audit.log")
	s := harness.Start(t, "--audit-policy-file", write(t, auditPolicy), "--audit-log-path", log)
	a := author{t, s, harness.Gatehouse(t), filepath.Dir(harness.Kubectl(t))}
	s.OK("", "apply", "-f", filepath.Join(folder, "definition.yaml"))
	s.OK("", "wait", "--for=condition=Established", "crd/requiredlabels.policies.gatehouse.example")
	everywhere := func(name string) string {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Replace(string(text), `"pods", `, `"pods", "configmaps", `, 1)
	}
	s.OK(everywhere("policy.yaml"), "apply", "-f", "-")
	s.OK(everywhere("binding.yaml"), "apply", "-f", "-")
	bare := `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bare", "namespace": "default"}}`
	var refused string
	harness.Eventually(t, "the policy is in force", func() bool {
		_, said, err := s.Run(bare, "create", "--dry-run=server", "-f", "-")
		refused = said
		return err != nil
	})
	harness.Contains(t, refused, `ValidatingAdmissionPolicy 'required-labels' with binding 'required-labels' denied request: `+
		`metadata.labels[team]: the label "team" is required (rule label-required)`)
	s.OK(strings.Replace(bare, `"bare"`, `"good", "labels": {"team": "a"}`, 1), "create", "-f", "-")
	s.Refused(bare, "create", "-f", "-")
	s.Stop()

	here := files(t, map[string]string{"policy.yaml": everywhere("policy.yaml"), "binding.yaml": everywhere("binding.yaml"), "definition.yaml": everywhere("definition.yaml")})
	recorded := filepath.Join(t.TempDir(), "recorded.jsonl")
	a.ok("record", here, "--audit", log, "--out", recorded)
	harness.Contains(t, a.ok("replay", here, "--corpus", recorded, "--same"), "CREATE ConfigMap default/bare: refused: metadata.labels[team]: ",
		"0 of ", " verdicts are others than the server's")
	harness.Contains(t, a.fails("run", here, "--object", write(t, bare)), `the label "team" is required (rule label-required)`)
	other := write(t, "labels: [{key: owner}]")
	harness.Contains(t, a.fails("replay", here, "--corpus", recorded, "--settings", other, "--same"),
		"CREATE ConfigMap default/good: refused by label-required here, allowed by the server")
}
