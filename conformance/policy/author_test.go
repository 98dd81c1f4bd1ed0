package policy

import (
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

// TestAuthorsRights takes from the author of a namespaced binding what it reads by, and gives it back: what counts is what the
// author may do when a request is judged, not what they might do when they wrote it.
func TestAuthorsRights(t *testing.T) {
	s := harness.Start(t)
	module, _, _ := strings.Cut(gatehouse(t, filepath.Join(harness.Root(t), "policies"), "policy", "manifest", "required-labels"), "\n---\n")
	s.OK(module, "apply", "-f", "-")
	ready(t, s, "policymodule", "required-labels")
	s.OK("", "create", "namespace", "shop")
	s.OK("", "create", "configmap", "limits", "-n", "shop")
	s.OK("", "create", "role", "author", "-n", "shop", "--verb=create", "--resource=policybindings.policy.gatehouse.dev")
	s.OK("", "create", "role", "reader", "-n", "shop", "--verb=get", "--resource=configmaps")
	grant := func(role string) {
		s.OK("", "create", "rolebinding", role, "-n", "shop", "--role="+role, "--user=jane")
	}
	grant("author")
	grant("reader")
	binding := aboutConfigMaps("PolicyBinding", "name: team, namespace: shop", "  paramRef: {apiVersion: v1, kind: ConfigMap, name: limits}\n")
	harness.Eventually(t, "jane may bind a policy", func() bool {
		_, _, err := s.Run(binding, "create", "-f", "-", "--as=jane")
		return err == nil
	})
	ready(t, s, "policybinding", "team", "-n", "shop")
	says := func(words string) {
		harness.Eventually(t, "the refusal says "+words, func() bool {
			_, said, err := s.Run("", "create", "configmap", "web", "-n", "shop", "--dry-run=server")
			return err != nil && strings.Contains(said, words)
		})
	}
	const judged, mayNot = `the label "team" is required`, `policy "shop/team" could not judge this request`
	says(judged)
	s.OK("", "delete", "rolebinding", "reader", "-n", "shop")
	says(mayNot)
	says(`the parameters ConfigMap "limits": the binding's author "jane" may not read them`)
	grant("reader")
	says(judged)
	// Without the parameters nobody can judge either, unless the binding says that requests pass then.
	s.OK("", "delete", "configmap", "limits", "-n", "shop")
	says(mayNot)
	s.OK("", "patch", "policybinding", "team", "-n", "shop", "--type=merge", "-p", `{"spec":{"paramRef":{"parameterNotFoundAction":"Allow"}}}`)
	harness.Eventually(t, "requests pass without the parameters", func() bool {
		_, _, err := s.Run("", "create", "configmap", "web", "-n", "shop", "--dry-run=server")
		return err == nil
	})
}

// TestAuthorsSight binds a policy to Secrets by somebody who may not read them: neither the module nor the conditions are shown
// one, so that no refusal, no event and no report tells what it holds.
func TestAuthorsSight(t *testing.T) {
	s := harness.Start(t)
	module, _, _ := strings.Cut(gatehouse(t, filepath.Join(harness.Root(t), "policies"), "policy", "manifest", "required-labels"), "\n---\n")
	s.OK(module, "apply", "-f", "-")
	ready(t, s, "policymodule", "required-labels")
	s.OK("", "create", "namespace", "shop")
	s.OK("", "create", "secret", "generic", "earlier", "-n", "shop", "--from-literal=password=hunter2")
	s.OK("", "create", "role", "author", "-n", "shop", "--verb=create", "--resource=policybindings.policy.gatehouse.dev")
	s.OK("", "create", "rolebinding", "author", "-n", "shop", "--role=author", "--user=jane")
	about := aboutConfigMaps("PolicyBinding", "name: peek, namespace: shop",
		"  matchConditions: [{name: told, expression: \"{'a': true}[string(object.data.password)]\"}]\n")
	about = strings.Replace(about, "resources: [configmaps]", "resources: [secrets]", 1)
	harness.Eventually(t, "jane may bind a policy", func() bool {
		_, _, err := s.Run(about, "create", "-f", "-", "--as=jane")
		return err == nil
	})
	ready(t, s, "policybinding", "peek", "-n", "shop")
	said := ""
	harness.Eventually(t, "the binding is in force", func() bool {
		_, words, err := s.Run("", "create", "secret", "generic", "later", "-n", "shop", "--from-literal=password=hunter2")
		said = words
		return err != nil
	})
	if want := `the binding's author "jane" may not get secrets in the namespace "shop"`; !strings.Contains(said, want) {
		t.Errorf("the refusal says %s, want %s", said, want)
	}
	harness.Eventually(t, "an event tells that the policy could not judge", func() bool {
		out, _, _ := s.Run("", "get", "events", "-n", "shop", "-o", "jsonpath={.items[*].message}")
		return strings.Contains(out, "may not get secrets")
	})
	out := s.OK("", "get", "events,reports", "-n", "shop", "-o", "yaml")
	for _, secret := range []string{"hunter2", "aHVudGVyMg", "earlier"} {
		if strings.Contains(out, secret) {
			t.Errorf("somebody who may not read secrets is told %q:\n%s", secret, out)
		}
	}
}
