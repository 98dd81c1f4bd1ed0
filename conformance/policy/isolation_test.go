package policy

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gatehouse.dev/conformance/harness"
)

const ingress = `{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "NAME", "namespace": "default"},
	"spec": {"rules": [{"host": "shop.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "a", "port": {"number": 80}}}}]}}]}}`

// TestProcesses runs policies in processes of their own: they judge, read the cluster, and come back when they are killed.
func TestProcesses(t *testing.T) {
	s := harness.Start(t, "--policy-isolation=process")
	policies := filepath.Join(harness.Root(t), "policies")
	bound(t, s, "required-labels", gatehouse(t, policies, "policy", "manifest", "required-labels"))
	bound(t, s, "unique-ingress-hosts", gatehouse(t, policies, "policy", "manifest", "unique-ingress-hosts"))
	bound(t, s, "default-seccomp", gatehouse(t, policies, "policy", "manifest", "default-seccomp"))
	refused := func() string {
		_, said, _ := s.Run(strings.Replace(deployment, "%s", "", 1), "create", "--dry-run=server", "-f", "-")
		return said
	}
	harness.Contains(t, refused(), `the label "team" is required`)
	s.OK(strings.Replace(ingress, "NAME", "first", 1), "create", "-f", "-")
	harness.Contains(t, s.Refused(strings.Replace(ingress, "NAME", "second", 1), "create", "-f", "-"), "shop.example")
	s.OK("", "run", "plain", "--image=nginx:1.29")
	if profile := s.OK("", "get", "pod", "plain", "-o", "jsonpath={.spec.securityContext.seccompProfile.type}"); profile != "RuntimeDefault" {
		t.Errorf("the mutator gave the profile %q", profile)
	}
	started := guests(t, s.Pid())
	if len(started) == 0 {
		t.Fatal("no process runs policies")
	}
	for _, pid := range started {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	harness.Eventually(t, "policies judge again", func() bool { return strings.Contains(refused(), `the label "team" is required`) })
}

// guests are the processes that a server has started to run policies.
func guests(t *testing.T, server int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, stat := range stats {
		text, _ := os.ReadFile(stat)
		words, _ := os.ReadFile(filepath.Join(filepath.Dir(stat), "cmdline"))
		// Behind the program's name in brackets: its state, and who started it.
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[1] == strconv.Itoa(server) && strings.Contains(string(words), "run-guests") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
			found = append(found, pid)
		}
	}
	return found
}
