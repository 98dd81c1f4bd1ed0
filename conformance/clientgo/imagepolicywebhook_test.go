package clientgo

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	imagepolicyv1alpha1 "k8s.io/api/imagepolicy/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gatehouse.dev/conformance/harness"
)

// asked is what a judge was sent.
type asked struct{ target, authorization, body string }

// TestImagePolicyWebhook has a judge of images say which Pods may run, and what holds when it is gone.
func TestImagePolicyWebhook(t *testing.T) {
	questions := make(chan asked, 100)
	judge := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		questions <- asked{r.Method + " " + r.URL.RequestURI(), r.Header.Get("Authorization"), string(body)}
		review := imagepolicyv1alpha1.ImageReview{}
		if err := json.Unmarshal(body, &review); err != nil {
			t.Error(err)
		}
		review.Status.Allowed = !strings.HasPrefix(review.Spec.Containers[0].Image, "bad")
		if !review.Status.Allowed {
			review.Status.Reason = "it is bad"
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(review); err != nil {
			t.Error(err)
		}
	}))
	defer judge.Close()

	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: judge.Certificate().Raw})))
	kubeconfig := write("kubeconfig", fmt.Sprintf(`clusters:
- name: judge
  cluster: {server: '%s/judge', certificate-authority: ca.pem}
users:
- name: us
  user: {token: secret}
contexts:
- name: it
  context: {cluster: judge, user: us}
current-context: it
`, judge.URL))
	file := write("admission.yaml", `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: ImagePolicyWebhook
  configuration:
    imagePolicy: {kubeConfigFile: `+kubeconfig+`, allowTTL: 1800, denyTTL: 1800, retryBackoff: 1}
`)
	server := harness.Start(t, "--controllers=-*", "--enable-admission-plugins=ImagePolicyWebhook", "--disable-admission-plugins=ServiceAccount",
		"--admission-control-config-file", file)
	create := func(name, image string) string {
		t.Helper()
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{"team.image-policy.k8s.io/ticket": "1", "other": "x"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: image}}},
		}
		if _, err := server.Client().CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			return err.Error()
		}
		return ""
	}
	says := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	says(create("first", "good:1"), "")
	want := asked{"POST /judge?timeout=30s", "Bearer secret",
		`{"kind":"ImageReview","apiVersion":"imagepolicy.k8s.io/v1alpha1","metadata":{},"spec":{"containers":[{"image":"good:1"}],"annotations":{"team.image-policy.k8s.io/ticket":"1"},"namespace":"default"},"status":{"allowed":false}}` + "\n"}
	if got := <-questions; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	says(create("second", "bad:1"), `pods "second" is forbidden: image policy webhook backend denied one or more images: it is bad`)
	judge.Close()
	says(create("third", "good:1"), "")
	says(create("fourth", "bad:1"), `pods "fourth" is forbidden: image policy webhook backend denied one or more images: it is bad`)
	// Whoever may listen there now is not the judge.
	if got, want := create("fifth", "good:2"), fmt.Sprintf(`pods "fifth" is forbidden: Post "%s/judge?timeout=30s": `, judge.URL); !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q and why", got, want)
	}
}
