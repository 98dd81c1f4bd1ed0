package customresources

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"gatehouse.dev/conformance/harness"
)

var (
	hostsV1 = schema.GroupVersionResource{Group: "net.example.com", Version: "v1", Resource: "hosts"}
	hostsV2 = schema.GroupVersionResource{Group: "net.example.com", Version: "v2", Resource: "hosts"}
)

const hosts = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: hosts.net.example.com}
spec:
  group: net.example.com
  scope: Namespaced
  names: {plural: hosts, kind: Host}
  conversion:
    strategy: Webhook
    webhook:
      conversionReviewVersions: [v1]
      clientConfig: {url: "%s", caBundle: %s}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {hostPort: {type: string}}}}
  - name: v2
    served: true
    storage: false
    schema: {openAPIV3Schema: {type: object, properties: {host: {type: string}, port: {type: string}}}}
`

// TestConversionWebhook asks for objects in a version that only a webhook can make.
func TestConversionWebhook(t *testing.T) {
	var calls, failing atomic.Int64
	address, bundle := webhook(t, func(review *apiextensionsv1.ConversionReview) {
		calls.Add(1)
		if failing.Load() != 0 {
			review.Response.Result = metav1.Status{Status: metav1.StatusFailure, Message: "not today"}
			return
		}
		for _, raw := range review.Request.Objects {
			object := &unstructured.Unstructured{}
			if err := object.UnmarshalJSON(raw.Raw); err != nil {
				t.Error(err)
			}
			convert(object, review.Request.DesiredAPIVersion)
			review.Response.ConvertedObjects = append(review.Response.ConvertedObjects, runtime.RawExtension{Object: object})
		}
		review.Response.Result = metav1.Status{Status: metav1.StatusSuccess}
	})
	s := harness.Start(t)
	s.OK(fmt.Sprintf(hosts, address, bundle), "create", "-f", "-")
	established(t, s, "hosts.net.example.com")
	client, err := dynamic.NewForConfig(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	v1, v2 := client.Resource(hostsV1).Namespace("default"), client.Resource(hostsV2).Namespace("default")

	made := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "net.example.com/v2", "kind": "Host", "metadata": map[string]any{"name": "a"}, "host": "example.com", "port": "80"}}
	if made, err = v2.Create(t.Context(), made, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if made.Object["host"] != "example.com" || made.GetAPIVersion() != "net.example.com/v2" {
		t.Errorf("created %v", made.Object)
	}
	stored, err := v1.Get(t.Context(), "a", metav1.GetOptions{})
	if err != nil || stored.Object["hostPort"] != "example.com:80" {
		t.Errorf("stored %v, %v", stored, err)
	}
	before := calls.Load()
	for range 3 {
		list, err := v2.List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) != 1 || list.Items[0].Object["port"] != "80" {
			t.Errorf("listed %v, %v", list, err)
		}
	}
	if calls.Load() > before+1 {
		t.Errorf("the same object was converted %d times", calls.Load()-before)
	}
	following, err := v2.Watch(t.Context(), metav1.ListOptions{ResourceVersion: made.GetResourceVersion()})
	if err != nil {
		t.Fatal(err)
	}
	defer following.Stop()
	if _, err := v1.Patch(t.Context(), "a", "application/merge-patch+json", []byte(`{"hostPort":"example.org:81"}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	event := <-following.ResultChan()
	if object, ok := event.Object.(*unstructured.Unstructured); event.Type != watch.Modified || !ok || object.Object["host"] != "example.org" {
		t.Errorf("saw %v %v", event.Type, event.Object)
	}
	if _, err := v2.Patch(t.Context(), "a", "application/merge-patch+json", []byte(`{"port":"82"}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if stored, err = v1.Get(t.Context(), "a", metav1.GetOptions{}); err != nil || stored.Object["hostPort"] != "example.org:82" {
		t.Errorf("stored %v, %v", stored, err)
	}
	failing.Store(1)
	s.OK("", "patch", "hosts.v1.net.example.com", "a", "--type=merge", "-p", `{"hostPort":"example.net:83"}`)
	_, err = v2.Get(t.Context(), "a", metav1.GetOptions{})
	if err == nil || !strings.Contains(err.Error(), "conversion webhook for net.example.com/v1, Kind=Host failed: not today") {
		t.Errorf("a failing webhook gives %v", err)
	}
}

// TestConversionWebhookBehindService has the webhook called by the name of a Service, whose certificate it must have.
func TestConversionWebhookBehindService(t *testing.T) {
	address, bundle := webhook(t, func(review *apiextensionsv1.ConversionReview) {
		for _, raw := range review.Request.Objects {
			object := &unstructured.Unstructured{}
			if err := object.UnmarshalJSON(raw.Raw); err != nil {
				t.Error(err)
			}
			convert(object, review.Request.DesiredAPIVersion)
			review.Response.ConvertedObjects = append(review.Response.ConvertedObjects, runtime.RawExtension{Object: object})
		}
		review.Response.Result = metav1.Status{Status: metav1.StatusSuccess}
	})
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t)
	service := fmt.Sprintf("service: {namespace: default, name: converter, path: %s, port: %s}", at.Path, at.Port())
	s.OK(strings.Replace(fmt.Sprintf(hosts, address, bundle), fmt.Sprintf("url: %q", address), service, 1), "create", "-f", "-")
	established(t, s, "hosts.net.example.com")
	object := `{"apiVersion":"net.example.com/v2","kind":"Host","metadata":{"name":"a","namespace":"default"},"host":"example.com","port":"80"}`
	harness.Contains(t, s.Refused(object, "create", "-f", "-"),
		fmt.Sprintf(`conversion webhook for net.example.com/v2, Kind=Host failed: Post "https://converter.default.svc:%s/convert?timeout=30s": service "converter" not found`, at.Port()))
	s.OK(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"converter","namespace":"default"},"spec":{"type":"ExternalName","externalName":"localhost"}}`, "create", "-f", "-")
	s.OK(object, "create", "-f", "-")
	harness.Contains(t, s.OK("", "get", "hosts.v1.net.example.com", "a", "-o", "jsonpath={.hostPort}"), "example.com:80")
}

// established waits until a definition is served. Until it is judged it has no conditions, over which kubectl's filter fails.
func established(t *testing.T, s *harness.Server, definition string) {
	t.Helper()
	harness.Eventually(t, definition+" is established", func() bool {
		status, _, err := s.Run("", "get", "crd", definition, "-o", `jsonpath={.status.conditions[?(@.type=="Established")].status}`)
		return err == nil && status == "True"
	})
}

// convert turns a host and a port into one field or back.
func convert(object *unstructured.Unstructured, to string) {
	if strings.HasSuffix(to, "/v1") {
		object.Object["hostPort"] = fmt.Sprintf("%v:%v", object.Object["host"], object.Object["port"])
		delete(object.Object, "host")
		delete(object.Object, "port")
	} else {
		host, port, _ := net.SplitHostPort(object.Object["hostPort"].(string))
		object.Object["host"], object.Object["port"] = host, port
		delete(object.Object, "hostPort")
	}
	object.SetAPIVersion(to)
}

// webhook serves conversion reviews over TLS; it gives its address and the authority that signed it.
func webhook(t *testing.T, answer func(*apiextensionsv1.ConversionReview)) (address, bundle string) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		review := &apiextensionsv1.ConversionReview{}
		if err := json.NewDecoder(r.Body).Decode(review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = &apiextensionsv1.ConversionResponse{UID: review.Request.UID, ConvertedObjects: []runtime.RawExtension{}}
		answer(review)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review)
	}))
	certificate, authority := certificates(t)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL + "/convert", base64.StdEncoding.EncodeToString(authority)
}

// certificates makes an authority and a certificate for the loopback address and a service that it signed.
func certificates(t *testing.T) (tls.Certificate, []byte) {
	issuerKey, issuer := key(t), template("webhook authority")
	issuer.IsCA, issuer.BasicConstraintsValid, issuer.KeyUsage = true, true, x509.KeyUsageCertSign
	issuerDER := sign(t, issuer, issuer, issuerKey, issuerKey)
	leafKey, leaf := key(t), template("webhook")
	leaf.IPAddresses, leaf.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"converter.default.svc"}
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leafDER := sign(t, leaf, issuer, leafKey, issuerKey)
	return tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issuerDER})
}

func key(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
}

func sign(t *testing.T, certificate, issuer *x509.Certificate, key, issuerKey *ecdsa.PrivateKey) []byte {
	der, err := x509.CreateCertificate(rand.Reader, certificate, issuer, &key.PublicKey, issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
