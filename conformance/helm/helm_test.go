// Package helm lets the real Helm install, upgrade, roll back and uninstall a chart with a definition, resources of it, and
// hooks. Helm 4 applies on the server.
package helm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"gatehouse.dev/conformance/harness"
)

const (
	module = "helm.sh/helm/v4@v4.3.1"
	sum    = "h1:UndCoLe9UPmNoL7IvWzaUXveL7T5t/ijoorEmgJdI9g="
)

var ships = schema.GroupVersionResource{Group: "helm.gatehouse.dev", Version: "v1", Resource: "ships"}

// cluster is what a test looks at and changes.
type cluster struct {
	*harness.Server
	t       *testing.T
	program string
	client  *kubernetes.Clientset
	dynamic dynamic.Interface
}

// TestRelease follows one release through its whole life.
func TestRelease(t *testing.T) {
	c := start(t)
	chart := filepath.Join(harness.Root(t), "conformance", "helm", "testdata", "chart")

	c.helm("install", "fleet", chart)
	c.is("ann", "1", 3)
	c.hook("pre-install", "ann")

	c.helm("upgrade", "fleet", chart, "--set", "captain=bob,crew=5")
	c.is("bob", "2", 5)
	c.hook("post-upgrade", "bob")

	if out, err := c.try("upgrade", "fleet", chart, "--set", "crew=0"); err == nil || !strings.Contains(out, "spec.crew in body should be greater than or equal to 1") {
		t.Errorf("a ship without a crew: %v\n%s", err, out)
	}

	c.helm("rollback", "fleet", "1")
	c.is("ann", "1", 3)
	c.hook("pre-rollback", "ann")
	harness.Contains(t, c.helm("history", "fleet"), "superseded", "failed", "Rollback to 1")

	c.helm("uninstall", "fleet")
	c.hook("post-delete", "ann")
	if _, err := c.client.CoreV1().ConfigMaps("default").Get(t.Context(), "fleet-settings", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after uninstalling: %v", err)
	}
	if list, err := c.dynamic.Resource(ships).List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) > 0 {
		t.Errorf("definitions outlive a release, their objects do not: %v %v", list, err)
	}
}

// is checks every object of the release.
func (c *cluster) is(captain, revision string, crew int64) {
	c.t.Helper()
	settings, err := c.client.CoreV1().ConfigMaps("default").Get(c.t.Context(), "fleet-settings", metav1.GetOptions{})
	if err != nil || settings.Data["captain"] != captain || settings.Data["revision"] != revision {
		c.t.Errorf("settings: %v %v", settings.Data, err)
	}
	ship, err := c.dynamic.Resource(ships).Namespace("default").Get(c.t.Context(), "fleet", metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	if found, _, _ := unstructured.NestedInt64(ship.Object, "spec", "crew"); found != crew {
		c.t.Errorf("the ship has a crew of %d, not %d", found, crew)
	}
	deployment, err := c.client.AppsV1().Deployments("default").Get(c.t.Context(), "fleet", metav1.GetOptions{})
	if err != nil || int64(*deployment.Spec.Replicas) != crew || deployment.Spec.Template.Spec.Containers[0].Env[0].Value != captain {
		c.t.Errorf("deployment: %+v %v", deployment.Spec, err)
	}
}

func (c *cluster) hook(event, captain string) {
	c.t.Helper()
	found, err := c.client.CoreV1().ConfigMaps("default").Get(c.t.Context(), "fleet-"+event, metav1.GetOptions{})
	if err != nil || found.Data["captain"] != captain {
		c.t.Errorf("hook %s: %v %v", event, found.Data, err)
	}
}

func start(t *testing.T) *cluster {
	t.Helper()
	program := filepath.Join(harness.Root(t), ".build", "helm")
	build := exec.Command("go", "build", "-o", program, "./cmd/helm")
	build.Dir = harness.Module(t, module, sum)
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build helm: %v\n%s", err, output)
	}
	s := harness.Start(t)
	anything, err := dynamic.NewForConfig(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{s, t, program, s.Client(), anything}
}

func (c *cluster) helm(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (c *cluster) try(args ...string) (string, error) {
	command := exec.CommandContext(c.t.Context(), c.program, append(args, "--namespace", "default")...)
	command.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig, "HOME="+c.DataDir)
	out, err := command.CombinedOutput()
	return string(out), err
}
