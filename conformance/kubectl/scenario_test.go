// Package kubectl drives the real kubectl through a day with a freshly started server.
package kubectl

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

const manifest = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "nginx:1.27", ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {colour: blue}
---
apiVersion: v1
kind: Secret
metadata: {name: password, namespace: shop}
stringData: {password: hunter2}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: shop}
rules: [{apiGroups: [""], resources: [pods, configmaps], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: User, name: jane, apiGroup: rbac.authorization.k8s.io}]
`

// TestScenario is one story on one server; each step is a subtest that builds on those before it.
func TestScenario(t *testing.T) {
	s := harness.Start(t)
	for _, step := range []struct {
		name string
		run  func(*testing.T, *harness.Server)
	}{
		{"version and discovery", discovery},
		{"apply", apply},
		{"get in every form", get},
		{"watch", watch},
		{"patch, label, annotate, edit", change},
		{"scale and rollout", rollout},
		{"explain", explain},
		{"auth", auth},
		{"service account token", token},
		{"bad manifests", bad},
		{"delete", remove},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, s.In(t)) }) {
			t.Logf("server log:\n%s", tail(s.Log()))
		}
	}
}

func tail(log string) string {
	if len(log) > 4000 {
		return log[len(log)-4000:]
	}
	return log
}

func discovery(t *testing.T, s *harness.Server) {
	harness.Contains(t, s.OK("", "version"), "Client Version: v1.37.2", "Server Version: v1.37")
	harness.Contains(t, s.OK("", "api-resources"), "deployments", "policymodules", "customresourcedefinitions", "bindings")
	harness.Contains(t, s.OK("", "api-versions"), "apps/v1", "autoscaling/v1", "autoscaling/v2", "policy.gatehouse.dev/v1alpha1")
	harness.Contains(t, s.OK("", "get", "namespaces"), "default", "kube-system", "kube-public", "kube-node-lease")
	harness.Contains(t, s.OK("", "get", "service", "kubernetes"), "ClusterIP", "443/TCP")
}

func apply(t *testing.T, s *harness.Server) {
	harness.Contains(t, s.OK(manifest, "apply", "-f", "-"),
		"namespace/shop created", "deployment.apps/web created", "service/web created", "configmap/settings created",
		"secret/password created", "role.rbac.authorization.k8s.io/reader created", "rolebinding.rbac.authorization.k8s.io/readers created")
	harness.Contains(t, s.OK(manifest, "apply", "-f", "-"), "deployment.apps/web unchanged", "secret/password configured")
	changed := strings.Replace(manifest, "colour: blue", "colour: green", 1)
	harness.Contains(t, s.OK(changed, "apply", "-f", "-"), "configmap/settings configured", "service/web unchanged")
	harness.Contains(t, s.OK(changed, "diff", "-f", "-"), "")
}

func get(t *testing.T, s *harness.Server) {
	harness.Contains(t, s.OK("", "get", "deploy", "-n", "shop"), "NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "web", "0/2")
	harness.Contains(t, s.OK("", "get", "deploy", "-n", "shop", "-o", "wide"), "CONTAINERS", "IMAGES", "SELECTOR", "nginx:1.27", "app=web")
	harness.Contains(t, s.OK("", "get", "deploy", "web", "-n", "shop", "-o", "yaml"), "apiVersion: apps/v1", "progressDeadlineSeconds: 600",
		"imagePullPolicy: IfNotPresent", "terminationMessagePath: /dev/termination-log", "maxSurge: 25%")
	image := s.OK("", "get", "deploy", "web", "-n", "shop", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
	if image != "nginx:1.27" {
		t.Errorf("jsonpath gave %q", image)
	}
	harness.Contains(t, s.OK("", "get", "cm", "-n", "shop", "-o", "custom-columns=WHO:.metadata.name,WHAT:.data.colour"), "WHO", "settings", "green")
	harness.Contains(t, s.OK("", "get", "svc", "web", "-n", "shop"), "ClusterIP", "10.0.0.", "80/TCP")
	harness.Contains(t, s.OK("", "get", "all", "-n", "shop"), "deployment.apps/web", "service/web")
	harness.Contains(t, s.OK("", "get", "cm", "-A", "-l", "nothing=here", "--ignore-not-found"), "")
	harness.Contains(t, s.OK("", "get", "cm", "-n", "shop", "--field-selector", "metadata.name=settings", "-o", "name"), "configmap/settings")
	harness.Contains(t, s.OK("", "get", "secret", "password", "-n", "shop", "-o", "jsonpath={.data.password}"), "aHVudGVyMg==")
	harness.Contains(t, s.OK("", "describe", "deploy", "web", "-n", "shop"), "Name:", "web", "RollingUpdateStrategy:", "25% max unavailable, 25% max surge")
	harness.Contains(t, s.OK("", "describe", "svc", "web", "-n", "shop"), "Session Affinity:", "None")
	harness.Contains(t, s.Refused("", "get", "pod", "nobody", "-n", "shop"), `Error from server (NotFound): pods "nobody" not found`)
	harness.Contains(t, s.Refused("", "get", "unicorns"), `the server doesn't have a resource type "unicorns"`)
}

func watch(t *testing.T, s *harness.Server) {
	done := make(chan string)
	go func() {
		// Long enough for three patches on a loaded machine.
		out, _, _ := s.Run("", "get", "cm", "-n", "shop", "-w", "--request-timeout=20s", "-o", "jsonpath={.metadata.name}={.data.n}{\"\\n\"}")
		done <- out
	}()
	for _, n := range []string{"1", "2", "3"} {
		s.OK("", "patch", "cm", "settings", "-n", "shop", "-p", `{"data":{"n":"`+n+`"}}`)
	}
	// The last value is seen at once when the watch began after it; the order of what was seen is what counts.
	out := <-done
	harness.Contains(t, out, "settings=3")
}

func change(t *testing.T, s *harness.Server) {
	s.OK("", "patch", "deploy", "web", "-n", "shop", "-p", `{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"A","value":"1"}]}]}}}}`)
	s.OK("", "patch", "deploy", "web", "-n", "shop", "--type=merge", "-p", `{"metadata":{"labels":{"tier":"front"}}}`)
	s.OK("", "patch", "deploy", "web", "-n", "shop", "--type=json", "-p", `[{"op":"replace","path":"/spec/replicas","value":3}]`)
	harness.Contains(t, s.OK("", "get", "deploy", "web", "-n", "shop", "-o", "jsonpath={.spec.replicas} {.metadata.labels.tier} {.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].env[0].name}"),
		"3 front nginx:1.27 A")
	harness.Contains(t, s.OK("", "label", "deploy", "web", "-n", "shop", "team=a"), "deployment.apps/web labeled")
	harness.Contains(t, s.Refused("", "label", "deploy", "web", "-n", "shop", "team=b"), "already has a value")
	harness.Contains(t, s.OK("", "annotate", "deploy", "web", "-n", "shop", "note=hello"), "deployment.apps/web annotated")
	harness.Contains(t, s.OK("", "set", "image", "deploy/web", "-n", "shop", "web=nginx:1.28"), "image updated")
	harness.Contains(t, s.OK("", "set", "env", "deploy/web", "-n", "shop", "B=2"), "env updated")
	harness.Contains(t, s.OK("", "set", "resources", "deploy/web", "-n", "shop", "--limits=cpu=200m,memory=512Mi"), "resource requirements updated")

	editor := filepath.Join(t.TempDir(), "editor")
	if err := os.WriteFile(editor, []byte("#!/bin/sh\nsed -i 's/colour: green/colour: red/' \"$1\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBE_EDITOR", editor)
	harness.Contains(t, s.OK("", "edit", "cm", "settings", "-n", "shop"), "configmap/settings edited")
	harness.Contains(t, s.OK("", "get", "cm", "settings", "-n", "shop", "-o", "jsonpath={.data.colour}"), "red")
	harness.Contains(t, s.OK("", "create", "cm", "dry", "-n", "shop", "--dry-run=server", "-o", "name"), "configmap/dry")
	harness.Contains(t, s.Refused("", "get", "cm", "dry", "-n", "shop"), "not found")
}

func rollout(t *testing.T, s *harness.Server) {
	harness.Contains(t, s.OK("", "scale", "deploy/web", "-n", "shop", "--replicas=5"), "deployment.apps/web scaled")
	harness.Contains(t, s.OK("", "get", "deploy", "web", "-n", "shop", "-o", "jsonpath={.spec.replicas}"), "5")
	harness.Contains(t, s.OK("", "rollout", "restart", "deploy/web", "-n", "shop"), "restarted")
	harness.Contains(t, s.OK("", "rollout", "pause", "deploy/web", "-n", "shop"), "paused")
	harness.Contains(t, s.OK("", "autoscale", "deploy/web", "-n", "shop", "--min=2", "--max=6", "--cpu=80%"), "autoscaled")
	harness.Contains(t, s.OK("", "get", "hpa", "-n", "shop"), "Deployment/web", "cpu: <unknown>/80%")
	harness.Contains(t, s.OK("", "expose", "deploy/web", "-n", "shop", "--name=web2", "--port=80"), "exposed")
	harness.Contains(t, s.OK("", "create", "job", "once", "-n", "shop", "--image=busybox", "--", "true"), "job.batch/once created")
	harness.Contains(t, s.OK("", "create", "cronjob", "nightly", "-n", "shop", "--image=busybox", "--schedule=0 3 * * *"), "created")
	harness.Contains(t, s.OK("", "create", "ingress", "front", "-n", "shop", "--rule=a.example.com/*=web:80"), "created")
	harness.Contains(t, s.OK("", "create", "quota", "q", "-n", "shop", "--hard=pods=20"), "created")
	harness.Contains(t, s.OK("", "run", "one", "-n", "shop", "--image=busybox"), "pod/one created")
	harness.Contains(t, s.OK("", "get", "pods", "-n", "shop"), "one", "0/1", "Pending")
}

func explain(t *testing.T, s *harness.Server) {
	harness.Contains(t, s.OK("", "explain", "pod.spec.containers"), "KIND:       Pod", "FIELD: containers <[]Container>", "imagePullPolicy", "Image pull policy")
	harness.Contains(t, s.OK("", "explain", "deployment"), "GROUP:      apps", "DESCRIPTION")
}

func auth(t *testing.T, s *harness.Server) {
	harness.Contains(t, s.OK("", "auth", "can-i", "list", "pods", "-n", "shop", "--as", "jane"), "yes")
	harness.Contains(t, s.OK("", "auth", "can-i", "--list", "-n", "shop", "--as", "jane"), "configmaps", "[get list]")
	if out, _, err := s.Run("", "auth", "can-i", "delete", "pods", "-n", "shop", "--as", "jane"); err == nil || !strings.Contains(out, "no") {
		t.Errorf("jane may delete pods: %q", out)
	}
	harness.Contains(t, s.OK("", "auth", "whoami"), "kubernetes-admin", "system:masters")
	harness.Contains(t, s.Refused("", "get", "secrets", "-n", "shop", "--as", "jane"),
		`Error from server (Forbidden): secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" in the namespace "shop"`)
	harness.Contains(t, s.Refused("", "create", "clusterrolebinding", "grab", "--clusterrole=cluster-admin", "--user=jane", "--as", "jane"), "is forbidden: User \"jane\" cannot create resource")
	harness.Contains(t, s.OK("", "create", "role", "w", "-n", "shop", "--verb=get,create", "--resource=pods"), "created")
	harness.Contains(t, s.OK("", "get", "clusterrole", "admin", "edit", "view", "cluster-admin"), "cluster-admin", "view")
	harness.Contains(t, s.OK("", "get", "clusterrole", "view", "-o", "jsonpath={.rules[*].resources}"), "configmaps", "deployments")
}

func token(t *testing.T, s *harness.Server) {
	s.OK("", "create", "serviceaccount", "robot", "-n", "shop")
	s.OK("", "create", "rolebinding", "robots", "-n", "shop", "--role=reader", "--serviceaccount=shop:robot")
	bearer := strings.TrimSpace(s.OK("", "create", "token", "robot", "-n", "shop"))
	if strings.Count(bearer, ".") != 2 {
		t.Fatalf("no token: %q", bearer)
	}
	// An empty kubeconfig, so that the administrator's certificate does not speak for the token.
	login := []string{"--kubeconfig", "/dev/null", "--server", s.Config.Host, "--insecure-skip-tls-verify", "--token", bearer}
	harness.Contains(t, s.OK("", append(login, "auth", "whoami")...), "system:serviceaccount:shop:robot", "system:serviceaccounts:shop")
	harness.Contains(t, s.OK("", append(login, "get", "cm", "-n", "shop")...), "settings")
	harness.Contains(t, s.Refused("", append(login, "get", "secrets", "-n", "shop")...), "Forbidden")
	broken := append(login[:len(login)-1:len(login)-1], bearer[:len(bearer)-4]+"AAAA")
	harness.Contains(t, s.Refused("", append(broken, "get", "cm", "-n", "shop")...), "Unauthorized")
}

func bad(t *testing.T, s *harness.Server) {
	harness.Contains(t, s.Refused(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"c","imag":"x"}]}}`, "apply", "-f", "-"),
		`unknown field "spec.containers[0].imag"`)
	harness.Contains(t, s.Refused(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"c"}]}}`, "create", "-f", "-"),
		`The Pod "a" is invalid: spec.containers[0].image: Required value`)
	harness.Contains(t, s.Refused(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"UP"},"spec":{"containers":[{"name":"c","image":"i"}]}}`, "create", "-f", "-"),
		`metadata.name: Invalid value: "UP": a lowercase RFC 1123 subdomain must consist of`)
	harness.Contains(t, s.Refused(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"nowhere"}}`, "create", "-f", "-"),
		`Error from server (NotFound): error when creating "STDIN": namespaces "nowhere" not found`)
	harness.Contains(t, s.Refused("", "create", "cm", "settings", "-n", "shop"), `error: failed to create configmap: configmaps "settings" already exists`)
}

func remove(t *testing.T, s *harness.Server) {
	harness.Contains(t, s.OK("", "delete", "pod", "one", "-n", "shop", "--now"), `pod "one" deleted`)
	owner := uid(t, s, "deploy", "web")
	s.OK(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"owned","namespace":"shop","ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"web","uid":"`+owner+`"}]}}`, "create", "-f", "-")
	harness.Contains(t, s.OK("", "delete", "deploy", "web", "-n", "shop", "--cascade=foreground", "--wait"), `deployment.apps "web" deleted`)
	harness.Eventually(t, "the garbage collector's delete of what the Deployment owned", func() bool {
		_, _, err := s.Run("", "get", "cm", "owned", "-n", "shop")
		return err != nil
	})
	harness.Contains(t, s.OK("", "delete", "ns", "shop"), `namespace "shop" deleted`)
	harness.Contains(t, s.Refused("", "get", "ns", "shop"), "not found")
	harness.Contains(t, s.Refused("", "delete", "ns", "kube-system"), "this namespace may not be deleted")
}

func uid(t *testing.T, s *harness.Server, kind, name string) string {
	t.Helper()
	var object struct {
		Metadata struct{ UID string }
	}
	if err := json.Unmarshal([]byte(s.OK("", "get", kind, name, "-n", "shop", "-o", "json")), &object); err != nil {
		t.Fatal(err)
	}
	return object.Metadata.UID
}
