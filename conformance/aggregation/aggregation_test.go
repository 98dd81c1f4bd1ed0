package aggregation

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"gatehouse.dev/conformance/harness"
)

// TestExtension has real clients use a server of k8s.io/apiserver as if its kinds were Gatehouse's own.
func TestExtension(t *testing.T) {
	server := harness.Start(t, settings...)
	extension := startExtension(t, server, "stock.ext")
	stand(t, server, "stock", extension.port)
	register(t, server, "stock", extension.port, extension.authority, crateGroup, "v1")
	available(t, server, "v1."+crateGroup)
	shows(t, server, words("api-resources --api-group "+crateGroup), "cr8")
	shows(t, server, words("get apiservice v1."+crateGroup), "ext/stock", "True")

	ok(t, server, crate("first", "nails"), "apply", "-f", "-")
	ok(t, server, crate("first", "screws"), "apply", "-f", "-")
	shows(t, server, words("get cr8 -n ext first -o yaml"), "content: screws")
	ok(t, server, crate("second", "bolts"), "apply", "--server-side", "-f", "-")
	shows(t, server, words("get crates -n ext -o name"), "crate.stock.example.com/first", "crate.stock.example.com/second")
	shows(t, server, words("explain crate.content"), "Content is what is in it.")
	refuses(t, server, words("get crate -n ext third"), `crates.stock.example.com "third" not found`)

	t.Run("watch", func(t *testing.T) { watches(t, server.In(t)) })
	t.Run("rules", func(t *testing.T) { rules(t, server.In(t)) })
	t.Run("top", func(t *testing.T) { top(t, server.In(t), extension) })
	t.Run("documents", func(t *testing.T) { documents(t, server.In(t)) })
}

func words(text string) []string { return strings.Fields(text) }

func crate(name, content string) string {
	return "{apiVersion: " + crateGroup + "/v1, kind: Crate, metadata: {namespace: ext, name: " + name + "}, content: " + content + "}"
}

// watches sees each change as it happens.
func watches(t *testing.T, server *harness.Server) {
	client := dynamic.NewForConfigOrDie(server.Config).Resource(schema.GroupVersionResource{Group: crateGroup, Version: "v1", Resource: "crates"}).Namespace("ext")
	var watcher watch.Interface
	harness.Eventually(t, "a watch", func() (begun bool) {
		var err error
		watcher, err = client.Watch(t.Context(), metav1.ListOptions{})
		return err == nil
	})
	defer watcher.Stop()
	ok(t, server, crate("seen", "glue"), "create", "-f", "-")
	ok(t, server, "", "delete", "crate", "-n", "ext", "seen")
	for _, want := range []watch.EventType{watch.Added, watch.Deleted} {
		event := <-watcher.ResultChan()
		if object, ok := event.Object.(*unstructured.Unstructured); !ok || event.Type != want || object.GetName() != "seen" {
			t.Fatalf("got %v of %v, want %v of seen", event.Type, event.Object, want)
		}
	}
}

// rules lets the extension server refuse whom Gatehouse lets through, in its own words, and Gatehouse whom it does not.
func rules(t *testing.T, server *harness.Server) {
	refuses(t, server, words("get crates -n ext --as jane"), `User "jane" cannot list resource "crates" in API group "stock.example.com" in the namespace "ext"`)
	server.OK("", "create", "clusterrole", "crates", "--verb", "get,list", "--resource", "crates."+crateGroup)
	server.OK("", "create", "clusterrolebinding", "crates", "--clusterrole", "crates", "--group", "storekeepers")
	shows(t, server, words("get crates -n ext -o name --as jane --as-group storekeepers"), "first")
}

// top shows what a server of metrics tells.
func top(t *testing.T, server *harness.Server, extension *extension) {
	register(t, server, "stock", extension.port, extension.authority, "metrics.k8s.io", "v1beta1")
	available(t, server, "v1beta1.metrics.k8s.io")
	server.OK(`{apiVersion: v1, kind: Node, metadata: {name: n1}}`, "apply", "-f", "-")
	server.OK("", "patch", "node", "n1", "--subresource", "status", "--type", "merge", "-p", `{"status":{"allocatable":{"cpu":"1","memory":"1Gi"}}}`)
	shows(t, server, words("top node"), "250m", "512Mi")
}

// documents finds the extension server's version where clients look for it.
func documents(t *testing.T, server *harness.Server) {
	client := server.Client().RESTClient()
	says := func(path, accept string, parts ...string) {
		t.Helper()
		harness.Eventually(t, path+" has it all", func() bool {
			body, err := client.Get().AbsPath(path).SetHeader("Accept", accept).DoRaw(t.Context())
			return err == nil && has(string(body), parts)
		})
	}
	const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
	says("/apis", "application/json", `{"name":"stock.example.com","versions":[{"groupVersion":"stock.example.com/v1","version":"v1"}],"preferredVersion":{"groupVersion":"stock.example.com/v1","version":"v1"}}`)
	says("/apis/"+crateGroup, "application/json", `"kind":"APIGroup"`, `"name":"stock.example.com"`)
	says("/apis/"+crateGroup+"/v1", "application/json", `"shortNames":["cr8"]`)
	says("/apis", aggregated, `{"metadata":{"name":"stock.example.com"},"versions":[{"version":"v1","resources":[{"resource":"crates"`)
	says("/", "application/json", `"/apis/stock.example.com"`, `"/apis/stock.example.com/v1"`)
	says("/openapi/v3", "application/json", `"apis/stock.example.com/v1":{"serverRelativeURL":"/openapi/v3/apis/stock.example.com/v1?hash=`)
	says("/openapi/v3/apis/stock.example.com/v1", "application/json", `"com.example.stock.v1.Crate"`)
	says("/openapi/v2", "application/json", `"com.example.stock.v1.Crate"`, `"/apis/stock.example.com/v1/namespaces/{namespace}/crates/{name}"`, `"io.k8s.api.core.v1.Pod"`)
}

// TestAbsent tells of a server that is not there, step by step until it is.
func TestAbsent(t *testing.T) {
	server := harness.Start(t, settings...)
	extension := startPlain(t, "lost.ext", answers("lost.example.com"))
	register(t, server, "lost", extension.port, extension.authority, "lost.example.com", "v1")
	says := func(want string) {
		t.Helper()
		harness.Eventually(t, want, func() bool { return condition(server, "v1.lost.example.com") == want })
	}
	says(`False ServiceNotFound: service/lost in "ext" is not present`)
	harness.Contains(t, server.Refused("", "get", "--raw", "/apis/lost.example.com/v1"), "the server is currently unable to handle the request")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.Config.Host+"/apis/lost.example.com/v1/things", nil)
	check(t, err)
	transport, err := rest.TransportFor(server.Config)
	check(t, err)
	answer, err := transport.RoundTrip(request)
	check(t, err)
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("got %v %v", answer.Status, answer.Header)
	}
	harness.Contains(t, server.OK("", "get", "--raw", "/apis"), `"lost.example.com"`)
	stand(t, server, "lost", extension.port)
	says("True Passed: all checks passed")
	server.OK("", "delete", "endpointslice", "-n", "ext", "lost")
	says(`False EndpointsNotFound: cannot find endpointslices for service/lost in "ext"`)
	server.OK("", "delete", "apiservice", "v1.lost.example.com")
	harness.Eventually(t, "nobody serves the group", func() bool {
		return !strings.Contains(server.OK("", "get", "--raw", "/apis"), "lost.example.com")
	})
}

// specification is what a server of old tells of itself, before there was OpenAPI v3.
const specification = `{"swagger":"2.0","info":{"title":"old","version":"v1"},
"paths":{"/apis/GROUP/v1/things":{"get":{"produces":["application/json"],"responses":{"200":{"description":"OK","schema":{"$ref":"#/definitions/Thing"}}},
"x-kubernetes-action":"list","x-kubernetes-group-version-kind":{"group":"GROUP","version":"v1","kind":"Thing"}}}},
"definitions":{"Thing":{"type":"object","description":"Thing is of old.","properties":{"kind":{"type":"string"}},"x-kubernetes-group-version-kind":[{"group":"GROUP","version":"v1","kind":"Thing"}]}}}`

// answers is a server of one version that has one kind.
func answers(group string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch path := strings.TrimPrefix(r.URL.Path, "/apis/"+group+"/v1"); path {
		case "":
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"` + group + `/v1","resources":[{"name":"things","singularName":"thing","namespaced":false,"kind":"Thing","verbs":["get"]}]}`))
		case "/openapi/v2":
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(strings.ReplaceAll(specification, "GROUP", group)))
		case "/things/elsewhere":
			http.Redirect(w, r, "https://192.0.2.1/", http.StatusFound)
		case "/things/one":
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Access-Control-Allow-Origin", "*")
			_, _ = w.Write([]byte(`{"kind":"Thing"}`))
		default:
			http.NotFound(w, r)
		}
	}
}

// TestIdentity looks at what an extension server learns of who asks, and at what it cannot make Gatehouse do.
func TestIdentity(t *testing.T) {
	server := harness.Start(t, settings...)
	extension := startPlain(t, "echo.ext", answers("echo.example.com"))
	stand(t, server, "echo", extension.port)
	register(t, server, "echo", extension.port, extension.authority, "echo.example.com", "v1")
	available(t, server, "v1.echo.example.com")

	config := rest.CopyConfig(server.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "jane", Groups: []string{"system:masters"}, Extra: map[string][]string{"example.com/scope": {"a"}}}
	transport, err := rest.TransportFor(config)
	check(t, err)
	get := func(path string) *http.Response {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, config.Host+"/apis/echo.example.com/v1"+path, nil)
		check(t, err)
		for name, value := range map[string]string{"X-Remote-User": "admin", "X-Remote-Group": "system:nodes", "X-Remote-Extra-Scopes": "all", "X_Remote_User": "admin"} {
			request.Header.Set(name, value)
		}
		var answer *http.Response
		harness.Eventually(t, path+" is answered by the server", func() bool {
			answer, err = transport.RoundTrip(request)
			check(t, err)
			_ = answer.Body.Close()
			return answer.StatusCode != http.StatusServiceUnavailable
		})
		return answer
	}
	if answer := get("/things/one?pretty=true"); answer.StatusCode != http.StatusOK || answer.Header.Get("Access-Control-Allow-Origin") != "" || answer.Header.Get("Audit-Id") == "" {
		t.Errorf("got %v %v", answer.Status, answer.Header)
	}
	seen := extension.last(t, "/apis/echo.example.com/v1/things/one")
	for name, want := range map[string]string{
		"X-Remote-User":                      "jane",
		"X-Remote-Group":                     "system:masters,system:authenticated",
		"X-Remote-Extra-Example.com%2fscope": "a",
		"X-Remote-Extra-Scopes":              "",
		"X_remote_user":                      "",
		"Impersonate-User":                   "",
		"Authorization":                      "",
		"X-Forwarded-Proto":                  "https",
		"X-Forwarded-Uri":                    "/apis/echo.example.com/v1/things/one",
	} {
		if got := strings.Join(seen.Header.Values(name), ","); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if seen.URL.RawQuery != "pretty=true" || seen.Header.Get("X-Forwarded-For") != "127.0.0.1" {
		t.Errorf("got %q %v", seen.URL.RawQuery, seen.Header)
	}
	if certificates := seen.TLS.PeerCertificates; len(certificates) == 0 || certificates[0].Subject.CommonName != "front-proxy-client" {
		t.Errorf("the server was not shown who asks: %v", certificates)
	}
	shows(t, server, words("explain thing --api-version echo.example.com/v1"), "Thing is of old.")
	if answer := get("/things/elsewhere"); answer.StatusCode != http.StatusBadGateway || answer.Header.Get("Location") != "" {
		t.Errorf("got %v %v", answer.Status, answer.Header)
	}
}

// TestRedirects passes on where an extension server sends a client, where that is asked for; Gatehouse itself goes nowhere.
func TestRedirects(t *testing.T) {
	server := harness.Start(t, append([]string{"--aggregator-reject-forwarding-redirect=false"}, settings...)...)
	extension := startPlain(t, "echo.ext", answers("echo.example.com"))
	stand(t, server, "echo", extension.port)
	register(t, server, "echo", extension.port, extension.authority, "echo.example.com", "v1")
	available(t, server, "v1.echo.example.com")
	transport, err := rest.TransportFor(server.Config)
	check(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.Config.Host+"/apis/echo.example.com/v1/things/elsewhere", nil)
	check(t, err)
	harness.Eventually(t, "the client is sent elsewhere", func() bool {
		answer, err := transport.RoundTrip(request)
		check(t, err)
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusFound && answer.Header.Get("Location") == "https://192.0.2.1/"
	})
}

// TestRouting reaches an extension server by an endpoint of its service, where that is asked for.
func TestRouting(t *testing.T) {
	server := harness.Start(t, append([]string{"--enable-aggregator-routing"}, settings...)...)
	stand(t, server, "far", 4443)
	register(t, server, "far", 4443, []byte{}, "far.example.com", "v1")
	harness.Eventually(t, "the endpoint is asked", func() bool {
		return strings.HasPrefix(condition(server, "v1.far.example.com"), "False FailedDiscoveryCheck: failing or missing response from https://10.9.9.9:4443/apis/far.example.com/v1: ")
	})
}

// TestShared has calls share connections with a server that speaks HTTP/2.
func TestShared(t *testing.T) {
	server := harness.Start(t, settings...)
	extension := startPlain(t, "echo.ext", answers("echo.example.com"), func(s *httptest.Server) { s.EnableHTTP2 = true })
	stand(t, server, "echo", extension.port)
	register(t, server, "echo", extension.port, extension.authority, "echo.example.com", "v1")
	available(t, server, "v1.echo.example.com")
	transport, err := rest.TransportFor(server.Config)
	check(t, err)
	addresses := map[string]bool{}
	const calls = 10
	for range calls {
		harness.Eventually(t, "an answer", func() bool {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.Config.Host+"/apis/echo.example.com/v1/things/one", strings.NewReader("{}"))
			check(t, err)
			answer, err := transport.RoundTrip(request)
			check(t, err)
			body, err := io.ReadAll(answer.Body)
			check(t, err)
			_ = answer.Body.Close()
			return answer.StatusCode == http.StatusOK && string(body) == `{"kind":"Thing"}`
		})
		seen := extension.last(t, "/apis/echo.example.com/v1/things/one")
		if seen.ProtoMajor != 2 || !strings.HasPrefix(seen.Host, "127.90.0.") || !strings.HasSuffix(seen.Host, fmt.Sprint(":", extension.port)) {
			t.Errorf("got %s to %s", seen.Proto, seen.Host)
		}
		addresses[seen.RemoteAddr] = true
	}
	if len(addresses) == calls {
		t.Errorf("each call had a connection of its own: %v", addresses)
	}
}

// TestDistrust does not speak with a server that another authority vouches for.
func TestDistrust(t *testing.T) {
	server := harness.Start(t, settings...)
	extension := startPlain(t, "sly.ext", answers("sly.example.com"))
	_, _, other := certificates(t, []string{"sly.ext.svc"})
	stand(t, server, "sly", extension.port)
	register(t, server, "sly", extension.port, other, "sly.example.com", "v1")
	harness.Eventually(t, "the server is not trusted", func() bool {
		said := condition(server, "v1.sly.example.com")
		return strings.HasPrefix(said, "False FailedDiscoveryCheck: failing or missing response from https://127.90.0.") &&
			strings.HasSuffix(said, "tls: failed to verify certificate: x509: certificate signed by unknown authority")
	})
}
