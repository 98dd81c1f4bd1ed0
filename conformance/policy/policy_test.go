// Package policy follows a policy author's day with the real program and the real kubectl: what ships, and the README's
// walk-through from an empty folder.
package policy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default%s}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1.29"}]}
`

// gatehouse runs one of the program's commands in a folder; it must succeed.
func gatehouse(t *testing.T, folder string, args ...string) string {
	t.Helper()
	command := exec.Command(harness.Gatehouse(t), args...)
	command.Dir = folder
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("gatehouse %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// bound applies a policy's manifest and waits until it is in force.
func bound(t *testing.T, s *harness.Server, name, manifest string) {
	t.Helper()
	s.OK(manifest, "apply", "-f", "-")
	harness.Eventually(t, name+" is in force", func() bool {
		out, _, _ := s.Run("", "get", "clusterpolicybinding", name, "-o", "jsonpath={.status.ready}")
		return out == "true"
	})
}

func TestPoliciesThatShip(t *testing.T) {
	s := harness.Start(t)
	policies := filepath.Join(harness.Root(t), "policies")

	labels := gatehouse(t, policies, "policy", "manifest", "required-labels")
	bound(t, s, "required-labels", labels)
	refused := s.Refused(strings.Replace(deployment, "%s", "", 1), "apply", "-f", "-")
	harness.Contains(t, refused, "deployments.apps \"web\" is forbidden", "policy \"required-labels\"",
		"metadata.labels[team]", "the label \"team\" is required", "rule label-required")
	labelled := strings.Replace(deployment, "%s", ", labels: {team: shop}", 1)
	s.OK(labelled, "apply", "-f", "-")

	wrong := strings.Replace(labels[strings.LastIndex(labels, "\n---\n")+5:], "key: team", "name: team", 1)
	harness.Contains(t, s.Refused(wrong, "apply", "-f", "-"), "spec.settings.labels[0].key: Required value")

	s.OK("", "patch", "clusterpolicybinding", "required-labels", "--type=merge", "-p", `{"spec":{"action":"Warn"}}`)
	harness.Eventually(t, "a warning instead of a refusal", func() bool {
		_, warned, err := s.Run("", "label", "deployment", "web", "team-", "--overwrite")
		_, _, _ = s.Run("", "label", "deployment", "web", "team=shop", "--overwrite")
		return err == nil && strings.Contains(warned, "Warning: policy \"required-labels\": metadata.labels[team]")
	})

	bound(t, s, "default-seccomp", gatehouse(t, policies, "policy", "manifest", "default-seccomp"))
	s.OK("", "run", "plain", "--image=nginx:1.29")
	if profile := s.OK("", "get", "pod", "plain", "-o", "jsonpath={.spec.securityContext.seccompProfile.type}"); profile != "RuntimeDefault" {
		t.Errorf("the mutator gave the profile %q", profile)
	}

	// The same Pod again, and the look at what is stored: the mutator reads nothing by which it could tell them apart.
	s.OK("", "run", "alike", "--image=nginx:1.29", "--labels=run=plain")
	harness.Eventually(t, "an answer that is given again", func() bool {
		metrics := s.OK("", "get", "--raw", "/metrics")
		return !strings.Contains(metrics, "gatehouse_policy_answers_remembered_total 0\n") &&
			strings.Contains(metrics, "\ngatehouse_policy_answers_remembered_total ")
	})

	s.Stop()
	s.Restart()
	s.OK("", "run", "after", "--image=nginx:1.29")
	if profile := s.OK("", "get", "pod", "after", "-o", "jsonpath={.spec.securityContext.seccompProfile.type}"); profile != "RuntimeDefault" {
		t.Errorf("after a restart the mutator gave the profile %q", profile)
	}
	s.OK("", "delete", "clusterpolicybindings", "--all")
	s.OK(strings.Replace(deployment, "%s", "", 1), "apply", "-f", "-")
}
