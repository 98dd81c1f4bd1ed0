package kubectl

import (
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

const colours = `
apiVersion: v1
kind: ConfigMap
metadata: {name: colours, namespace: default}
data: {sky: blue, grass: green}
`

// TestServerSideApply follows two teams that share an object, and one that comes from client-side apply.
func TestServerSideApply(t *testing.T) {
	s := harness.Start(t, "--controllers=-*")
	sky := strings.Replace(colours, "blue", "grey", 1)

	harness.Contains(t, s.OK(colours, "apply", "--server-side", "--field-manager=one", "-f", "-"), "configmap/colours serverside-applied")
	harness.Contains(t, s.Refused(sky, "apply", "--server-side", "--field-manager=two", "-f", "-"),
		`Apply failed with 1 conflict: conflict with "one": .data.sky`, "--force-conflicts")
	harness.Contains(t, s.OK(sky, "apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-"), "serverside-applied")
	shown := s.OK("", "get", "cm", "colours", "-o", "yaml", "--show-managed-fields")
	harness.Contains(t, shown, "manager: one", "manager: two", "operation: Apply", "f:sky: {}", "f:grass: {}", "fieldsType: FieldsV1")
	if hidden := s.OK("", "get", "cm", "colours", "-o", "yaml"); strings.Contains(hidden, "managedFields") {
		t.Errorf("kubectl hides owners unless asked:\n%s", hidden)
	}
	if same, _, err := s.Run(sky, "diff", "--server-side", "--field-manager=two", "-f", "-"); err != nil || same != "" {
		t.Errorf("nothing differs, but diff says %v:\n%s", err, same)
	}
	differs, _, err := s.Run(colours, "diff", "--server-side", "--field-manager=two", "-f", "-")
	if err == nil {
		t.Error("diff must end with 1 where something differs")
	}
	harness.Contains(t, differs, "-  sky: grey", "+  sky: blue")

	s.OK("", "delete", "cm", "colours")
	s.OK(colours, "apply", "-f", "-")
	harness.Contains(t, s.OK("", "get", "cm", "colours", "-o", "yaml", "--show-managed-fields"),
		"manager: kubectl-client-side-apply", "operation: Update", "f:kubectl.kubernetes.io/last-applied-configuration")
	// kubectl moves what it owned by client-side apply, and goes on from there without conflicts.
	harness.Contains(t, s.OK(sky, "apply", "--server-side", "-f", "-"), "serverside-applied")
	moved := s.OK("", "get", "cm", "colours", "-o", "yaml", "--show-managed-fields")
	harness.Contains(t, moved, "manager: kubectl", "operation: Apply", `"data":{"grass":"green","sky":"grey"}`)
	if strings.Contains(moved, "manager: kubectl-client-side-apply") {
		t.Errorf("the client-side owner is still there:\n%s", moved)
	}
}
