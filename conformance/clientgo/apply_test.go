package clientgo

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsv1 "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1 "k8s.io/client-go/applyconfigurations/core/v1"
	applymetav1 "k8s.io/client-go/applyconfigurations/meta/v1"

	"gatehouse.dev/conformance/harness"
)

// TestTypedApply owns fields through client-go's typed Apply, extracts what it owns, and takes over by force.
func TestTypedApply(t *testing.T) {
	s := harness.Start(t, "--controllers=-*")
	deployments := s.Client().AppsV1().Deployments("default")
	labels := map[string]string{"app": "web"}
	web := appsv1.Deployment("web", "default").WithSpec(appsv1.DeploymentSpec().WithReplicas(2).
		WithSelector(applymetav1.LabelSelector().WithMatchLabels(labels)).
		WithTemplate(corev1.PodTemplateSpec().WithLabels(labels).
			WithSpec(corev1.PodSpec().WithContainers(corev1.Container().WithName("web").WithImage("nginx")))))
	created, err := deployments.Apply(t.Context(), web, metav1.ApplyOptions{FieldManager: "one"})
	if err != nil {
		t.Fatal(err)
	}

	owned, err := appsv1.ExtractDeployment(created, "one")
	if err != nil {
		t.Fatal(err)
	}
	if owned.Spec == nil || owned.Spec.Replicas == nil || *owned.Spec.Replicas != 2 || owned.Spec.Strategy != nil {
		t.Fatalf("one owns what it applied and no default, not %+v", owned.Spec)
	}

	other := appsv1.Deployment("web", "default").WithSpec(appsv1.DeploymentSpec().WithReplicas(3))
	_, err = deployments.Apply(t.Context(), other, metav1.ApplyOptions{FieldManager: "two"})
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `conflict with "one": .spec.replicas`) {
		t.Fatalf("wanted a conflict about replicas, not %v", err)
	}
	if causes := err.(*apierrors.StatusError).ErrStatus.Details.Causes; len(causes) != 1 || causes[0].Type != metav1.CauseTypeFieldManagerConflict {
		t.Fatalf("wanted one cause, not %+v", causes)
	}
	taken, err := deployments.Apply(t.Context(), other, metav1.ApplyOptions{FieldManager: "two", Force: true})
	if err != nil {
		t.Fatal(err)
	}
	if *taken.Spec.Replicas != 3 || len(taken.Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("the forced apply changed more or less than it named: %+v", taken.Spec)
	}

	// What nobody names any more goes back to its default.
	left, err := deployments.Apply(t.Context(), appsv1.Deployment("web", "default"), metav1.ApplyOptions{FieldManager: "two"})
	if err != nil {
		t.Fatal(err)
	}
	if *left.Spec.Replicas != 1 {
		t.Fatalf("replicas are %d", *left.Spec.Replicas)
	}
	status := appsv1.Deployment("web", "default").WithStatus(appsv1.DeploymentStatus().WithReplicas(1))
	told, err := deployments.ApplyStatus(t.Context(), status, metav1.ApplyOptions{FieldManager: "controller"})
	if err != nil {
		t.Fatal(err)
	}
	if told.Status.Replicas != 1 || told.ManagedFields[len(told.ManagedFields)-1].Operation == "" {
		t.Fatalf("the status was not applied: %+v", told.Status)
	}
}
