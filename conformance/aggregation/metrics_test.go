package aggregation

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/metrics/pkg/apis/metrics"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// nodeMetrics tells of one node, always the same.
type nodeMetrics struct{}

func (nodeMetrics) New() runtime.Object     { return &metrics.NodeMetrics{} }
func (nodeMetrics) NewList() runtime.Object { return &metrics.NodeMetricsList{} }
func (nodeMetrics) Destroy()                {}
func (nodeMetrics) NamespaceScoped() bool   { return false }
func (nodeMetrics) Kind() string            { return "NodeMetrics" }
func (nodeMetrics) GetSingularName() string { return "node" }

func (nodeMetrics) List(context.Context, *internalversion.ListOptions) (runtime.Object, error) {
	usage := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("512Mi")}
	internal := metrics.NodeMetrics{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Timestamp: metav1.Now(), Usage: usage}
	return &metrics.NodeMetricsList{Items: []metrics.NodeMetrics{internal}}, nil
}

func (nodeMetrics) ConvertToTable(ctx context.Context, object, options runtime.Object) (*metav1.Table, error) {
	return rest.NewDefaultTableConvertor(v1beta1.Resource("nodes")).ConvertToTable(ctx, object, options)
}
