package kubectl

import (
	"testing"

	"gatehouse.dev/conformance/harness"
)

const policies = `
apiVersion: v1
kind: Namespace
metadata: {name: guarded, labels: {guarded: "yes"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: limits, namespace: guarded}
data: {most: "3"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: replicas}
spec:
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments, deployments/scale]}]
  matchConditions: [{name: not-exempt, expression: "!has(object.metadata.labels) || !('exempt' in object.metadata.labels)"}]
  variables: [{name: most, expression: int(params.data.most)}]
  validations:
  - expression: object.spec.replicas <= variables.most
    messageExpression: "'at most ' + string(variables.most) + ' replicas, not ' + string(object.spec.replicas)"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: replicas}
spec:
  policyName: replicas
  validationActions: [Deny]
  paramRef: {name: limits, parameterNotFoundAction: Deny}
  matchResources: {namespaceSelector: {matchLabels: {guarded: "yes"}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: team}
spec:
  reinvocationPolicy: Never
  matchConstraints:
    namespaceSelector: {matchLabels: {guarded: "yes"}}
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: "Object{metadata: Object.metadata{labels: {'team': object.metadata.namespace}}}"
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: team}
spec: {policyName: team}
`

// TestAdmissionPolicies has kubectl install policies in CEL, meet them, and take them away.
func TestAdmissionPolicies(t *testing.T) {
	s := harness.Start(t)
	harness.Contains(t, s.OK(policies, "apply", "-f", "-"), "validatingadmissionpolicy.admissionregistration.k8s.io/replicas created", "mutatingadmissionpolicybinding.admissionregistration.k8s.io/team created")
	create := func(name, namespace, replicas string, more ...string) []string {
		return append([]string{"create", "deployment", name, "--image=nginx", "--namespace=" + namespace, "--replicas=" + replicas}, more...)
	}
	denied := "ValidatingAdmissionPolicy 'replicas' with binding 'replicas' denied request: at most 3 replicas, not "
	harness.Contains(t, s.Refused("", create("web", "guarded", "5")...), "deployments.apps \"web\" is forbidden", denied+"5")
	harness.Contains(t, s.Refused("", create("web", "guarded", "5", "--dry-run=server")...), denied+"5")
	s.OK("", create("web", "default", "5")...)
	s.OK("", create("web", "guarded", "2")...)
	harness.Contains(t, s.OK("", "get", "deployment", "web", "--namespace=guarded", "--output=jsonpath={.metadata.labels}"), `"team":"guarded"`)
	harness.Contains(t, s.Refused("", "scale", "deployment", "web", "--namespace=guarded", "--replicas=4"), denied+"4")
	s.OK("", "scale", "deployment", "web", "--namespace=guarded", "--replicas=3")

	// What is said of parameters holds from the next request on.
	s.OK("", "patch", "configmap", "limits", "--namespace=guarded", "--patch", `{"data":{"most":"9"}}`)
	s.OK("", "scale", "deployment", "web", "--namespace=guarded", "--replicas=7")
	s.OK("", "patch", "validatingadmissionpolicybinding", "replicas", "--patch", `{"spec":{"validationActions":["Warn"]}}`)
	_, warned, err := s.Run("", create("many", "guarded", "12")...)
	if err != nil {
		t.Fatalf("%v: %s", err, warned)
	}
	harness.Contains(t, warned, "Warning: Validation failed for ValidatingAdmissionPolicy 'replicas' with binding 'replicas': at most 9 replicas, not 12")
	s.OK("", "delete", "validatingadmissionpolicy/replicas", "mutatingadmissionpolicy/team")
	s.OK("", create("free", "guarded", "20")...)
	harness.Contains(t, s.Refused("apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: bad}\nspec:\n  matchConstraints: {resourceRules: [{apiGroups: [\"\"], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}\n  validations: [{expression: object.}]\n", "apply", "-f", "-"), "spec.validations[0].expression: Invalid value", "Syntax error")
}
