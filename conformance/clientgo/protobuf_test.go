package clientgo

import (
	"reflect"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"gatehouse.dev/conformance/harness"
)

// TestProtobufClient drives a client that only sends and takes protobuf, and compares what it sees with JSON.
func TestProtobufClient(t *testing.T) {
	s := harness.Start(t)
	only := rest.CopyConfig(s.Config)
	only.ContentType, only.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf
	proto, err := kubernetes.NewForConfig(only)
	if err != nil {
		t.Fatal(err)
	}
	s.Config.ContentType, s.Config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	client := s.Client()

	seen := make(chan *appsv1.Deployment, 100)
	factory := informers.NewSharedInformerFactoryWithOptions(proto, 0, informers.WithNamespace("default"))
	informer := factory.Apps().V1().Deployments().Informer()
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(object any) { seen <- object.(*appsv1.Deployment) }}); err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	if !cache.WaitForCacheSync(t.Context().Done(), informer.HasSynced) {
		t.Fatal("the informer never synced")
	}

	labels := map[string]string{"app": "a"}
	made, err := proto.AppsV1().Deployments("default").Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "a"},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i", ReadinessProbe: &corev1.Probe{
				ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromString("http")}},
			}}}},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case told := <-seen:
		if told.UID != made.UID || told.Spec.Template.Spec.Containers[0].ReadinessProbe.HTTPGet.Port.StrVal != "http" {
			t.Errorf("the informer was told %+v", told)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the informer was not told of the deployment")
	}

	for name, lists := range map[string]func(*kubernetes.Clientset) (any, error){
		"namespaces": func(c *kubernetes.Clientset) (any, error) {
			list, err := c.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{Limit: 2})
			list.ResourceVersion, list.Continue = "", ""
			return list, err
		},
		"clusterroles": func(c *kubernetes.Clientset) (any, error) {
			list, err := c.RbacV1().ClusterRoles().List(t.Context(), metav1.ListOptions{})
			list.ResourceVersion = ""
			return list, err
		},
		"one flow schema": func(c *kubernetes.Clientset) (any, error) {
			return c.FlowcontrolV1().FlowSchemas().Get(t.Context(), "exempt", metav1.GetOptions{})
		},
	} {
		read, err := lists(proto)
		if err != nil {
			t.Errorf("%s by protobuf: %v", name, err)
			continue
		}
		expected, err := lists(client)
		if err != nil {
			t.Errorf("%s by JSON: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(read, expected) {
			t.Errorf("%s differ:\n%+v\n%+v", name, read, expected)
		}
	}

	if _, err := proto.RbacV1().Roles("default").Create(t.Context(), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "r"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}},
	}, metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
	review, err := proto.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{User: "u", Groups: []string{"system:masters"}, Extra: map[string]authorizationv1.ExtraValue{"k": {"v"}},
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods"}},
	}, metav1.CreateOptions{})
	if err != nil || !review.Status.Allowed {
		t.Errorf("the review said %+v, %v", review, err)
	}
	if _, err := proto.CoreV1().ServiceAccounts("default").Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "sa"}}, metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
	token, err := proto.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), "sa", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil || token.Status.Token == "" {
		t.Errorf("the token is %+v, %v", token, err)
	}
	scale, err := proto.AppsV1().Deployments("default").GetScale(t.Context(), "a", metav1.GetOptions{})
	if err != nil || scale.Spec.Replicas != 1 {
		t.Errorf("the scale is %+v, %v", scale, err)
	}
	if _, err := proto.CoreV1().Pods("default").Get(t.Context(), "missing", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a missing pod gave %v", err)
	}
	other := "other"
	options := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &other}}
	if err := proto.AppsV1().Deployments("default").Delete(t.Context(), "a", options); !apierrors.IsConflict(err) {
		t.Errorf("a delete at another revision gave %v", err)
	}
	if err := proto.AppsV1().Deployments("default").Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}
