package etcd

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"gatehouse.dev/conformance/harness"
)

// TestEmbeddedEngineEncrypts keeps a Secret on the embedded engine: its log holds nothing of it in the clear, its keys rotate,
// and a replace that changes nothing writes it anew only while the key that it lies under is not the first.
func TestEmbeddedEngineEncrypts(t *testing.T) {
	const path = "/api/v1/namespaces/default/secrets"
	folder := t.TempDir()
	file := filepath.Join(t.TempDir(), "encryption.yaml")
	serve := func(provider string) *server {
		if err := os.WriteFile(file, []byte(encrypted(provider)), 0o600); err != nil {
			t.Fatal(err)
		}
		s := harness.StartIn(t, folder, "--controllers=-*", "--encryption-provider-config", file)
		return (&bed{t: t}).server(provider, s.Config, s.Stop)
	}
	stored := func() []byte {
		raw, err := os.ReadFile(filepath.Join(folder, "store", "journal", "0000000001.log"))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	first := serve("aescbc")
	body := map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "s"}, "stringData": map[string]any{"word": "in-the-clear"}}
	made := first.ok(http.MethodPost, path, body)
	if again := first.ok(http.MethodPut, path+"/s", json.RawMessage(made)); !bytes.Equal(again, made) {
		t.Errorf("a replace that changes nothing wrote: %s, then %s", made, again)
	}
	first.stop()
	if raw := stored(); bytes.Contains(raw, []byte("aW4tdGhlLWNsZWFy")) || !bytes.Contains(raw, []byte("k8s:enc:aescbc:v1:k:")) {
		t.Error("the Secret lies in the clear")
	}
	second := serve("secretbox")
	if got := second.ok(http.MethodGet, path+"/s", nil); !bytes.Equal(got, made) {
		t.Errorf("another key first reads %s, not %s", got, made)
	}
	again := second.ok(http.MethodPut, path+"/s", json.RawMessage(made))
	same(t, again, made)
	if bytes.Equal(again, made) {
		t.Error("what lay under an old key was not written anew")
	}
	if third := second.ok(http.MethodPut, path+"/s", json.RawMessage(again)); !bytes.Equal(third, again) {
		t.Errorf("a replace that changes nothing wrote: %s, then %s", again, third)
	}
	second.stop()
	if !bytes.Contains(stored(), []byte("k8s:enc:secretbox:v1:k:")) {
		t.Error("nothing was written with the new key")
	}
}
