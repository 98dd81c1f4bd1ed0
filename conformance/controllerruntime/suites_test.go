// Package controllerruntime runs the suites of sigs.k8s.io/controller-runtime that need an API server, unchanged, against
// Gatehouse under the name kube-apiserver.
package controllerruntime

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
	"gatehouse.dev/conformance/peer"
)

const (
	module = "sigs.k8s.io/controller-runtime@v0.25.2"
	// sum is the module's, so that nobody runs other suites than these.
	sum = "h1:bEkK3PVOIVK9X8QWLGVhJgmFc++47vfT6wakSzAOLsQ="
	// gapsFile lists the specs that fail, and must fail: one that passes leaves the list.
	gapsFile = "gaps/controllerruntime.txt"
	// elsewhere are tests that fetch an old kube-apiserver and judge that one.
	elsewhere = "/aggregatedDiscovery=false"
	// attempts of a spec: some race a cancelled context against the server, and lose when it is quick.
	attempts = "3"
)

// suites are the packages that start an API server. That of pkg/internal/testing/controlplane starts scripts, which no module
// cache lets run.
var suites = []string{
	"pkg/builder", "pkg/cache", "pkg/client", "pkg/client/apiutil", "pkg/cluster", "pkg/controller",
	"pkg/controller/controllerutil", "pkg/envtest", "pkg/handler", "pkg/internal/controller", "pkg/internal/recorder",
	"pkg/manager", "pkg/manager/internal/integration", "pkg/metrics/filters",
	"pkg/reconcile", "pkg/source", "pkg/webhook",
}

// suitesOnEtcd run once more with a real etcd beside Gatehouse: one starts and stops control planes, with flags of its own, one
// reads and writes.
var suitesOnEtcd = []string{"pkg/envtest", "pkg/client"}

// TestSuites compares the specs that fail with the list of gaps, in both directions.
func TestSuites(t *testing.T) { compare(t, harness.Assets(t), suites) }

// TestSuitesOnEtcd lets envtest start Gatehouse with its own flags of etcd, as they stand, and the etcd that they lead to.
func TestSuitesOnEtcd(t *testing.T) {
	etcd, err := peer.BuildEtcd(t.Context(), filepath.Join(harness.Root(t), "conformance"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	compare(t, harness.AssetsOnEtcd(t, etcd), suitesOnEtcd)
}

func compare(t *testing.T, environment, suites []string) {
	folder := harness.Module(t, module, sum)
	known := gaps(t)
	for _, suite := range suites {
		t.Run(suite, func(t *testing.T) {
			outcome := run(t, environment, folder, suite)
			if outcome.passed == 0 {
				t.Fatalf("no spec passed:\n%s", outcome.log)
			}
			t.Logf("%d specs passed, %d failed", outcome.passed, len(outcome.failed))
			for spec, why := range outcome.failed {
				if !slices.Contains(known[suite], spec) {
					t.Errorf("%s: %s\n%s", suite, spec, why)
				}
			}
			for _, spec := range known[suite] {
				if _, failed := outcome.failed[spec]; !failed {
					t.Errorf("%s passes now, take it out of conformance/%s: %s", suite, gapsFile, spec)
				}
			}
		})
	}
}

// gaps reads lines such as "pkg/client: the spec's whole name".
func gaps(t *testing.T) map[string][]string {
	t.Helper()
	file, err := os.Open(filepath.Join(harness.Root(t), "conformance", gapsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	known := map[string][]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		suite, spec, ok := strings.Cut(lines.Text(), ": ")
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		if !ok || !slices.Contains(suites, suite) {
			t.Errorf("%s: no suite is meant by %q", gapsFile, lines.Text())
		}
		known[suite] = append(known[suite], spec)
	}
	return known
}

// outcome is what a suite came to.
type outcome struct {
	passed int
	failed map[string]string
	log    string
}

// run runs a suite and reads Ginkgo's report of it, or go's own where the package does not use Ginkgo alone.
func run(t *testing.T, environment []string, folder, suite string) outcome {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.json")
	command := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-vet=off", "-json", "-timeout=15m", "-skip="+elsewhere, "./"+suite,
		"-args", "-ginkgo.json-report="+report, "-ginkgo.flake-attempts="+attempts)
	command.Dir, command.Env = folder, environment
	events, _ := command.Output()
	result := outcome{failed: map[string]string{}}
	readEvents(events, &result)
	readReport(t, report, &result)
	return result
}

// readEvents takes in tests that are no Ginkgo suites.
func readEvents(events []byte, result *outcome) {
	output := map[string]string{}
	for line := range strings.Lines(string(events)) {
		var event struct{ Action, Test, Output string }
		if json.Unmarshal([]byte(line), &event) != nil {
			continue
		}
		result.log += event.Output
		output[event.Test] += event.Output
		switch {
		case event.Test == "" || strings.Contains(output[event.Test], "Running Suite: "):
		case event.Action == "pass":
			result.passed++
		case event.Action == "fail":
			result.failed[event.Test] = output[event.Test]
		}
	}
}

// readReport takes in Ginkgo's specs, each by its whole name.
func readReport(t *testing.T, path string, result *outcome) {
	t.Helper()
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var reports []struct {
		SpecReports []struct {
			ContainerHierarchyTexts []string
			LeafNodeType            string
			LeafNodeText            string
			State                   string
			Failure                 struct {
				Message  string
				Location struct {
					FileName   string
					LineNumber int
				}
			}
		}
	}
	if err := json.Unmarshal(text, &reports); err != nil {
		t.Fatal(err)
	}
	for _, report := range reports {
		for _, spec := range report.SpecReports {
			name := strings.Join(append(slices.Clone(spec.ContainerHierarchyTexts), spec.LeafNodeText), " ")
			if spec.LeafNodeType != "It" {
				name = "[" + spec.LeafNodeType + "] " + name
			}
			switch name = strings.Join(strings.Fields(name), " "); spec.State {
			case "passed":
				if spec.LeafNodeType == "It" {
					result.passed++
				}
			case "skipped", "pending":
			default:
				result.failed[name] = spec.Failure.Message
			}
		}
	}
}
