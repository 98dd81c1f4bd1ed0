// What bindings say beyond which policy is asked: a namespace of their own, exceptions, candidates, and what is stored.
package policy

import (
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

// A binding of required-labels about ConfigMaps: its kind, its metadata, and the rest of its spec.
func aboutConfigMaps(kind, metadata, spec string) string {
	return `
apiVersion: policy.gatehouse.dev/v1alpha1
kind: ` + kind + `
metadata: {` + metadata + `}
spec:
  module: required-labels
  settings: {labels: [{key: team}]}
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]
` + spec
}

func ready(t *testing.T, s *harness.Server, what ...string) {
	t.Helper()
	harness.Eventually(t, strings.Join(what, " ")+" is ready", func() bool {
		out, _, _ := s.Run("", append([]string{"get", "-o", "jsonpath={.status.ready}"}, what...)...)
		return out == "true"
	})
}

func TestBindings(t *testing.T) {
	s := harness.Start(t)
	manifest := gatehouse(t, filepath.Join(harness.Root(t), "policies"), "policy", "manifest", "required-labels")
	module, _, _ := strings.Cut(manifest, "\n---\n")
	s.OK(module, "apply", "-f", "-")
	ready(t, s, "policymodule", "required-labels")
	s.OK("", "create", "namespace", "shop")

	t.Run("that name what is not there", func(t *testing.T) {
		s := s.In(t)
		warns := func(object, words string) {
			_, said, err := s.Run(object, "create", "--dry-run=server", "-f", "-")
			if err != nil {
				t.Errorf("%v: %s", err, said)
			}
			harness.Contains(t, said, "Warning: "+words)
		}
		missing := func(kind, metadata string) string {
			return strings.Replace(aboutConfigMaps(kind, metadata, ""), "module: required-labels", "module: required-lables", 1)
		}
		const module = `spec.module: there is no PolicyModule "required-lables"`
		warns(missing("ClusterPolicyBinding", "name: team"), module)
		warns(missing("PolicyBinding", "name: team, namespace: default"), module)
		exception := func(spec string) string {
			return `
apiVersion: policy.gatehouse.dev/v1alpha1
kind: PolicyException
metadata: {name: legacy}
spec: {reason: until it is migrated, expires: "2999-01-01T00:00:00Z", scope: {names: [legacy]}, ` + spec + `}
`
		}
		warns(exception("bindings: [default/tema]"), `spec.bindings[0]: there is no PolicyBinding "tema" in the namespace "default"`)
		s.OK(aboutConfigMaps("ClusterPolicyBinding", "name: shadowed", "  action: Shadow\n"), "create", "-f", "-")
		ready(t, s, "clusterpolicybinding", "shadowed")
		warns(exception("bindings: [shadowed], rules: [label-requird]"), `spec.rules[0]: none of the bindings has a rule "label-requird"; the rules are `)
		s.OK("", "delete", "clusterpolicybinding", "shadowed")
	})

	t.Run("of a namespace", func(t *testing.T) {
		s := s.In(t)
		s.OK(aboutConfigMaps("PolicyBinding", "name: team, namespace: shop", "  author: {username: somebody-else}\n"), "apply", "-f", "-")
		ready(t, s, "policybinding", "team", "-n", "shop")
		if author := s.OK("", "get", "policybinding", "team", "-n", "shop", "-o", "jsonpath={.spec.author.username}"); author == "" || author == "somebody-else" {
			t.Errorf("the author is %q", author)
		}
		harness.Contains(t, s.Refused("", "create", "configmap", "web", "-n", "shop"), `policy "shop/team"`, `the label "team" is required`)
		s.OK("", "create", "configmap", "web", "-n", "default")
		s.Refused(aboutConfigMaps("PolicyBinding", "name: far, namespace: shop", "  paramRef: {apiVersion: v1, kind: ConfigMap, name: a, namespace: default}\n"), "apply", "-f", "-")
	})

	t.Run("with an exception", func(t *testing.T) {
		s := s.In(t)
		exception := `
apiVersion: policy.gatehouse.dev/v1alpha1
kind: PolicyException
metadata: {name: legacy}
spec: {bindings: [shop/team], reason: until it is migrated, expires: "%s", scope: {namespaces: [shop], names: [legacy]}}
`
		harness.Contains(t, s.Refused(strings.Replace(exception, "%s", "2020-01-01T00:00:00Z", 1), "apply", "-f", "-"),
			`spec.expires: Invalid value: "2020-01-01T00:00:00Z": must be in the future`)
		s.OK(strings.Replace(exception, "%s", "2999-01-01T00:00:00Z", 1), "apply", "-f", "-")
		harness.Eventually(t, "the exception holds", func() bool {
			_, _, err := s.Run("", "create", "configmap", "legacy", "-n", "shop", "--dry-run=server")
			return err == nil
		})
		s.Refused("", "create", "configmap", "another", "-n", "shop")
	})

	t.Run("with a candidate, and over what is stored", func(t *testing.T) {
		s := s.In(t)
		candidate := "  action: Warn\n  candidate: {module: required-labels, settings: {labels: [{key: owner}]}}\n"
		s.OK(aboutConfigMaps("ClusterPolicyBinding", "name: everywhere", candidate), "apply", "-f", "-")
		ready(t, s, "clusterpolicybinding", "everywhere")
		s.OK("", "create", "configmap", "judged", "-n", "default")
		harness.Eventually(t, "the difference is told", func() bool {
			out := s.OK("", "get", "clusterpolicybinding", "everywhere", "-o", "jsonpath={.status.shadow.differences[*].candidate}")
			return strings.Contains(out, "label-required at metadata.labels[owner]")
		})
		harness.Eventually(t, "what was there before is reported", func() bool {
			out, _, _ := s.Run("", "get", "reports.openreports.io", "configmaps-web", "-n", "default", "-o", "jsonpath={.results[*].policy} {.results[*].result}")
			return out == "everywhere warn"
		})
		harness.Eventually(t, "both are listed", func() bool {
			out := s.OK("", "get", "reports.openreports.io", "-n", "default", "-o", "name")
			return strings.Contains(out, "/configmaps-web") && strings.Contains(out, "/configmaps-judged")
		})
		s.OK("", "delete", "clusterpolicybinding", "everywhere")
		harness.Eventually(t, "nobody is left to report", func() bool {
			return s.OK("", "get", "reports.openreports.io", "-n", "default", "-o", "name") == ""
		})
	})
}

// TestLettingGo deletes what was there before a policy refused it: its finalizers and owners go though nobody mends it, and
// nothing else does.
func TestLettingGo(t *testing.T) {
	s := harness.Start(t)
	module, _, _ := strings.Cut(gatehouse(t, filepath.Join(harness.Root(t), "policies"), "policy", "manifest", "required-labels"), "\n---\n")
	s.OK("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, finalizers: [example.com/hold]}\n", "create", "-f", "-")
	for _, name := range []string{"boss", "other"} {
		s.OK("", "create", "configmap", name)
		uid := s.OK("", "get", "configmap", name, "-o", "jsonpath={.metadata.uid}")
		owner := "{apiVersion: v1, kind: ConfigMap, name: " + name + ", uid: " + uid + ", blockOwnerDeletion: true}"
		s.OK("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: of-"+name+", ownerReferences: ["+owner+"]}\n", "create", "-f", "-")
	}
	s.OK(module, "apply", "-f", "-")
	s.OK(aboutConfigMaps("ClusterPolicyBinding", "name: team", ""), "create", "-f", "-")
	harness.Eventually(t, "the policy is in force", func() bool {
		_, said, err := s.Run("", "annotate", "configmap", "held", "a=b")
		return err != nil && strings.Contains(said, `the label "team" is required`)
	})
	patched := func(patch string) error {
		_, _, err := s.Run("", "patch", "configmap", "held", "--type=merge", "-p", patch)
		return err
	}
	if patched(`{"metadata":{"finalizers":[],"labels":{"a":"b"}}}`) == nil || patched(`{"metadata":{"finalizers":[]},"data":{"a":"b"}}`) == nil {
		t.Error("who changes more than finalizers was not judged")
	}
	s.OK("", "delete", "configmap", "held", "--wait=false")
	if patched(`{"metadata":{"labels":{"a":"b"}}}`) == nil {
		t.Error("who labels what is being deleted was not judged")
	}
	if err := patched(`{"metadata":{"finalizers":[]}}`); err != nil {
		t.Errorf("a finalizer stays: %v", err)
	}
	s.OK("", "delete", "configmap", "boss", "--cascade=foreground", "--timeout=60s")
	s.OK("", "delete", "configmap", "other", "--cascade=orphan", "--timeout=60s")
	harness.Eventually(t, "nothing is left but what was let go", func() bool {
		left := s.OK("", "get", "configmaps", "-o", "jsonpath={.items[*].metadata.name} {.items[*].metadata.ownerReferences}")
		return strings.TrimSpace(strings.ReplaceAll(left, "kube-root-ca.crt", "")) == "of-other"
	})
}
