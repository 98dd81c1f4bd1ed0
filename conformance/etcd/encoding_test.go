package etcd

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestAReplaceThatChangesNothingWritesTheStorageForm lets a ConfigMap lie in etcd as JSON, as a server with another
// --storage-media-type would have left it: a replace with what was read writes it anew in each server's own form, once.
func TestAReplaceThatChangesNothingWritesTheStorageForm(t *testing.T) {
	const path, key = "/api/v1/namespaces/default/configmaps/c", "/registry/configmaps/default/c"
	b := newBed(t)
	store, err := clientv3.New(clientv3.Config{Endpoints: []string{b.store}, DialTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	foreign := `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"c","namespace":"default","uid":"bd2eb0a4-0f2c-4b7f-9d0c-3d7e7c3a8f10","creationTimestamp":"2026-01-02T03:04:05Z"},"data":{"a":"b"}}` + "\n"
	for _, start := range []func() *server{b.kubeAPIServer, func() *server { return b.gatehouse() }} {
		s := start()
		if _, err := store.Put(t.Context(), key, foreign); err != nil {
			t.Fatal(err)
		}
		read := s.ok(http.MethodGet, path, nil)
		written := s.ok(http.MethodPut, path, json.RawMessage(read))
		if bytes.Equal(written, read) {
			t.Errorf("%s left it as it was", s.name)
		}
		same(t, written, read)
		if again := s.ok(http.MethodPut, path, json.RawMessage(written)); !bytes.Equal(again, written) {
			t.Errorf("%s wrote what was in its form: %s, then %s", s.name, written, again)
		}
		answer, err := store.Get(t.Context(), key)
		if err != nil || len(answer.Kvs) != 1 || !bytes.HasPrefix(answer.Kvs[0].Value, []byte("k8s\x00")) {
			t.Errorf("after %s it lies in etcd as %v, %v", s.name, answer, err)
		}
		s.stop()
	}
}
