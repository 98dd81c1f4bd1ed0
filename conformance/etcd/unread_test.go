package etcd

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"gatehouse.dev/conformance/harness"
)

// unread are what etcd holds that nobody can read: a Secret under a key that is not configured, and a ConfigMap that is none.
var unread = map[string]string{
	"/registry/secrets/default/bad":    "k8s:enc:aescbc:v1:gone:0123456789abcdef0123456789abcdef",
	"/registry/configmaps/default/bad": "no object at all",
}

// question is a request.
type question struct {
	method, path string
	body         any
}

// TestWhatCannotBeReadIsToldAlike lets objects that nobody can read appear under running servers, each on an etcd of its own, and
// compares what kube-apiserver and Gatehouse answer about them, about others of their kind, and how they are got rid of.
func TestWhatCannotBeReadIsToldAlike(t *testing.T) {
	t.Parallel()
	const core = "/api/v1/namespaces/default/"
	file := filepath.Join(t.TempDir(), "encryption.yaml")
	if err := os.WriteFile(file, []byte(encrypted("aescbc")), 0o600); err != nil {
		t.Fatal(err)
	}
	theirs, ours := newBed(t), newBed(t)
	theirs.flags = append(theirs.flags, "--encryption-provider-config", file)
	sides := []struct {
		bed *bed
		*server
	}{{theirs, theirs.kubeAPIServer()}, {ours, ours.gatehouse("--encryption-provider-config", file)}}
	kinds := []struct{ kind, plural string }{{"Secret", "secrets"}, {"ConfigMap", "configmaps"}}
	object := func(kind, name string) any {
		return map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name}}
	}
	for _, side := range sides {
		for _, of := range kinds {
			side.ok(http.MethodPost, core+of.plural, object(of.kind, "sound"))
		}
		side.spoil(side.bed.store)
	}
	var questions []question
	for _, of := range kinds {
		kind, plural, at := of.kind, of.plural, core+of.plural
		label := map[string]any{"metadata": map[string]any{"labels": map[string]any{"a": "b"}}}
		questions = append(questions,
			question{http.MethodGet, at + "/bad", nil},
			question{http.MethodGet, at + "/bad?resourceVersion=0", nil},
			question{http.MethodGet, at + "/sound", nil},
			question{http.MethodGet, at + "?limit=500", nil},
			question{http.MethodGet, at + "?limit=500&labelSelector=a", nil},
			question{http.MethodGet, at, nil},
			question{http.MethodGet, "/api/v1/" + plural + "?limit=500", nil},
			question{http.MethodGet, "/api/v1/namespaces/kube-public/" + plural + "?limit=500", nil},
			question{http.MethodGet, "/api/v1/namespaces/kube-public/" + plural, nil},
			question{http.MethodGet, at + "?watch=1", nil},
			question{http.MethodPost, at, object(kind, "bad")},
			question{http.MethodPut, at + "/bad", object(kind, "bad")},
			question{http.MethodPatch, at + "/bad", label},
			question{http.MethodPatch, at + "/sound", label},
			question{http.MethodDelete, at + "/bad", nil},
			question{http.MethodDelete, at, nil},
			question{http.MethodDelete, at + "/sound", unsafely()},
			question{http.MethodDelete, at + "/none", unsafely()},
			question{http.MethodDelete, at + "/bad?dryRun=All", unsafely("All")},
			question{http.MethodDelete, at + "/bad", unsafely()},
			question{http.MethodGet, at + "/bad", nil},
		)
	}
	for _, q := range questions {
		var answers []string
		var codes []int
		for _, side := range sides {
			code, raw := side.once(q)
			answers, codes = append(answers, steady(raw)), append(codes, code)
		}
		if codes[0] != codes[1] || answers[0] != answers[1] {
			t.Errorf("%s %s:\nkube-apiserver says %d %s\nGatehouse says      %d %s", q.method, q.path, codes[0], answers[0], codes[1], answers[1])
		}
	}
	for _, side := range sides {
		for _, of := range kinds {
			harness.Eventually(t, "a list of what can be read by "+side.name, func() bool {
				code, _ := side.once(question{http.MethodGet, core + of.plural, nil})
				return code == http.StatusOK
			})
		}
	}
}

func unsafely(dryRun ...string) any {
	return map[string]any{"apiVersion": "v1", "kind": "DeleteOptions", "ignoreStoreReadErrorWithClusterBreakingPotential": true, "dryRun": dryRun}
}

// spoil writes to etcd what cannot be read and waits until the server has noticed.
func (s *server) spoil(store string) {
	s.t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{store}, DialTimeout: time.Minute})
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	for key, value := range unread {
		if _, err := client.Put(s.t.Context(), key, value); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, plural := range []string{"secrets", "configmaps"} {
		harness.Eventually(s.t, s.name+" to notice what it cannot read", func() bool {
			code, _ := s.once(question{http.MethodGet, "/api/v1/" + plural, nil})
			return code == http.StatusTooManyRequests
		})
	}
}

// once asks without trying again.
func (s *server) once(q question) (int, []byte) {
	s.t.Helper()
	code := 0
	request := s.client.Verb(q.method).RequestURI(q.path).SetHeader("Accept", "application/json").MaxRetries(0)
	if q.method == http.MethodPatch {
		request = request.SetHeader("Content-Type", "application/merge-patch+json")
	} else if q.body != nil {
		request = request.SetHeader("Content-Type", "application/json")
	}
	if q.body != nil {
		text, err := json.Marshal(q.body)
		if err != nil {
			s.t.Fatal(err)
		}
		request = request.Body(text)
	}
	answer := request.Do(s.t.Context())
	answer.StatusCode(&code)
	raw, _ := answer.Raw()
	return code, raw
}

var passing = regexp.MustCompile(`"(uid|resourceVersion|creationTimestamp|time)":"[^"]*"|revision=\d+(: illegal base64 data at input byte 2|: expected ident at line 1 column 2)?|"retryAfterSeconds":\d+|\(re\)initializing: [^"]*`)

// steady is an answer without what differs by nature, and without what each parser says of bytes that are no object. That a cache
// is being filled kube-apiserver says with the reason only from the second attempt on.
func steady(raw []byte) string {
	return strings.ReplaceAll(passing.ReplaceAllString(string(raw), "*"), "(re)initializing", "*")
}
