package clientgo

import (
	"bytes"
	"encoding/json"
	"testing"

	apidiscovery "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"

	"gatehouse.dev/conformance/harness"
)

// TestDiscoveryInBothForms compares the protobuf of every document of discovery with what upstream's encoder makes of its JSON.
func TestDiscoveryInBothForms(t *testing.T) {
	s := harness.Start(t)
	define(t, s.Config, "discovered.example.com", `{"type":"object"}`)
	client := s.Client().RESTClient()
	types := runtime.NewScheme()
	if err := apidiscovery.AddToScheme(types); err != nil {
		t.Fatal(err)
	}
	metav1.AddToGroupVersion(types, schema.GroupVersion{Version: "v1"})
	encoder := protobuf.NewSerializer(types, types)
	const aggregated = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
	for _, c := range []struct {
		path, form string
		into       runtime.Object
	}{
		{"/api", aggregated, &apidiscovery.APIGroupDiscoveryList{}},
		{"/apis", aggregated, &apidiscovery.APIGroupDiscoveryList{}},
		{"/api", "", &metav1.APIVersions{}},
		{"/apis", "", &metav1.APIGroupList{}},
		{"/apis/apps", "", &metav1.APIGroup{}},
		{"/api/v1", "", &metav1.APIResourceList{}},
		{"/apis/autoscaling/v2", "", &metav1.APIResourceList{}},
		{"/apis/discovered.example.com", "", &metav1.APIGroup{}},
		{"/apis/discovered.example.com/v1", "", &metav1.APIResourceList{}},
	} {
		get := func(media string) []byte {
			body, err := client.Get().AbsPath(c.path).SetHeader("Accept", media+c.form).DoRaw(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return body
		}
		if err := json.Unmarshal(get("application/json"), c.into); err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if err := encoder.Encode(c.into, &want); err != nil {
			t.Fatal(err)
		}
		if got := get(runtime.ContentTypeProtobuf); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s%s as protobuf is not what upstream makes of its JSON:\n%q\n%q", c.path, c.form, got, want.Bytes())
		}
	}
}
