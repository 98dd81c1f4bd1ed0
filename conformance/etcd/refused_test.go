package etcd

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

// unfit are configurations of encryption that must not start a server: it would write in the clear, or not what was meant.
var unfit = map[string]string{
	"nothing":               "",
	"no resources":          "resources: []",
	"another kind":          "kind: EncryptionConfigurations",
	"another version":       "apiVersion: apiserver.config.k8s.io/v1beta1",
	"keys empty":            "resources: [{resources: [secrets], providers: [{aescbc: {keys: []}}, {identity: {}}]}]",
	"keys null":             "resources: [{resources: [secrets], providers: [{aesgcm: {keys: }}, {identity: {}}]}]",
	"keys misspelt":         "resources: [{resources: [secrets], providers: [{aescbc: {key: []}}, {identity: {}}]}]",
	"resource misspelt":     "resources: [{resource: [secrets], providers: [{identity: {}}]}]",
	"provider misspelt":     "resources: [{resources: [secrets], providers: [{rot13: {}}, {identity: {}}]}]",
	"provider empty":        "resources: [{resources: [secrets], providers: [{}, {identity: null}]}]",
	"field of a plugin":     "resources: [{resources: [secrets], providers: [{kms: {apiVersion: v2, name: p, endpoint: 'unix:///a', pandas: some}}]}]",
	"field twice":           "resources: [{resources: [secrets], resources: [pods], providers: [{identity: {}}]}]",
	"keys no list":          "resources: [{resources: [secrets], providers: [{aescbc: {keys: a}}]}]",
	"resources of no entry": "resources: [{resources: [], providers: [{identity: {}}]}]",
	"no providers":          "resources: [{resources: [secrets], providers: []}]",
	"key without name":      "resources: [{resources: [secrets], providers: [{secretbox: {keys: [{secret: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}]}}]}]",
	"key of no length":      "resources: [{resources: [secrets], providers: [{secretbox: {keys: [{name: a, secret: cGFzc3dvcmQK}]}}, {aescbc: {keys: [{name: a, secret: '%'}]}}]}]",
	"a resource twice":      "resources: [{resources: [secrets, secrets], providers: [{identity: {}}]}]",
	"overlap":               "resources: [{resources: [secrets, '*.'], providers: [{identity: {}}]}]",
	"names":                 "resources: [{resources: ['*', Secrets, events.events.k8s.io, a.extensions, 'foos.*', apiserveripinfo], providers: [{identity: {}}]}]",
	"masked":                "resources: [{resources: ['*.'], providers: [{identity: {}}]}, {resources: [secrets], providers: [{identity: {}}]}]",
	"plugins":               "resources: [{resources: [secrets], providers: [{kms: {apiVersion: v2, name: 'a:b', endpoint: 'http://a', cachesize: 3, timeout: -1s}}, {kms: {apiVersion: v3}}]}]",
	"plugins of one name":   "resources: [{resources: [secrets], providers: [{kms: {apiVersion: v2, name: a, endpoint: 'unix:///a'}}, {kms: {apiVersion: v2, name: a, endpoint: 'unix:///b'}}]}]",
	"timeout":               "resources: [{resources: [secrets], providers: [{kms: {apiVersion: v2, name: a, endpoint: 'unix:///a', timeout: 3}}]}]",
	"timeout without unit":  "resources: [{resources: [secrets], providers: [{kms: {apiVersion: v2, name: a, endpoint: 'unix:///a', timeout: '3'}}]}]",
	"the first version":     "resources: [{resources: [secrets], providers: [{kms: {name: a, endpoint: 'unix:///a'}}]}]",
	"no YAML":               "resources: [",
}

// registered is what of upstream's message names its own program.
var registered = regexp.MustCompile(` in scheme \\?"[^"]*"`)

// TestConfigurationsAreRefusedAlike gives both servers configurations that neither may start with, and compares what they say.
func TestConfigurationsAreRefusedAlike(t *testing.T) {
	apiserver, dir := programs(t).apiserver, t.TempDir()
	file, key := filepath.Join(dir, "encryption.yaml"), filepath.Join(dir, "accounts.key")
	accounts, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signing := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(accounts)})
	if err := os.WriteFile(key, signing, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, text := range unfit {
		for _, head := range []string{"kind: EncryptionConfiguration\n", "apiVersion: apiserver.config.k8s.io/v1\n"} {
			if field, _, _ := strings.Cut(head, " "); name != "nothing" && !strings.HasPrefix(text, field) {
				text = head + text
			}
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		// It reads the file before it looks for a store.
		want := fault(t, apiserver, "--etcd-servers", "http://127.0.0.1:1", "--service-account-issuer", "https://accounts.test",
			"--service-account-key-file", key, "--service-account-signing-key-file", key, "--cert-dir", dir,
			"--service-cluster-ip-range", "10.0.0.0/24", "--encryption-provider-config", file)
		got := fault(t, harness.Gatehouse(t), "serve", "--data-dir", filepath.Join(dir, "data"), "--secure-port", "0",
			"--encryption-provider-config", file)
		if got != want {
			t.Errorf("%s:\nkube-apiserver: %s\nGatehouse:      %s", name, want, got)
		}
	}
}

// fault starts a program that ends at once, and gives what it says of the file.
func fault(t *testing.T, program string, args ...string) string {
	t.Helper()
	said, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err == nil {
		t.Fatalf("%s takes the file", program)
	}
	_, told, _ := bytes.Cut(said, []byte("error while "))
	told, _, _ = bytes.Cut(told, []byte("\n"))
	text := string(told)
	if inner, found := strings.CutSuffix(text, `"`); found && filepath.Base(program) == "kube-apiserver" {
		if unquoted, err := strconv.Unquote(`"` + inner + `"`); err == nil {
			text = unquoted
		}
	}
	return registered.ReplaceAllString(text, "")
}
