package policy

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

const podSecurity = "k8s.io/pod-security-admission@v0.37.2"

// Upstream's own Pods, each in its version: those that pass are allowed, those that fail are refused. They are read where
// Go keeps the module; nothing of them is here.
func TestPodSecurityStandards(t *testing.T) {
	fixtures := filepath.Join(harness.Module(t, podSecurity, "h1:mnfCR7fUzsvtiSiYZD9HTcTJ9cpJDMnQn++9Rq1mlrc="), "test/testdata")
	judged := 0
	for _, level := range []string{"baseline", "restricted"} {
		cases := cases(t, filepath.Join(fixtures, level))
		judged += verdicts(t, "pod-security-"+level, cases)
	}
	if judged != 4537 {
		t.Errorf("judged %d Pods, upstream has 4537", judged)
	}
}

// cases writes one case for each version and verdict.
func cases(t *testing.T, level string) string {
	t.Helper()
	versions, err := os.ReadDir(level)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	text.WriteString("cases:\n")
	for _, version := range versions {
		for _, verdict := range []string{"pass", "fail"} {
			fmt.Fprintf(&text, "  - {name: %s %s, settings: {version: %s}, each: %s, expect: {allowed: %t}}\n",
				version.Name(), verdict, version.Name(), filepath.Join(level, version.Name(), verdict), verdict == "pass")
		}
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "upstream.yaml"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// verdicts runs the cases in wasm, by the program that judges requests with the same policy.
func verdicts(t *testing.T, policy, cases string) int {
	t.Helper()
	command := exec.Command(harness.Gatehouse(t), "policy", "test", policy, "--cases", cases, "--output", "json")
	command.Dir = filepath.Join(harness.Root(t), "policies")
	var complaints strings.Builder
	command.Stderr = &complaints
	out, err := command.Output()
	var report struct {
		Cases []struct{ Name, Failure string }
	}
	if wrong := json.Unmarshal(out, &report); wrong != nil {
		t.Fatalf("gatehouse policy test %s: %v, %v\n%s%s", policy, err, wrong, out, complaints.String())
	}
	for _, one := range report.Cases {
		if one.Failure != "" {
			t.Errorf("%s: %s: %s", policy, one.Name, one.Failure)
		}
	}
	return len(report.Cases)
}
