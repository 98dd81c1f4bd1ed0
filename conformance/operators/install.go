package operators

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// Install applies definitions as kubectl does, for a server that is only asked for its answers.
func Install(ctx context.Context, config *rest.Config, files []string) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	definitions := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	for _, file := range files {
		objects, err := read(file)
		if err != nil {
			return err
		}
		for _, object := range objects {
			if _, err := definitions.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: "kubectl"}); err != nil {
				return err
			}
		}
	}
	return nil
}
