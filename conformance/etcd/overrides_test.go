package etcd

import (
	"net/http"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
	"gatehouse.dev/conformance/peer"
)

// TestAClusterOfItsOwnFailsAlone puts events on an etcd of their own, under each server, and ends that one: all else goes on, and
// what is answered about events and about the server's health is what kube-apiserver answers.
func TestAClusterOfItsOwnFailsAlone(t *testing.T) {
	t.Parallel()
	const core = "/api/v1/namespaces/default/"
	type side struct {
		*server
		own *peer.Etcd
	}
	var sides []side
	for n := range 2 {
		own, err := peer.StartEtcd(t.Context(), programs(t).etcd, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(own.Stop)
		b := newBed(t)
		b.flags = append(b.flags, "--etcd-servers-overrides=/events#"+own.URL)
		s := side{own: own}
		if n == 0 {
			s.server = b.kubeAPIServer()
		} else {
			s.server = b.gatehouse()
		}
		sides = append(sides, s)
	}
	event := func(name string) any {
		return map[string]any{"apiVersion": "v1", "kind": "Event", "metadata": map[string]any{"name": name}, "involvedObject": map[string]any{"namespace": "default"}}
	}
	for _, s := range sides {
		s.ok(http.MethodPost, core+"events", event("before"))
		s.ok(http.MethodGet, "/healthz/etcd-override-0", nil)
		s.own.Stop()
		harness.Eventually(t, s.name+" to miss the cluster", func() bool {
			code, _ := s.once(question{http.MethodGet, "/healthz/etcd-override-0", nil})
			return code == http.StatusInternalServerError
		})
	}
	for _, q := range []question{
		{http.MethodPost, core + "configmaps", map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "c"}}},
		{http.MethodGet, core + "configmaps/c", nil},
		{http.MethodGet, core + "configmaps", nil},
		{http.MethodGet, "/healthz/etcd", nil},
		{http.MethodGet, "/healthz/etcd-override-0", nil},
		{http.MethodGet, "/readyz/etcd-override-readiness-0", nil},
		{http.MethodGet, "/readyz/etcd-readiness", nil},
		{http.MethodGet, "/healthz/etcd-override-1", nil},
	} {
		var answers []string
		var codes []int
		for _, s := range sides {
			code, raw := s.once(q)
			answers, codes = append(answers, strings.ReplaceAll(steady(raw), s.own.URL, "URL")), append(codes, code)
		}
		if codes[0] != codes[1] || answers[0] != answers[1] {
			t.Errorf("%s %s:\nkube-apiserver says %d %s\nGatehouse says      %d %s", q.method, q.path, codes[0], answers[0], codes[1], answers[1])
		}
	} // kube-apiserver waits a minute before it says the same.
	code, raw := sides[1].once(question{http.MethodPost, core + "events", event("after")})
	if code != http.StatusGatewayTimeout {
		t.Errorf("a write to a cluster that is away answers %d %s", code, raw)
	}
	harness.Contains(t, string(raw), `"message":"Timeout: request did not complete within requested timeout - context deadline exceeded","reason":"Timeout","details":{},"code":504`)
}
