package clientgo

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gatehouse.dev/conformance/harness"
)

// TestResourceQuota needs no kube-controller-manager: what is there is counted, what comes is charged and never exceeds, what
// goes is given back.
func TestResourceQuota(t *testing.T) {
	s := harness.Start(t)
	core := s.Client().CoreV1()
	harness.Eventually(t, "the namespace's certificates", func() bool {
		_, err := core.ConfigMaps("default").Get(t.Context(), "kube-root-ca.crt", metav1.GetOptions{})
		return err == nil
	})
	hard := corev1.ResourceList{"count/configmaps": resource.MustParse("21"), "pods": resource.MustParse("1")}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "some"}, Spec: corev1.ResourceQuotaSpec{Hard: hard}}
	if _, err := core.ResourceQuotas("default").Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	used := func(name corev1.ResourceName, want string) {
		t.Helper()
		harness.Eventually(t, fmt.Sprintf("%s %s being used", want, name), func() bool {
			quota, err := core.ResourceQuotas("default").Get(t.Context(), "some", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			amount, told := quota.Status.Used[name]
			return told && amount.Cmp(resource.MustParse(want)) == 0
		})
	}
	used("count/configmaps", "1")

	var made atomic.Int64
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("m%d", i)}}
			_, err := core.ConfigMaps("default").Create(t.Context(), object, metav1.CreateOptions{})
			switch {
			case err == nil:
				made.Add(1)
			case !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "exceeded quota: some, requested: count/configmaps=1, used: count/configmaps=21, limited: count/configmaps=21"):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made.Load() != 20 {
		t.Fatalf("%d were made, not 20", made.Load())
	}

	some := metav1.ListOptions{FieldSelector: "metadata.name!=kube-root-ca.crt"}
	if err := core.ConfigMaps("default").DeleteCollection(t.Context(), metav1.DeleteOptions{}, some); err != nil {
		t.Fatal(err)
	}
	used("count/configmaps", "1")

	pod := func(name string) error {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
		_, err := core.Pods("default").Create(t.Context(), pod, metav1.CreateOptions{})
		return err
	}
	harness.Eventually(t, "the first pod", func() bool { return pod("first") == nil })
	if err := pod("second"); !apierrors.IsForbidden(err) {
		t.Fatalf("a second pod: %v", err)
	}
	ended := []byte(`{"status":{"phase":"Succeeded"}}`)
	if _, err := core.Pods("default").Patch(t.Context(), "first", "application/merge-patch+json", ended, metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	used("pods", "0")
	if err := pod("second"); err != nil {
		t.Fatal(err)
	}
}
