package etcd

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	kms "k8s.io/kms/pkg/service"

	"gatehouse.dev/conformance/harness"
)

// encrypted is a configuration that writes Secrets with one provider and reads those of all.
func encrypted(first string) string {
	const secret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	text := "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers:\n"
	kinds := []string{first}
	for _, kind := range []string{"aescbc", "aesgcm", "secretbox"} {
		if kind != first {
			kinds = append(kinds, kind)
		}
	}
	for _, kind := range kinds {
		text += fmt.Sprintf("  - %s: {keys: [{name: k, secret: %s}]}\n", kind, secret)
	}
	return text + "  - identity: {}\n"
}

// TestSecretsAreEncryptedAlike writes a Secret with each provider on each side; the other side reads it, and etcd holds none in
// the clear.
func TestSecretsAreEncryptedAlike(t *testing.T) {
	b := newBed(t)
	const path = "/api/v1/namespaces/default/secrets"
	providers := []string{"aescbc", "aesgcm", "secretbox"}
	file := func(name, provider string) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(encrypted(provider)), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	made := map[string][]byte{}
	write := func(s *server, name string) {
		body := map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name}, "stringData": map[string]any{"word": "in-the-clear"}}
		made[name] = s.ok(http.MethodPost, path, body)
	}
	compare := func(s *server) {
		for name, want := range made {
			if got := s.ok(http.MethodGet, path+"/"+name, nil); !bytes.Equal(got, want) {
				t.Errorf("%s reads another %s:\n%s\n%s", s.name, name, got, want)
			}
		}
	}
	for _, provider := range providers {
		gatehouse := b.gatehouse("--encryption-provider-config", file("ours", provider))
		compare(gatehouse)
		write(gatehouse, "ours-"+provider)
		gatehouse.stop()
	}
	real := (&bed{t: t, apiserver: b.apiserver, store: b.store, flags: append(b.flags, "--encryption-provider-config", file("theirs", "aesgcm"))}).kubeAPIServer()
	compare(real)
	write(real, "theirs-aesgcm")
	real.stop()
	gatehouse := b.gatehouse("--encryption-provider-config", file("ours", "secretbox"))
	compare(gatehouse)

	client, err := clientv3.New(clientv3.Config{Endpoints: []string{b.store}, DialTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for name := range made {
		provider := name[strings.Index(name, "-")+1:]
		answer, err := client.Get(context.Background(), "/registry/secrets/default/"+name)
		if err != nil || len(answer.Kvs) != 1 {
			t.Fatalf("%s is not in etcd: %v", name, err)
		}
		value := answer.Kvs[0].Value
		if !bytes.HasPrefix(value, []byte("k8s:enc:"+provider+":v1:k:")) || bytes.Contains(value, []byte("in-the-clear")) {
			t.Errorf("%s lies in etcd as %q", name, value)
		}
	}
}

// plugin is a KMS plugin that hides nothing from whoever reads this.
type plugin struct{}

func (plugin) Encrypt(_ context.Context, _ string, data []byte) (*kms.EncryptResponse, error) {
	return &kms.EncryptResponse{Ciphertext: turned(data), KeyID: "key-1", Annotations: map[string][]byte{"note.example.com": []byte("n")}}, nil
}

func (plugin) Decrypt(_ context.Context, _ string, request *kms.DecryptRequest) ([]byte, error) {
	if request.KeyID != "key-1" || string(request.Annotations["note.example.com"]) != "n" {
		return nil, fmt.Errorf("key %q with %v is not known", request.KeyID, request.Annotations)
	}
	return turned(request.Ciphertext), nil
}

func (plugin) Status(context.Context) (*kms.StatusResponse, error) {
	return &kms.StatusResponse{Version: "v2", Healthz: "ok", KeyID: "key-1"}, nil
}

func turned(data []byte) []byte {
	made := bytes.Clone(data)
	for i := range made {
		made[i] ^= 0x55
	}
	return made
}

// TestKMSPluginIsAskedAlike lets both write a Secret with keys that one plugin encrypts, and read each other's.
func TestKMSPluginIsAskedAlike(t *testing.T) {
	b := newBed(t)
	socket := filepath.Join(t.TempDir(), "kms")
	service := kms.NewGRPCService(socket, time.Minute, plugin{})
	go func() { _ = service.ListenAndServe() }()
	t.Cleanup(service.Shutdown)
	file := filepath.Join(t.TempDir(), "encryption.yaml")
	text := "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers:\n" +
		"  - kms: {apiVersion: v2, name: p, timeout: 60s, endpoint: \"unix://" + socket + "\"}\n  - identity: {}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	const path = "/api/v1/namespaces/default/secrets"
	secret := func(name string) map[string]any {
		return map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name}, "stringData": map[string]any{"word": name}}
	}
	gatehouse := b.gatehouse("--encryption-provider-config", file)
	ours := gatehouse.ok(http.MethodPost, path, secret("ours"))
	gatehouse.stop()
	real := (&bed{t: t, apiserver: b.apiserver, store: b.store, flags: append(b.flags, "--encryption-provider-config", file)}).kubeAPIServer()
	same(t, real.ok(http.MethodGet, path+"/ours", nil), ours)
	theirs := real.ok(http.MethodPost, path, secret("theirs"))
	real.stop()
	gatehouse = b.gatehouse("--encryption-provider-config", file)
	same(t, gatehouse.ok(http.MethodGet, path+"/theirs", nil), theirs)
}

// moody is a plugin that says of itself what it is told to.
type moody struct {
	plugin
	healthz atomic.Value
}

func (m *moody) Status(context.Context) (*kms.StatusResponse, error) {
	return &kms.StatusResponse{Version: "v2", Healthz: m.healthz.Load().(string), KeyID: "key-1"}, nil
}

// TestKMSPluginsAreCheckedAlike asks both how a plugin is while it is well, ill and away, by every way that there is.
func TestKMSPluginsAreCheckedAlike(t *testing.T) {
	t.Parallel()
	ours, theirs := newBed(t), newBed(t)
	socket := filepath.Join(t.TempDir(), "kms")
	one := &moody{}
	one.healthz.Store("ok")
	service := kms.NewGRPCService(socket, time.Minute, one)
	go func() { _ = service.ListenAndServe() }()
	away := sync.OnceFunc(service.Shutdown)
	t.Cleanup(away)
	file := filepath.Join(t.TempDir(), "encryption.yaml")
	text := "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers:\n" +
		"  - kms: {apiVersion: v2, name: p, timeout: 1s, endpoint: \"unix://" + socket + "\"}\n  - identity: {}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	theirs.flags = append(theirs.flags, "--encryption-provider-config", file)
	real, gatehouse := theirs.kubeAPIServer(), ours.gatehouse("--encryption-provider-config", file)
	const check, section = "/healthz/kms-providers", "failed to perform status section of the healthz check for KMS Provider p, error: "
	for _, mood := range []struct {
		name string
		make func()
	}{{"well", func() {}}, {"ill", func() { one.healthz.Store("out of sorts") }}, {"away", away}} {
		mood.make()
		want := 200
		if mood.name != "well" {
			want = 500
		}
		for _, s := range []*server{real, gatehouse} {
			harness.Eventually(t, s.name+" to find the plugin "+mood.name, func() bool {
				code, raw := s.do(http.MethodGet, check, nil)
				return code == want && (mood.name != "away" || bytes.Contains(raw, []byte("DeadlineExceeded")))
			})
		}
		for _, path := range []string{check, "/readyz/kms-providers", "/livez/kms-providers", "/healthz/kms-provider-0"} {
			code, raw := real.do(http.MethodGet, path, nil)
			// What kube-apiserver remembers of its last question it tells without saying which that was, and why there is no
			// connection depends on the moment.
			bare := func(raw []byte) string {
				told, _, _ := strings.Cut(strings.ReplaceAll(string(raw), section, ""), "DeadlineExceeded desc = ")
				return told
			}
			if ours, told := gatehouse.do(http.MethodGet, path, nil); ours != code || bare(told) != bare(raw) {
				t.Errorf("%s of a plugin that is %s:\nkube-apiserver says %d %s\nGatehouse says      %d %s", path, mood.name, code, raw, ours, told)
			}
		}
	}
}

// TestSnapshotsGoBetweenEngines saves a running server with the embedded engine, looks into the file, restores it into etcd and
// back into a directory; nothing is lost on the way.
func TestSnapshotsGoBetweenEngines(t *testing.T) {
	b := newBed(t)
	run := func(args ...string) string {
		t.Helper()
		output, err := exec.Command(harness.Gatehouse(t), append([]string{"snapshot"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("gatehouse snapshot %s: %v\n%s", strings.Join(args, " "), err, output)
		}
		return string(output)
	}
	const path = "/api/v1/namespaces/default/configmaps"
	embedded := harness.Start(t, "--controllers=-*")
	one := b.server("the embedded engine", embedded.Config, embedded.Kill)
	want := one.ok(http.MethodPost, path, map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "kept"}, "data": map[string]any{"a": "b"}})
	first, second := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "second")
	run("save", first, "--data-dir", embedded.DataDir)
	harness.Contains(t, run("status", first), "objects:", "revision:")
	one.stop()

	run("restore", first, "--etcd-servers", b.store)
	in := b.gatehouse()
	same(t, in.ok(http.MethodGet, path+"/kept", nil), want)
	in.stop()
	run("save", second, "--etcd-servers", b.store)
	folder := t.TempDir()
	run("restore", second, "--data-dir", folder)
	back := harness.StartIn(t, folder, "--controllers=-*")
	again := b.server("the embedded engine again", back.Config, back.Kill)
	same(t, again.ok(http.MethodGet, path+"/kept", nil), want)

	damaged, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{len(damaged) / 2, len(damaged) - 1} {
		if err := os.WriteFile(first, damaged[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if output, err := exec.Command(harness.Gatehouse(t), "snapshot", "status", first).CombinedOutput(); err == nil {
			t.Errorf("%d bytes of a snapshot of %d are taken for all: %s", cut, len(damaged), output)
		}
	}
}

// TestSnapshotsKeepSecretsEncrypted saves a running server that encrypts, looks for the secret in the file, and takes it to etcd and
// back; nobody reads it on the way without the configuration.
func TestSnapshotsKeepSecretsEncrypted(t *testing.T) {
	const path = "/api/v1/namespaces/default/secrets"
	b := newBed(t)
	file := filepath.Join(t.TempDir(), "encryption.yaml")
	if err := os.WriteFile(file, []byte(encrypted("secretbox")), 0o600); err != nil {
		t.Fatal(err)
	}
	snapshot := func(args ...string) (string, error) {
		output, err := exec.Command(harness.Gatehouse(t), append([]string{"snapshot"}, args...)...).CombinedOutput()
		return string(output), err
	}
	ok := func(args ...string) {
		t.Helper()
		if output, err := snapshot(args...); err != nil {
			t.Fatalf("gatehouse snapshot %s: %v\n%s", strings.Join(args, " "), err, output)
		}
	}
	refused := func(why string, args ...string) {
		t.Helper()
		if output, err := snapshot(args...); err == nil || !strings.Contains(output, why) {
			t.Errorf("gatehouse snapshot %s: %v\n%s", strings.Join(args, " "), err, output)
		}
	}
	hides := func(file string) {
		t.Helper()
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if raw, err = io.ReadAll(unpacked); err != nil || !bytes.Contains(raw, []byte("k8s:enc:secretbox:v1:k:")) || bytes.Contains(raw, []byte("aW4tdGhlLWNsZWFy")) {
			t.Errorf("%s shows what the server encrypts (%v)", file, err)
		}
	}
	embedded := harness.Start(t, "--controllers=-*", "--encryption-provider-config", file)
	one := b.server("the embedded engine", embedded.Config, embedded.Kill)
	want := one.ok(http.MethodPost, path, map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "s"}, "stringData": map[string]any{"word": "in-the-clear"}})
	first, second := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "second")
	ok("save", first, "--data-dir", embedded.DataDir)
	one.stop()
	hides(first)
	output, _ := snapshot("status", first, "--encryption-provider-config", file)
	harness.Contains(t, output, "encrypted: 1\n")

	refused("1 objects are encrypted", "restore", first, "--etcd-servers", b.store)
	ok("restore", first, "--etcd-servers", b.store, "--encryption-provider-config", file)
	in := b.gatehouse("--encryption-provider-config", file)
	same(t, in.ok(http.MethodGet, path+"/s", nil), want)
	in.stop()
	ok("save", second, "--etcd-servers", b.store, "--encryption-provider-config", file)
	hides(second)
	folder := t.TempDir()
	ok("restore", second, "--data-dir", folder)
	back := harness.StartIn(t, folder, "--controllers=-*", "--encryption-provider-config", file)
	again := b.server("the embedded engine again", back.Config, back.Kill)
	same(t, again.ok(http.MethodGet, path+"/s", nil), want)
	again.stop()
	refused("start with the --encryption-provider-config", "save", second, "--data-dir", folder)
}

// same compares but for the revision, which a store gives anew.
func same(t *testing.T, got, want []byte) {
	t.Helper()
	if mask(got) != mask(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func mask(object []byte) string {
	before, after, _ := strings.Cut(string(object), `"resourceVersion":"`)
	return before + strings.TrimLeft(after, "0123456789")
}
