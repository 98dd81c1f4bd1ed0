// Package hostile sends what no good client sends, one by one, and looks for upstream's status and a living server.
package hostile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"gatehouse.dev/conformance/harness"
)

type attack struct {
	name, method, path, contentType, body string
	code                                  int
	message                               string
}

const pods = "/api/v1/namespaces/default/configmaps"

var attacks = []attack{
	{"cut JSON", "POST", pods, "application/json", `{"apiVersion":"v1","kind":"ConfigMap"`, 400, "unexpected end of JSON input"},
	{"empty body", "POST", pods, "application/json", ``, 400, ""},
	{"no object", "POST", pods, "application/json", `[1,2]`, 400, ""},
	{"another kind", "POST", pods, "application/json", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"}}`, 400, ""},
	{"unknown kind", "POST", pods, "application/json", `{"apiVersion":"v1","kind":"Unicorn"}`, 400, ""},
	{"wrong type", "POST", pods, "application/json", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"a":1}}`, 400, "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"},
	{"unknown field", "POST", pods + "?fieldValidation=Strict", "application/json", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"dta":{}}`, 400, `strict decoding error: unknown field "dta"`},
	{"duplicate field", "POST", pods + "?fieldValidation=Strict", "application/json", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"a":"1","a":"2"}}`, 400, `duplicate field "data.a"`},
	{"cut YAML", "POST", pods, "application/yaml", "apiVersion: v1\nkind: [", 400, ""},
	{"alias bomb", "POST", pods, "application/yaml", aliasBomb(), 400, ""},
	{"nesting bomb", "POST", pods, "application/json", strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000), 400, ""},
	{"array bomb", "POST", pods, "application/json", strings.Repeat("[", 500_000), 400, ""},
	{"body over the limit", "POST", pods, "application/json", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"a":"` + strings.Repeat("x", 4<<20) + `"}}`, 413, "limit is 3145728"},
	{"unknown media type", "POST", pods, "text/plain", `hello`, 415, "the body of the request was in an unknown format"},
	{"unknown patch type", "PATCH", pods + "/a", "application/json", `{}`, 415, ""},
	{"name with dots", "GET", pods + "/..%2f..%2fsecrets", "", "", 0, ""},
	{"encoded slash", "GET", pods + "/a%2fb", "", "", 0, ""},
	{"dot segments", "GET", "/api/v1/namespaces/%2e%2e/configmaps", "", "", 0, ""},
	{"invalid name", "POST", pods, "application/json", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a/../b"}}`, 422, ""},
	{"unknown group", "GET", "/apis/nothing.example.com/v1/things", "", "", 404, "404 page not found"},
	{"bad label selector", "GET", pods + "?labelSelector=a%3D%3D%3Db", "", "", 400, "unable to parse requirement"},
	{"bad field selector", "GET", pods + "?fieldSelector=spec.unicorn%3D1", "", "", 400, `"spec.unicorn" is not a known field selector: only "metadata.name", "metadata.namespace"`},
	{"bad limit", "GET", pods + "?limit=x", "", "", 400, ""},
	{"bad continue token", "GET", pods + "?continue=AAAA", "", "", 400, "continue key is not valid"},
	{"bad resource version", "GET", pods + "?resourceVersion=x", "", "", 400, ""},
	{"future resource version", "GET", pods + "?resourceVersion=99999999&timeoutSeconds=1", "", "", 504, "Too large resource version"},
	{"resource version on create", "POST", pods, "application/json", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","resourceVersion":"5"}}`, 500, "resourceVersion should not be set on objects to be created"},
	{"another namespace", "POST", pods, "application/json", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"other"}}`, 400, "the namespace of the provided object does not match the namespace sent on the request"},
	{"replace of a collection", "PUT", pods, "application/json", `{}`, 405, ""},
	{"accept nothing we speak", "GET", pods, "accept:image/png", "", 406, "Available representations: application/json"},
}

// aliasBomb is a document of a few hundred bytes that stands for a billion scalars.
func aliasBomb() string {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nx0: &x0 [a,a,a,a,a,a,a,a,a]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "x%d: &x%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d,", i-1), 9), ","))
	}
	return b.String()
}

// TestBadRequests tries each attack as the administrator.
func TestBadRequests(t *testing.T) {
	s := harness.Start(t)
	client, err := rest.HTTPClientFor(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			code, body := send(t, client, s.Config.Host, a)
			if a.code != 0 && code != a.code || a.code == 0 && (code < 400 || code >= 500) {
				t.Errorf("got %d, want %d: %s", code, a.code, body)
			}
			var status struct{ Kind, Message string }
			if err := json.Unmarshal([]byte(body), &status); err == nil && status.Kind == "Status" {
				harness.Contains(t, status.Message, a.message)
			} else if a.code != 0 && a.message != "" {
				harness.Contains(t, body, a.message)
			}
			healthy(t, s, client)
		})
	}
}

func send(t *testing.T, client *http.Client, host string, a attack) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), a.method, host, strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	path, query, _ := strings.Cut(a.path, "?")
	request.URL.Opaque = "//" + strings.TrimPrefix(host, "https://") + path
	request.URL.RawQuery = query
	if accept, ok := strings.CutPrefix(a.contentType, "accept:"); ok {
		request.Header.Set("Accept", accept)
	} else if a.contentType != "" {
		request.Header.Set("Content-Type", a.contentType)
	}
	response, err := client.Do(request)
	if err != nil {
		// A body that is refused early may be cut off while it is still being sent.
		if a.code == 413 && strings.Contains(err.Error(), "closed") {
			return 413, a.message
		}
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

func healthy(t *testing.T, s *harness.Server, client *http.Client) {
	t.Helper()
	response, err := client.Get(s.Config.Host + "/livez")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the server does not live any more: %v\n%s", err, s.Log())
	}
	_ = response.Body.Close()
}

// TestStrangers tries credentials that must not open anything.
func TestStrangers(t *testing.T) {
	s := harness.Start(t)
	get := func(t *testing.T, client *http.Client, authorization string) (int, string) {
		t.Helper()
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Config.Host+pods, nil)
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	for _, c := range []struct {
		name, authorization string
		code                int
	}{
		{"nobody", "", 403},
		{"a made-up token", "Bearer abc", 401},
		{"a foreign token", "Bearer eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJodHRwczovL2t1YmVybmV0ZXMuZGVmYXVsdC5zdmMuY2x1c3Rlci5sb2NhbCIsInN1YiI6InN5c3RlbTpzZXJ2aWNlYWNjb3VudDpkZWZhdWx0OmRlZmF1bHQifQ.AAAA", 401},
		{"a token without a signature", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06YWRtaW4ifQ.", 401},
		{"basic", "Basic YWRtaW46YWRtaW4=", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			if code, body := get(t, s.HTTP(), c.authorization); code != c.code {
				t.Errorf("got %d, want %d: %s", code, c.code, body)
			}
		})
	}
	for name, template := range map[string]x509.Certificate{
		"a foreign certificate": {NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)},
		"an expired one":        {NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			client := s.HTTP()
			// As client-go does: Go shows a certificate of its own accord only to servers that name its authority.
			shown := selfSigned(t, template)
			client.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &shown, nil
			}
			if code, body := get(t, client, ""); code != http.StatusUnauthorized {
				t.Errorf("got %d, want 401: %s", code, body)
			}
		})
	}
}

func selfSigned(t *testing.T, template x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(1)
	template.Subject = pkix.Name{CommonName: "kubernetes-admin", Organization: []string{"system:masters"}}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestStalledHandshakes opens connections that say nothing; others are served meanwhile.
func TestStalledHandshakes(t *testing.T) {
	s := harness.Start(t)
	host, err := url.Parse(s.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	for range 64 {
		connection, err := net.Dial("tcp", host.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
	}
	client, err := rest.HTTPClientFor(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	healthy(t, s, client)
}
