package clientgo

import (
	"net/http"
	"testing"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	openapi_v3 "github.com/google/gnostic-models/openapiv3"
	"google.golang.org/protobuf/proto"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/kube-openapi/pkg/handler"
	"k8s.io/kube-openapi/pkg/handler3"

	"gatehouse.dev/conformance/harness"
)

const (
	openAPIV2 = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
	openAPIV3 = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"
)

// crafted has in its schema what documents of built-in kinds lack: texts of several lines, numbers, alternatives, examples.
const crafted = `{"type":"object","properties":{
	"text":{"type":"string","description":"one\ntwo: 'three'","pattern":"^y+e*s$","minLength":1,"maxLength":9,"enum":["yes","1","a b"],"default":"yes"},
	"number":{"type":"number","minimum":-1.5,"maximum":1e3,"exclusiveMaximum":true,"multipleOf":0.5,"default":2.5},
	"flag":{"type":"boolean","default":false,"nullable":true},
	"port":{"x-kubernetes-int-or-string":true},
	"map":{"type":"object","additionalProperties":{"type":"integer","format":"int64"},"example":{"b":{"c":[1,"x: y"]},"a":null}},
	"list":{"type":"array","items":{"type":"object","properties":{"x-key":{"type":"string"}}},"maxItems":3,"x-kubernetes-list-type":"atomic"}},
	"x-kubernetes-validations":[{"rule":"self.text != \"\" ||\nself.flag","message":"- says: # why"}]}`

// TestOpenAPIInBothForms compares the protobuf of every document with what upstream's program makes of its JSON.
func TestOpenAPIInBothForms(t *testing.T) {
	s := harness.Start(t)
	define(t, s.Config, "crafted.example.com", crafted)
	client := s.Client().RESTClient()
	get := func(t *testing.T, path, accept string) []byte {
		t.Helper()
		body, err := client.Get().AbsPath(path).SetHeader("Accept", accept).DoRaw(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	same := func(t *testing.T, path, accept string, convert func([]byte) ([]byte, error), got, want proto.Message) {
		t.Helper()
		wanted, err := convert(get(t, path, "application/json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := proto.Unmarshal(get(t, path, accept), got); err != nil {
			t.Fatal(err)
		}
		if err := proto.Unmarshal(wanted, want); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(got, want) {
			t.Errorf("%s as protobuf is not what upstream makes of its JSON", path)
		}
	}
	t.Run("v2", func(t *testing.T) {
		same(t, "/openapi/v2", openAPIV2, handler.ToProtoBinary, &openapi_v2.Document{}, &openapi_v2.Document{})
	})
	paths, err := s.Client().Discovery().OpenAPIV3().Paths()
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 20 {
		t.Fatalf("only %d documents", len(paths))
	}
	for path := range paths {
		t.Run(path, func(t *testing.T) {
			same(t, "/openapi/v3/"+path, openAPIV3, handler3.ToV3ProtoBinary, &openapi_v3.Document{}, &openapi_v3.Document{})
		})
	}
	if _, err := s.Client().Discovery().OpenAPISchema(); err != nil {
		t.Errorf("client-go reads no schema: %v", err)
	}
}

// define makes a kind whose objects have this schema, and waits until it is served.
func define(t *testing.T, config *rest.Config, group, schemaJSON string) {
	t.Helper()
	var properties unstructured.Unstructured
	definition := `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"things.` + group + `"},"spec":{"group":"` + group +
		`","scope":"Namespaced","names":{"plural":"things","singular":"thing","kind":"Thing","listKind":"ThingList"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":` + schemaJSON + `}}]}}`
	if err := properties.UnmarshalJSON([]byte(definition)); err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	definitions := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	if _, err := client.Resource(definitions).Create(t.Context(), &properties, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	things := schema.GroupVersionResource{Group: group, Version: "v1", Resource: "things"}
	harness.Eventually(t, "things are served", func() bool {
		_, err := client.Resource(things).List(t.Context(), metav1.ListOptions{})
		return err == nil
	})
}

// TestDocumentsAreCached drives the headers by which clients spare themselves documents that they have.
func TestDocumentsAreCached(t *testing.T) {
	s := harness.Start(t)
	transport, err := rest.TransportFor(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string, headers ...string) *http.Response {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Config.Host+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response
	}
	ask := func(headers ...string) *http.Response { t.Helper(); return get("/openapi/v2", headers...) }
	whole := ask()
	for _, known := range [][2]string{{"If-None-Match", whole.Header.Get("Etag")}, {"If-Modified-Since", whole.Header.Get("Last-Modified")}} {
		if again := ask(known[0], known[1]); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: %s gets %d", known[0], known[1], again.StatusCode)
		}
	}
	// A copy of the index that is as old as this second may lack what came a moment later, and it has no tag.
	index := get("/openapi/v3")
	if again := get("/openapi/v3", "If-Modified-Since", index.Header.Get("Last-Modified")); again.StatusCode != http.StatusOK {
		t.Errorf("the index of this second gets %d", again.StatusCode)
	}
	if part := ask("Range", "bytes=0-9", "Accept-Encoding", "identity"); part.StatusCode != http.StatusPartialContent || part.ContentLength != 10 {
		t.Errorf("ten bytes: %d with %d", part.StatusCode, part.ContentLength)
	}
	if packed := ask("Accept-Encoding", "gzip"); packed.Header.Get("Content-Encoding") != "gzip" {
		t.Error("a large document is not compressed")
	}
}
