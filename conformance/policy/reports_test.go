// What is said of stored objects, as clients read it: a table, a watch, an informer; and what becomes of it when somebody
// defines reports of their own.
package policy

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"

	"gatehouse.dev/conformance/harness"
)

const reportDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: reports.openreports.io}
spec:
  group: openreports.io
  scope: Namespaced
  names: {kind: Report, listKind: ReportList, plural: reports, singular: report, shortNames: [reps]}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// watchTimeout bounds the wait for an event; a loaded machine judges far later than an idle one.
const watchTimeout = 2 * time.Minute

func TestReports(t *testing.T) {
	s := harness.Start(t, "--controllers=-*")
	manifest := gatehouse(t, filepath.Join(harness.Root(t), "policies"), "policy", "manifest", "required-labels")
	module, _, _ := strings.Cut(manifest, "\n---\n")
	s.OK(module, "apply", "-f", "-")
	ready(t, s, "policymodule", "required-labels")
	s.OK("", "create", "namespace", "shop")
	s.OK("", "create", "configmap", "bare", "-n", "shop")
	s.OK(aboutConfigMaps("ClusterPolicyBinding", "name: team", "  action: Warn\n"), "apply", "-f", "-")
	ready(t, s, "clusterpolicybinding", "team")
	resource := schema.GroupVersionResource{Group: "openreports.io", Version: "v1alpha1", Resource: "reports"}
	all, err := dynamic.NewForConfig(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	reports := all.Resource(resource).Namespace("shop")
	row := regexp.MustCompile(`(?m)^configmaps-bare +0 +0 +1 +0 +0 +\S+$`)
	harness.Eventually(t, "a table of counts", func() bool {
		out := s.OK("", "get", "reports.openreports.io", "-n", "shop")
		return row.MatchString(out) && strings.Join(strings.Fields(strings.SplitN(out, "\n", 2)[0]), " ") == "NAME PASS FAIL WARN ERROR SKIP AGE"
	})
	harness.Contains(t, s.OK("", "get", "reps", "-n", "shop", "-o", "wide"), "KIND", "ConfigMap")

	t.Run("watched", func(t *testing.T) {
		s := s.In(t)
		list, err := reports.List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		watcher, err := reports.Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
		if err != nil {
			t.Fatal(err)
		}
		defer watcher.Stop()
		s.OK("", "label", "configmap", "bare", "-n", "shop", "team=a")
		told(t, watcher, watch.Modified, 1)
		s.OK("", "delete", "configmap", "bare", "-n", "shop")
		told(t, watcher, watch.Deleted, 0)
		s.OK("", "create", "configmap", "bare", "-n", "shop")
		told(t, watcher, watch.Added, 0)
		_, err = reports.Watch(t.Context(), metav1.ListOptions{ResourceVersion: "9000000000000000000"})
		if !apierrors.IsResourceExpired(err) {
			t.Errorf("a revision of another server: %v", err)
		}
	})

	t.Run("by an informer", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), watchTimeout)
		defer cancel()
		factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(all, 0, "shop", nil)
		lister := factory.ForResource(resource).Lister().ByNamespace("shop")
		factory.Start(ctx.Done())
		for of, synced := range factory.WaitForCacheSync(ctx.Done()) {
			if !synced {
				t.Fatalf("the informer of %s has not got everything", of)
			}
		}
		if _, err := lister.Get("configmaps-bare"); err != nil {
			t.Error(err)
		}
		cancel()
		factory.Shutdown()
	})

	t.Run("and defined by somebody", func(t *testing.T) {
		s := s.In(t)
		_, warned, err := s.Run(reportDefinition, "create", "-f", "-")
		if err != nil {
			t.Fatal(err, warned)
		}
		harness.Contains(t, warned, "Warning: the reports on stored objects that this server computes give way")
		s.OK("", "wait", "--for=condition=Established", "crd/reports.openreports.io")
		s.OK(`{"apiVersion": "openreports.io/v1alpha1", "kind": "Report", "metadata": {"name": "mine", "namespace": "shop"}, "source": "me"}`, "create", "-f", "-")
		if out := s.OK("", "get", "reports.openreports.io", "-n", "shop", "-o", "name"); out != "report.openreports.io/mine\n" {
			t.Errorf("beside the stored report: %s", out)
		}
		s.OK("", "delete", "crd", "reports.openreports.io")
		harness.Eventually(t, "what is computed is served again", func() bool {
			out, _, _ := s.Run("", "get", "reports.openreports.io", "-n", "shop", "-o", "name")
			return out == "report.openreports.io/configmaps-bare\n"
		})
	})
}

// told waits for a change of one kind of the report about "bare", with so many policies that it passes.
func told(t *testing.T, watcher watch.Interface, kind watch.EventType, passes int64) {
	t.Helper()
	for {
		select {
		case event, open := <-watcher.ResultChan():
			if !open {
				t.Fatalf("the watch has ended before %s", kind)
			}
			report, ok := event.Object.(*unstructured.Unstructured)
			if !ok || report.GetName() != "configmaps-bare" {
				t.Fatalf("%s of %v", event.Type, event.Object)
			}
			if pass, _, _ := unstructured.NestedInt64(report.Object, "summary", "pass"); event.Type != kind || pass != passes {
				t.Fatalf("%s with %d passes, not %s with %d", event.Type, pass, kind, passes)
			}
			return
		case <-time.After(watchTimeout):
			t.Fatalf("nobody tells of %s", kind)
		}
	}
}
