package customresources

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apihelpers"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	clientset "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	informers "k8s.io/apiextensions-apiserver/pkg/client/informers/externalversions"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"gatehouse.dev/conformance/harness"
)

const (
	many    = 1000
	writers = 16
	// What one definition may cost.
	perDefinitionBytes = 1 << 20
)

// TestAThousandDefinitions installs a thousand definitions of a realistic size, measures what they cost, and follows the
// objects of one of them with an informer.
func TestAThousandDefinitions(t *testing.T) {
	s := harness.Start(t)
	client, err := clientset.NewForConfig(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	before, core := s.Memory(), s.OK("", "get", "--raw", "/api/v1")
	// Followed by one watch: `kubectl wait` asks for each definition on its own and takes longer than all the rest.
	followed := informers.NewSharedInformerFactory(client, 0)
	definitions := followed.Apiextensions().V1().CustomResourceDefinitions().Informer()
	followed.Start(t.Context().Done())
	each(t, func(i int) error {
		_, err := client.ApiextensionsV1().CustomResourceDefinitions().Create(t.Context(), generated(i), metav1.CreateOptions{})
		return err
	})
	for i := range many {
		name := generated(i).Name
		harness.Eventually(t, name+" being established", func() bool {
			found, _, _ := definitions.GetStore().GetByKey(name)
			definition, known := found.(*apiextensionsv1.CustomResourceDefinition)
			return known && apihelpers.IsCRDConditionTrue(definition, apiextensionsv1.Established)
		})
	}
	after := s.Memory()
	t.Logf("a definition costs %d KiB", (after-before)/many/1024)
	if after-before > many*perDefinitionBytes {
		t.Errorf("%d definitions cost %d MiB", many, (after-before)>>20)
	}
	if s.OK("", "get", "--raw", "/api/v1") != core {
		t.Error("what is built in is described otherwise than before")
	}

	objects, err := dynamic.NewForConfig(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	resource := schema.GroupVersionResource{Group: "g7.example.com", Version: "v1", Resource: "things7"}
	factory := dynamicinformer.NewDynamicSharedInformerFactory(objects, 0)
	informer := factory.ForResource(resource).Informer()
	factory.Start(t.Context().Done())
	if !cache.WaitForCacheSync(t.Context().Done(), informer.HasSynced) {
		t.Fatal("the informer never synced")
	}
	for i := range 10 {
		object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "g7.example.com/v1", "kind": "Thing7", "metadata": map[string]any{"name": fmt.Sprintf("t%d", i)}}}
		if _, err := objects.Resource(resource).Namespace("default").Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	harness.Eventually(t, "the informer holding every object", func() bool { return len(informer.GetStore().List()) == 10 })
}

func each(t *testing.T, do func(int) error) {
	var group sync.WaitGroup
	for writer := range writers {
		group.Go(func() {
			for i := writer; i < many; i += writers {
				if err := do(i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// generated is a definition with a hundred fields, each described.
func generated(i int) *apiextensionsv1.CustomResourceDefinition {
	fields := map[string]apiextensionsv1.JSONSchemaProps{}
	for field := range 100 {
		fields[fmt.Sprintf("field%d", field)] = apiextensionsv1.JSONSchemaProps{
			Type:        "object",
			Description: strings.Repeat("What this field means is told in some words. ", 4),
			Properties:  map[string]apiextensionsv1.JSONSchemaProps{"a": {Type: "string", Pattern: "^[a-z]+$"}, "b": {Type: "integer"}},
		}
	}
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("things%d.g%d.example.com", i, i)},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: fmt.Sprintf("g%d.example.com", i),
			Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: fmt.Sprintf("things%d", i), Kind: fmt.Sprintf("Thing%d", i)},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type:       "object",
					Properties: map[string]apiextensionsv1.JSONSchemaProps{"spec": {Type: "object", Properties: fields}},
				}},
			}},
		},
	}
}
