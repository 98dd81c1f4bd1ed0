package aggregation

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

// Addresses of services lie in the loopback network here, where everything that listens on this machine can be reached under
// each of them: no proxy of services is needed.
var settings = []string{"--service-cluster-ip-range", "127.90.0.0/24", "--controllers=-*"}

const objects = `
apiVersion: v1
kind: Namespace
metadata: {name: ext}
---
apiVersion: v1
kind: Service
metadata: {namespace: ext, name: NAME}
spec: {ports: [{name: https, port: PORT}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: ext, name: NAME, labels: {kubernetes.io/service-name: NAME}}
addressType: IPv4
endpoints: [{addresses: [10.9.9.9]}]
ports: [{name: https, port: PORT}]
`

const registration = `
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: VERSION.GROUP}
spec:
  group: GROUP
  version: VERSION
  groupPriorityMinimum: 2000
  versionPriority: 10
  caBundle: CA
  service: {namespace: ext, name: NAME, port: PORT}
`

// stand makes the objects of a service at a port.
func stand(t *testing.T, server *harness.Server, name string, port int) {
	t.Helper()
	server.OK(strings.NewReplacer("NAME", name, "PORT", fmt.Sprint(port)).Replace(objects), "apply", "-f", "-")
}

// register gives a version of a group to the service.
func register(t *testing.T, server *harness.Server, name string, port int, authority []byte, group, version string) {
	t.Helper()
	ca := base64.StdEncoding.EncodeToString(authority)
	text := strings.NewReplacer("NAME", name, "PORT", fmt.Sprint(port), "CA", ca, "GROUP", group, "VERSION", version).Replace(registration)
	server.OK(text, "apply", "-f", "-")
}

// condition is what the condition Available of an APIService says: status, reason, message.
func condition(server *harness.Server, name string) string {
	path := `jsonpath={range .status.conditions[?(@.type=="Available")]}{.status} {.reason}: {.message}{end}`
	out, _, _ := server.Run("", "get", "apiservice", name, "-o", path)
	return out
}

// available waits until an APIService is.
func available(t *testing.T, server *harness.Server, name string) {
	t.Helper()
	harness.Eventually(t, name+" is available", func() bool {
		return condition(server, name) == "True Passed: all checks passed"
	})
}

// ok runs kubectl until it succeeds and returns its standard output: on a busy machine a server may be found unavailable for a
// moment whenever it is looked at.
func ok(t *testing.T, server *harness.Server, stdin string, args ...string) (out string) {
	t.Helper()
	harness.Eventually(t, "kubectl "+strings.Join(args, " "), func() bool {
		stdout, _, err := server.Run(stdin, args...)
		out = stdout
		return err == nil
	})
	return out
}

// shows runs kubectl until it succeeds and its output has every part.
func shows(t *testing.T, server *harness.Server, args []string, parts ...string) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("kubectl %s shows %q", strings.Join(args, " "), parts), func() bool {
		stdout, _, err := server.Run("", args...)
		return err == nil && has(stdout, parts)
	})
}

// refuses runs kubectl until it fails with every part in what it says.
func refuses(t *testing.T, server *harness.Server, args []string, parts ...string) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("kubectl %s is refused with %q", strings.Join(args, " "), parts), func() bool {
		_, stderr, err := server.Run("", args...)
		return err != nil && has(stderr, parts)
	})
}

func has(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
