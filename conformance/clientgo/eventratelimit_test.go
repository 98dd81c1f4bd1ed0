package clientgo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gatehouse.dev/conformance/harness"
)

// TestEventRateLimit makes many events at once where one a second is let through.
func TestEventRateLimit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "admission.yaml")
	text := `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: EventRateLimit
  configuration:
    apiVersion: eventratelimit.admission.k8s.io/v1alpha1
    kind: Configuration
    limits: [{type: Namespace, qps: 1, burst: 1}]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	server := harness.Start(t, "--controllers=-*", "--enable-admission-plugins=EventRateLimit", "--admission-control-config-file", file)
	server.Config.QPS = -1
	events := server.Client().CoreV1().Events("default")
	// However slow the machine is, these do not take a second each.
	const count = 100
	failed := make([]error, count)
	var wait sync.WaitGroup
	for n := range count {
		wait.Go(func() {
			_, failed[n] = events.Create(t.Context(), &corev1.Event{
				ObjectMeta:     metav1.ObjectMeta{Name: fmt.Sprint("e", n)},
				InvolvedObject: corev1.ObjectReference{Namespace: "default", Name: "x", Kind: "Pod"},
			}, metav1.CreateOptions{})
		})
	}
	wait.Wait()
	refused := 0
	for _, err := range failed {
		switch {
		case err == nil:
		case apierrors.IsTooManyRequests(err) && strings.HasSuffix(err.Error(), "Too many requests: limit reached on type Namespace for key default"):
			refused++
		default:
			t.Error(err)
		}
	}
	if refused == 0 || refused == count {
		t.Errorf("%d of %d events were refused", refused, count)
	}
}
