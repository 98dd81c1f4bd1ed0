package aggregation

import (
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

// TestEnds has Gatehouse's own controllers see to what only an extension server stores: namespaces take it along, owners and what
// they own are told from each other over the border, and quotas count it.
func TestEnds(t *testing.T) {
	server := harness.Start(t, "--service-cluster-ip-range", "127.90.0.0/24", "--controllers=namespace,garbagecollector,resourcequota")
	extension := startExtension(t, server, "stock.ext")
	stand(t, server, "stock", extension.port)
	register(t, server, "stock", extension.port, extension.authority, crateGroup, "v1")
	available(t, server, "v1."+crateGroup)
	// It ends before the extension server does, which would wait for whoever watches.
	t.Cleanup(server.Stop)

	t.Run("namespace", func(t *testing.T) { namespaceEnds(t, server.In(t)) })
	t.Run("owners", func(t *testing.T) { owners(t, server.In(t)) })
	t.Run("quota", func(t *testing.T) { counted(t, server.In(t)) })
	t.Run("unknown", func(t *testing.T) { unknown(t, server.In(t)) })
}

// gone waits until an object is not there.
func gone(t *testing.T, server *harness.Server, args ...string) {
	t.Helper()
	harness.Eventually(t, strings.Join(args, " ")+" is gone", func() bool {
		out, _, err := server.Run("", append([]string{"get", "--ignore-not-found", "-o", "name"}, args...)...)
		return err == nil && out == ""
	})
}

func crateIn(namespace, name, metadata string) string {
	return "{apiVersion: " + crateGroup + "/v1, kind: Crate, metadata: {namespace: " + namespace + ", name: " + name + metadata + "}}"
}

func namespaceEnds(t *testing.T, server *harness.Server) {
	server.OK("", "create", "namespace", "shop")
	ok(t, server, crateIn("shop", "left", ""), "apply", "-f", "-")
	server.OK("", "delete", "namespace", "shop", "--wait=false")
	gone(t, server, "namespace", "shop")
	gone(t, server, "crates", "-n", "shop")
}

func owners(t *testing.T, server *harness.Server) {
	owned := func(apiVersion, kind, name, uid string) string {
		return ", ownerReferences: [{apiVersion: " + apiVersion + ", kind: " + kind + ", name: " + name + ", uid: " + uid + "}]"
	}
	ok(t, server, crateIn("ext", "owner", ""), "apply", "-f", "-")
	uid := ok(t, server, "", "get", "crate", "-n", "ext", "owner", "-o", "jsonpath={.metadata.uid}")
	server.OK("{apiVersion: v1, kind: ConfigMap, metadata: {namespace: ext, name: label"+owned(crateGroup+"/v1", "Crate", "owner", uid)+"}}", "apply", "-f", "-")
	server.OK("", "create", "configmap", "-n", "ext", "order")
	uid = server.OK("", "get", "configmap", "-n", "ext", "order", "-o", "jsonpath={.metadata.uid}")
	ok(t, server, crateIn("ext", "ordered", owned("v1", "ConfigMap", "order", uid)), "apply", "-f", "-")

	ok(t, server, "", "delete", "crate", "-n", "ext", "owner")
	gone(t, server, "configmap", "-n", "ext", "label")
	server.OK("", "delete", "configmap", "-n", "ext", "order")
	gone(t, server, "crate", "-n", "ext", "ordered")
}

func counted(t *testing.T, server *harness.Server) {
	ok(t, server, crateIn("ext", "a", ""), "apply", "-f", "-")
	ok(t, server, crateIn("ext", "b", ""), "apply", "-f", "-")
	const resource = "count/crates.stock.example.com"
	server.OK("", "create", "quota", "-n", "ext", "crates", "--hard", resource+"=5")
	used := []string{"get", "quota", "-n", "ext", "crates", "-o", `jsonpath={.status.used.count/crates\.stock\.example\.com}`}
	shows(t, server, used, "2")
	ok(t, server, "", "delete", "crate", "-n", "ext", "a")
	shows(t, server, used, "1")
}

// unknown keeps a namespace as long as nobody can tell what an extension server has in it.
func unknown(t *testing.T, server *harness.Server) {
	register(t, server, "nobody", 443, []byte{}, "nobody.example.com", "v1")
	server.OK("", "create", "namespace", "shut")
	server.OK("", "delete", "namespace", "shut", "--wait=false")
	path := `jsonpath={range .status.conditions[?(@.type=="NamespaceDeletionDiscoveryFailure")]}{.status} {.reason}: {.message}{end}`
	shows(t, server, []string{"get", "namespace", "shut", "-o", path},
		"True DiscoveryFailed: Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: nobody.example.com/v1: stale GroupVersion discovery: nobody.example.com/v1")
	server.OK("", "delete", "apiservice", "v1.nobody.example.com")
	gone(t, server, "namespace", "shut")
}
