// Package etcd swaps the real kube-apiserver and Gatehouse over one etcd: each reads what the other wrote and goes on writing.
package etcd

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"gatehouse.dev/conformance/corpus"
	"gatehouse.dev/conformance/harness"
	"gatehouse.dev/conformance/peer"
)

// lowestKinds is how many kinds were compared once; it only grows.
const lowestKinds = 56

// bed is an etcd and the programs that take turns on it.
type bed struct {
	t         *testing.T
	apiserver string
	store     string
	flags     []string
}

// built are the two programs, made once for all tests.
type built struct{ apiserver, etcd string }

var build = sync.OnceValues(func() (built, error) {
	_, file, _, _ := runtime.Caller(0)
	module := filepath.Dir(filepath.Dir(file))
	apiserver, etcd, err := peer.Build(context.Background(), module, filepath.Join(filepath.Dir(module), ".build"))
	return built{apiserver, etcd}, err
})

// programs are the real kube-apiserver and etcd.
func programs(t *testing.T) built {
	t.Helper()
	made, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func newBed(t *testing.T) *bed {
	t.Helper()
	made := programs(t)
	store, err := peer.StartEtcd(t.Context(), made.etcd, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Stop)
	tokens := filepath.Join(t.TempDir(), "tokens.csv")
	if err := os.WriteFile(tokens, []byte(corpus.Tokens), 0o600); err != nil {
		t.Fatal(err)
	}
	return &bed{t: t, apiserver: made.apiserver, store: store.URL, flags: []string{"--token-auth-file", tokens}}
}

// server is one of the two, as an administrator sees it.
type server struct {
	t      *testing.T
	name   string
	client rest.Interface
	typed  *kubernetes.Clientset
	stop   func()
}

func (b *bed) kubeAPIServer() *server {
	b.t.Helper()
	real, err := peer.StartOn(b.t.Context(), b.apiserver, b.store, b.t.TempDir(), b.flags...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(real.Stop)
	config := rest.AnonymousClientConfig(real.Config)
	config.BearerToken = "admin-token"
	return b.server("kube-apiserver", config, real.Stop)
}

func (b *bed) gatehouse(flags ...string) *server {
	b.t.Helper()
	own := slices.Concat([]string{"--etcd-servers", b.store}, peer.Alike, b.flags, flags)
	s := harness.Start(b.t, own...)
	return b.server("Gatehouse", s.Config, s.Kill)
}

func (b *bed) server(name string, config *rest.Config, stop func()) *server {
	b.t.Helper()
	config = rest.CopyConfig(config)
	config.QPS, config.Burst, config.WarningHandler = -1, 0, rest.NoWarnings{}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		b.t.Fatal(err)
	}
	return &server{t: b.t, name: name, client: client.RESTClient(), typed: client, stop: stop}
}

// do sends a request and gives the answer's code and body.
func (s *server) do(method, path string, body any) (int, []byte) {
	s.t.Helper()
	code := 0
	request := s.client.Verb(method).AbsPath(path).SetHeader("Accept", "application/json")
	if method == http.MethodPatch {
		request = s.client.Patch(types.MergePatchType).AbsPath(path).SetHeader("Accept", "application/json")
	}
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		request = request.Body(text)
		if method == http.MethodPost {
			request = request.SetHeader("Content-Type", "application/json")
		}
	}
	answer := request.Do(context.WithoutCancel(s.t.Context()))
	answer.StatusCode(&code)
	raw, _ := answer.Raw()
	return code, raw
}

// ok sends a request that must succeed.
func (s *server) ok(method, path string, body any) []byte {
	s.t.Helper()
	code, raw := s.do(method, path, body)
	if code < 200 || code > 299 {
		s.t.Errorf("%s: %s %s: %d %s", s.name, method, path, code, raw)
	}
	return raw
}

// definition is the kind of what custom makes; the others are named by the corpus.
const definition = "definition"

// object is something that was made, and what was read of it last.
type object struct {
	corpus.Bare
	read []byte
}

// prepare makes a namespace with what pods need.
func (s *server) prepare(namespace string) {
	s.t.Helper()
	s.ok(http.MethodPost, "/api/v1/namespaces", map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}})
	s.ok(http.MethodPost, "/api/v1/namespaces/"+namespace+"/serviceaccounts", map[string]any{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "default"}})
}

// make posts an object of every kind. What Gatehouse does not serve yet is left out; its gaps say so.
func (s *server) make(namespace string) []*object {
	s.t.Helper()
	bares, err := corpus.Bares(namespace)
	if err != nil {
		s.t.Fatal(err)
	}
	s.prepare(namespace)
	var made []*object
	for _, bare := range bares {
		code, raw := s.do(http.MethodPost, bare.Path, bare.Object)
		switch {
		case code == http.StatusCreated:
			made = append(made, &object{Bare: bare})
		case unserved(code, raw), code == http.StatusConflict && !strings.Contains(bare.Name, namespace):
			s.t.Logf("%s: no %s: %s", s.name, bare.Kind, raw)
		default:
			s.t.Errorf("%s: POST %s: %d %s", s.name, bare.Path, code, raw)
		}
	}
	for _, o := range made {
		s.see(o)
	}
	return made
}

// unserved says whether Gatehouse refuses to write what has no effect there yet.
func unserved(code int, raw []byte) bool {
	return code == http.StatusMethodNotAllowed && bytes.Contains(raw, []byte("is not supported by this server yet"))
}

func (o *object) at() string { return o.Path + "/" + o.Name }

// compare reads everything again, which must be to the byte what the other server showed.
func (s *server) compare(objects []*object) {
	s.t.Helper()
	for _, o := range objects {
		if got := s.ok(http.MethodGet, o.at(), nil); !bytes.Equal(got, o.read) {
			s.t.Errorf("%s reads another %s than was shown before:\n%s\n%s", s.name, o.Kind, got, o.read)
		}
	}
}

// change patches everything and keeps what it has become.
func (s *server) change(objects []*object, mark string) {
	s.t.Helper()
	for _, o := range objects {
		if code, raw := s.do(http.MethodPatch, o.at(), o.Change); unserved(code, raw) {
			s.t.Logf("%s: no change of %s: %s", s.name, o.Kind, raw)
			continue
		} else if code != http.StatusOK {
			s.t.Errorf("%s: PATCH %s: %d %s", s.name, o.at(), code, raw)
		}
		s.ok(http.MethodPatch, o.at(), map[string]any{"metadata": map[string]any{"labels": map[string]any{"changed-by": mark}}})
		s.see(o)
	}
}

// see keeps what an object is, once the server's own controllers have written what they have to say about it.
func (s *server) see(o *object) {
	s.t.Helper()
	harness.Eventually(s.t, "the status of "+o.at()+" at "+s.name, func() bool {
		o.read = s.ok(http.MethodGet, o.at(), nil)
		return o.Kind != definition || established(s.t, o.read)
	})
}

// established says whether a definition is served under the names that it asks for.
func established(t *testing.T, raw []byte) bool {
	t.Helper()
	var d struct {
		Spec   struct{ Names any }
		Status struct {
			AcceptedNames any
			Conditions    []struct{ Type, Status string }
		}
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(d.Spec.Names, d.Status.AcceptedNames) && len(d.Status.Conditions) == 2 && d.Status.Conditions[1].Status == "True"
}

func (s *server) remove(objects []*object) {
	s.t.Helper()
	for _, o := range objects {
		s.ok(http.MethodDelete, o.at(), map[string]any{"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "propagationPolicy": "Background"})
	}
}

// TestSwappedOverOneEtcd lets kube-apiserver, Gatehouse, kube-apiserver and Gatehouse go on where the one before left off, with
// an object of every kind from each side and a custom resource.
func TestSwappedOverOneEtcd(t *testing.T) {
	b := newBed(t)

	real := b.kubeAPIServer()
	theirs := real.make("swap-theirs")
	if len(theirs) < lowestKinds {
		t.Errorf("kube-apiserver made objects of %d kinds, %d once", len(theirs), lowestKinds)
	}
	theirs = append(theirs, real.custom("theirs")...)
	real.stop()

	gatehouse := b.gatehouse()
	gatehouse.compare(theirs)
	gatehouse.change(theirs, "gatehouse")
	ours := gatehouse.make("swap-ours")
	ours = append(ours, gatehouse.custom("ours")...)
	all := append(append([]*object{}, theirs...), ours...)
	gatehouse.stop()

	real = b.kubeAPIServer()
	real.compare(all)
	real.change(all, "kube-apiserver")
	real.stop()

	gatehouse = b.gatehouse()
	gatehouse.compare(all)
	gatehouse.remove(all)
	for _, o := range all {
		// What has finalizers waits for whoever set them.
		if code, raw := gatehouse.do(http.MethodGet, o.at(), nil); code != http.StatusNotFound && !bytes.Contains(raw, []byte(`"deletionTimestamp"`)) {
			t.Errorf("%s is still there: %d %s", o.at(), code, raw)
		}
	}
}

// custom makes a definition of two versions and an object of it.
func (s *server) custom(name string) []*object {
	s.t.Helper()
	const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
	group := name + ".example.com"
	schema := map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "properties": map[string]any{
		"spec": map[string]any{"type": "object", "properties": map[string]any{"size": map[string]any{"type": "integer", "default": 3}, "text": map[string]any{"type": "string"}}},
	}}}
	column := []any{map[string]any{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}}
	version := func(version string, storage bool) map[string]any {
		return map[string]any{"name": version, "served": true, "storage": storage, "schema": schema, "additionalPrinterColumns": column,
			"subresources": map[string]any{"status": map[string]any{}}, "selectableFields": []any{map[string]any{"jsonPath": ".spec.text"}}}
	}
	widgets := corpus.Bare{Kind: definition, Path: definitions, Name: "widgets." + group, Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "widgets." + group},
		"spec": map[string]any{"group": group, "scope": "Namespaced", "names": map[string]any{"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
			"versions": []any{version("v1", true), version("v1beta1", false)}},
	}, Change: map[string]any{"spec": map[string]any{"names": map[string]any{"shortNames": []any{"wg"}}}}}
	s.ok(http.MethodPost, definitions, widgets.Object)
	widget := corpus.Bare{Kind: "widget", Path: "/apis/" + group + "/v1/namespaces/default/widgets", Name: "a", Object: map[string]any{
		"apiVersion": group + "/v1", "kind": "Widget", "metadata": map[string]any{"name": "a"}, "spec": map[string]any{"text": "<&>", "size": 7},
	}, Change: map[string]any{"spec": map[string]any{"size": 8}}}
	harness.Eventually(s.t, "a definition served by "+s.name, func() bool {
		code, _ := s.do(http.MethodPost, widget.Path, widget.Object)
		return code == http.StatusCreated
	})
	made := []*object{{Bare: widget}, {Bare: widgets}}
	for _, o := range made {
		s.see(o)
	}
	return made
}
