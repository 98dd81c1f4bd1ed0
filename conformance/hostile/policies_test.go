package hostile

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gatehouse.dev/conformance/harness"
)

// harms are what the policy of guest/ tries, each with how long it may and what its caller is told. A loaded machine ends a
// loop by the clock.
var harms = []struct {
	attack   string
	deadline int
	told     string
}{
	{"loop", 25, "it ran for more than 25 ms|it did not finish within 250 ms"},
	{"recursion", 5_000, "it wanted more memory than 32 MiB|it trapped"},
	{"memory", 5_000, "it wanted more memory than 32 MiB|it trapped"},
	{"answer", 5_000, "its answer cannot be used"},
	{"questions", 5_000, "a call may ask 64 times and read 8 MiB in all"},
}

const (
	module = `{"apiVersion": "policy.gatehouse.dev/v1alpha1", "kind": "PolicyModule", "metadata": {"name": "hostile"}, "spec": {"source": {"file": "hostile.wasm"}}}`
	// binding lets the policy judge the ConfigMaps that are called after what it does.
	binding = `{"apiVersion": "policy.gatehouse.dev/v1alpha1", "kind": "ClusterPolicyBinding", "metadata": {"name": "ATTACK"}, "spec": {
		"module": "hostile", "deadlineMilliseconds": DEADLINE, "settings": {"attack": "ATTACK"}, "grants": ["cluster"], "clusterReads": [{"apiGroups": [""], "resources": ["configmaps"]}],
		"matchConditions": [{"name": "attack", "expression": "object.metadata.name == 'ATTACK'"}],
		"matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]}}}`
	// rounds are how often each harm is tried, all of them at once.
	rounds  = 8
	workers = 4
)

// TestHostilePolicies lets policies do harm while others work: each is ended and its caller told why, and nobody else notices
// but by the clock. What that says is logged; `cargo x bench -policies` measures it.
func TestHostilePolicies(t *testing.T) {
	modules := t.TempDir()
	build := exec.Command(harness.Gatehouse(t), "policy", "build", filepath.Join(harness.Root(t), "conformance/hostile/guest"), "--out", modules)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := harness.Start(t, "--policy-module-dir", modules)
	s.OK(module, "create", "-f", "-")
	for _, harm := range harms {
		object := strings.ReplaceAll(strings.Replace(binding, "DEADLINE", strconv.Itoa(harm.deadline), 1), "ATTACK", harm.attack)
		s.OK(object, "create", "-f", "-")
		harness.Eventually(t, harm.attack+" is in force", func() bool {
			out, _, _ := s.Run("", "get", "clusterpolicybinding", harm.attack, "-o", "jsonpath={.status.ready}")
			return out == "true"
		})
	}
	alone := work(t, s, "alone", func(done int) bool { return done < 100 })
	var attackers sync.WaitGroup
	var over atomic.Bool
	for _, harm := range harms {
		told := regexp.MustCompile(`policy "` + harm.attack + `".*(` + harm.told + `)`)
		attackers.Go(func() {
			for range rounds {
				err := create(t, s, harm.attack)
				if err == nil || !told.MatchString(err.Error()) {
					t.Errorf("%s: %v", harm.attack, err)
				}
			}
		})
	}
	go func() { attackers.Wait(); over.Store(true) }()
	beside := work(t, s, "beside", func(int) bool { return !over.Load() })
	t.Logf("p99 of others: %v alone, %v beside %d attacks (%d requests)", p99(alone), p99(beside), rounds*len(harms), len(beside))
	if !s.Alive() {
		t.Error("the server is gone")
	}
	out := s.OK("", "get", "--raw", "/metrics")
	for _, reason := range []string{"timeout", "bad_answer", "error"} {
		harness.Contains(t, out, fmt.Sprintf("outcome=%q", reason))
	}
}

// work makes and reads ConfigMaps that no policy is about, at once; each must succeed. It gives how long each took.
func work(t *testing.T, s *harness.Server, name string, more func(done int) bool) []time.Duration {
	t.Helper()
	var mutex sync.Mutex
	var took []time.Duration
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for n := 0; more(n); n++ {
				begun := time.Now()
				if err := create(t, s, fmt.Sprintf("%s-%d-%d", name, worker, n)); err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				mutex.Lock()
				took = append(took, time.Since(begun))
				mutex.Unlock()
			}
		})
	}
	group.Wait()
	return took
}

func create(t *testing.T, s *harness.Server, name string) error {
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := s.Client().CoreV1().ConfigMaps("default").Create(t.Context(), object, metav1.CreateOptions{})
	return err
}

func p99(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[(len(took)-1)*99/100]
}
