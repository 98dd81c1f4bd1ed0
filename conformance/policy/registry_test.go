// Components in OCI registries and their signatures: by the commands, and by a server that reads what an object names.
package policy

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"gatehouse.dev/conformance/harness"
)

const name, password = "robot", "let me in"

// oci is a registry that this test started, over TLS.
type oci struct {
	*httptest.Server
	host string
	// ca is a file with the certificate that it shows.
	ca string
	// down makes it answer 503.
	down atomic.Bool
	// asked counts requests.
	asked atomic.Int64
}

// guard stands before a registry's handler.
type guard func(server *oci, next http.Handler) http.Handler

func start(t *testing.T, before guard) *oci {
	t.Helper()
	o := &oci{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	if before != nil {
		inner = before(o, inner)
	}
	o.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.asked.Add(1)
		if o.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(o.Close)
	o.host = strings.TrimPrefix(o.URL, "https://")
	o.ca = filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.Certificate().Raw})
	if err := os.WriteFile(o.ca, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// byPassword demands a name and a password.
func byPassword(_ *oci, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, p, ok := r.BasicAuth(); !ok || n != name || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}`, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// byToken demands a token, which it gives for the password and for what is to be done.
func byToken(server *oci, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			n, p, _ := r.BasicAuth()
			if n != name || p != password || r.URL.Query().Get("scope") != "repository:policies/labels:pull,push" {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			fmt.Fprint(w, `{"token": "for-an-hour"}`)
			return
		}
		if r.Header.Get("Authorization") != "Bearer for-an-hour" {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(
				`Bearer realm="%s/token",service="registry",scope="repository:policies/labels:pull,push"`, server.URL))
			http.Error(w, "no token", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// leadingTo answers reads of blobs with the place of another server.
func leadingTo(other *httptest.Server) guard {
	return func(_ *oci, next http.Handler) http.Handler {
		return byPassword(nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
				http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
				return
			}
			next.ServeHTTP(w, r)
		}))
	}
}

// login writes what `docker login` would, and returns the folder.
func login(t *testing.T, hosts ...string) string {
	t.Helper()
	auths := map[string]any{}
	for _, host := range hosts {
		auths[host] = map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(name + ":" + password))}
	}
	text, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "config.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// as runs a command of the program with the credentials in a folder, and the helpers there.
func as(t *testing.T, credentials string, args ...string) (string, error) {
	t.Helper()
	command := exec.Command(harness.Gatehouse(t), append([]string{"policy"}, args...)...)
	command.Env = append(os.Environ(), "DOCKER_CONFIG="+credentials, "PATH="+credentials+":"+os.Getenv("PATH"))
	out, err := command.CombinedOutput()
	return string(out), err
}

// must is the same for a command that succeeds.
func must(t *testing.T, credentials string, args ...string) string {
	t.Helper()
	out, err := as(t, credentials, args...)
	if err != nil {
		t.Fatalf("gatehouse policy %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// refuses is the same for one that fails; it tells why.
func refuses(t *testing.T, credentials string, args ...string) string {
	t.Helper()
	out, err := as(t, credentials, args...)
	if err == nil {
		t.Fatalf("gatehouse policy %s succeeded and should not have:\n%s", strings.Join(args, " "), out)
	}
	return out
}

// component builds a policy that ships, once for each test, as a file.
func component(t *testing.T, policy string) string {
	t.Helper()
	out := t.TempDir()
	gatehouse(t, filepath.Join(harness.Root(t), "policies"), "policy", "build", policy, "--out", out)
	return filepath.Join(out, policy+".wasm")
}

func TestRegistryByCommands(t *testing.T) {
	file := component(t, "required-labels")
	for kind, before := range map[string]guard{"open": nil, "by password": byPassword, "by token": byToken} {
		t.Run(kind, func(t *testing.T) {
			o := start(t, before)
			credentials, reference := login(t, o.host), o.host+"/policies/labels:1.0.0"
			pushed := must(t, credentials, "push", reference, file, "--ca", o.ca)
			harness.Contains(t, pushed, reference+"@sha256:", "component sha256:")
			if again := must(t, credentials, "push", reference, file, "--ca", o.ca); again != pushed {
				t.Errorf("pushed again it is another artifact:\n%s%s", pushed, again)
			}
			out := filepath.Join(t.TempDir(), "pulled.wasm")
			must(t, credentials, "pull", reference, "--out", out, "--ca", o.ca)
			want, _ := os.ReadFile(file)
			if got, err := os.ReadFile(out); err != nil || string(got) != string(want) {
				t.Errorf("what was pulled is not what was pushed: %v", err)
			}
			harness.Contains(t, must(t, credentials, "inspect", reference, "--ca", o.ca),
				"artifact     sha256:", "signatures   0", "policy       required-labels", "a validator", "label-required",
				"reads where the write goes alone; it is not called again when it is shown the same")
			harness.Contains(t, refuses(t, credentials, "pull", o.host+"/policies/labels:2", "--out", out, "--ca", o.ca), "404", "is it pushed there?")
			harness.Contains(t, refuses(t, credentials, "pull", reference, "--out", out), "certificate")
			if before != nil {
				harness.Contains(t, refuses(t, t.TempDir(), "pull", reference, "--out", out, "--ca", o.ca), "40")
			}
		})
	}
}

// The layout is the one that the CNCF describes: other tools read it.
func TestRegistryLayout(t *testing.T) {
	o := start(t, nil)
	must(t, t.TempDir(), "push", o.host+"/policies/labels:1.0.0", component(t, "required-labels"), "--ca", o.ca)
	get := func(path string, into any) {
		t.Helper()
		answer, err := o.Client().Get(o.URL + "/v2/policies/labels/" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	type blob struct{ MediaType, Digest string }
	var manifest struct {
		MediaType   string
		Config      blob
		Layers      []blob
		Annotations map[string]string
	}
	get("manifests/1.0.0", &manifest)
	if manifest.MediaType != "application/vnd.oci.image.manifest.v1+json" || manifest.Config.MediaType != "application/vnd.wasm.config.v0+json" ||
		len(manifest.Layers) != 1 || manifest.Layers[0].MediaType != "application/wasm" || manifest.Annotations["org.opencontainers.image.title"] != "required-labels" {
		t.Errorf("the manifest is %+v", manifest)
	}
	var config struct {
		Architecture, OS string
		LayerDigests     []string
		Component        struct{ Exports []string }
	}
	get("blobs/"+manifest.Config.Digest, &config)
	if config.Architecture != "wasm" || config.OS != "wasip2" || len(config.LayerDigests) != 1 || config.LayerDigests[0] != manifest.Layers[0].Digest ||
		len(config.Component.Exports) != 1 || config.Component.Exports[0] != "gatehouse:policy/validation@1.0.0" {
		t.Errorf("the configuration is %+v", config)
	}
}

// message waits until a module's status says something.
func message(t *testing.T, s *harness.Server, module, part string) {
	t.Helper()
	var last string
	defer func() {
		if t.Failed() {
			t.Logf("the last message of %s: %s", module, last)
		}
	}()
	harness.Eventually(t, module+" says "+part, func() bool {
		last, _, _ = s.Run("", "get", "policymodule", module, "-o", "jsonpath={.status.message}")
		return strings.Contains(last, part)
	})
}

// moduleFrom is a PolicyModule whose component lies in a registry.
func moduleFrom(t *testing.T, module, reference, ca, more string) string {
	t.Helper()
	certificate, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`
apiVersion: policy.gatehouse.dev/v1alpha1
kind: PolicyModule
metadata: {name: %s}
spec:
  source: {oci: {reference: "%s", caBundle: %s}}
%s`, module, reference, base64.StdEncoding.EncodeToString(certificate), more)
}

func TestRegistryByServer(t *testing.T) {
	file, another := component(t, "required-labels"), component(t, "default-seccomp")
	private, unlisted := start(t, byPassword), start(t, nil)
	away := start(t, nil)
	var shown atomic.Value
	storage := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown.Store(r.Header.Get("Authorization"))
		http.ServeFile(w, r, another)
	}))
	t.Cleanup(storage.Close)
	leading, leadingAstray := start(t, leadingTo(storage)), start(t, leadingTo(unlisted.Server))
	credentials := login(t, private.host, leading.host, leadingAstray.host)

	pinned := map[*oci]string{}
	var digest string
	for _, o := range []*oci{leading, leadingAstray, private, unlisted, away} {
		file := file
		if o == leading || o == leadingAstray {
			file = another // what is kept by digest would not be asked for again
		}
		first, second, _ := strings.Cut(must(t, credentials, "push", o.host+"/policies/labels:1", file, "--ca", o.ca), "\n")
		_, pushed, found := strings.Cut(first+"\n"+second, "KB to "+o.host+"/policies/labels:1\n")
		if !found {
			t.Fatalf("push printed %q", first+"\n"+second)
		}
		lines := strings.Split(pushed, "\n")
		pinned[o], digest = lines[0], strings.TrimPrefix(lines[1], "component ")
	}
	unlisted.asked.Store(0)
	away.down.Store(true)
	registries := strings.Join([]string{private.host, away.host, leading.host, leadingAstray.host, strings.TrimPrefix(storage.URL, "https://")}, ",")
	s := harness.Start(t, "--policy-registries", registries, "--policy-registry-config", filepath.Join(credentials, "config.json"))

	t.Run("by digest", func(t *testing.T) {
		s := s.In(t)
		s.OK(moduleFrom(t, "required-labels", pinned[private], private.ca, ""), "apply", "-f", "-")
		ready(t, s, "policymodule", "required-labels")
		s.OK(aboutConfigMaps("ClusterPolicyBinding", "name: labels", ""), "apply", "-f", "-")
		ready(t, s, "clusterpolicybinding", "labels")
		harness.Contains(t, s.Refused("", "create", "configmap", "web"), `policy "labels"`, "label-required")
	})
	t.Run("by tag", func(t *testing.T) {
		s := s.In(t)
		tagged := private.host + "/policies/labels:1"
		harness.Contains(t, s.Refused(moduleFrom(t, "tagged", tagged, private.ca, ""), "apply", "-f", "-"), "spec.digest: Required value")
		s.OK(moduleFrom(t, "tagged", tagged, private.ca, "  digest: sha256:"+strings.Repeat("0a", 32)), "apply", "-f", "-")
		message(t, s, "tagged", "spec.source.oci: the component of "+tagged+" is "+digest+", where sha256:0a0a")
		s.OK(moduleFrom(t, "tagged", tagged, private.ca, "  digest: "+digest), "apply", "-f", "-")
		ready(t, s, "policymodule", "tagged")
	})
	t.Run("nobody else is asked", func(t *testing.T) {
		s := s.In(t)
		s.OK(moduleFrom(t, "unlisted", pinned[unlisted], unlisted.ca, ""), "apply", "-f", "-")
		message(t, s, "unlisted", unlisted.host+" is not among the registries that --policy-registries allows")
		s.OK(moduleFrom(t, "astray", pinned[leadingAstray], leadingAstray.ca, ""), "apply", "-f", "-")
		message(t, s, "astray", unlisted.host+" is not among the registries")
		if asked := unlisted.asked.Load(); asked != 0 {
			t.Errorf("it was asked %d times", asked)
		}
	})
	t.Run("led elsewhere without credentials", func(t *testing.T) {
		s := s.In(t)
		s.OK(moduleFrom(t, "led", pinned[leading], leading.ca, ""), "apply", "-f", "-")
		ready(t, s, "policymodule", "led")
		if authorization := shown.Load(); authorization != "" {
			t.Errorf("where blobs are was shown %v", authorization)
		}
	})
	t.Run("again until it is there", func(t *testing.T) {
		s := s.In(t)
		away.asked.Store(0)
		s.OK(moduleFrom(t, "away", strings.Replace(pinned[away], "labels:1@", "labels@", 1), away.ca, "  signature: {publicKeys: ["+quoted(key(t).public)+"]}"), "apply", "-f", "-")
		message(t, s, "away", "503")
		away.down.Store(false)
		message(t, s, "away", "no signature lies beside it")
	})
	t.Run("kept over a restart", func(t *testing.T) {
		private.Close()
		s.Stop()
		s.Restart()
		harness.Contains(t, s.In(t).Refused("", "create", "configmap", "web"), `policy "labels"`, "label-required")
	})
}

// Without the flag a server asks nobody, whatever is written in an object.
func TestNoRegistryByDefault(t *testing.T) {
	o := start(t, nil)
	s := harness.Start(t)
	s.OK(moduleFrom(t, "labels", o.host+"/policies/labels@sha256:"+strings.Repeat("0a", 32), o.ca, ""), "apply", "-f", "-")
	message(t, s, "labels", "--policy-registries names those that it may")
	if asked := o.asked.Load(); asked != 0 {
		t.Errorf("it was asked %d times", asked)
	}
}

// pair is the two files of a key.
type pair struct{ private, public string }

func key(t *testing.T, options ...string) pair {
	t.Helper()
	base := filepath.Join(t.TempDir(), "policy")
	must(t, t.TempDir(), append([]string{"keygen", base}, options...)...)
	return pair{base + ".key", base + ".pub"}
}

// quoted is a file's text in JSON, which YAML reads too.
func quoted(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	quoted, _ := json.Marshal(string(text))
	return string(quoted)
}

func TestSignatures(t *testing.T) {
	file, other := component(t, "required-labels"), component(t, "default-seccomp")
	ours, theirs := key(t), key(t, "--type", "ed25519")
	o := start(t, nil)
	nobody := t.TempDir()
	s := harness.Start(t, "--policy-registries", o.host)

	t.Run("of a file", func(t *testing.T) {
		s := s.In(t)
		harness.Contains(t, must(t, nobody, "sign", file, "--key", ours.private), file+".sig", "a signature over the component sha256:")
		harness.Contains(t, must(t, nobody, "verify", file, "--key", theirs.public, "--key", ours.public), "is signed")
		harness.Contains(t, refuses(t, nobody, "verify", file, "--key", theirs.public), "is not signed by any of the keys that --key names", "gatehouse policy sign")
		harness.Contains(t, refuses(t, nobody, "verify", other, "--key", ours.public), "there is no "+other+".sig: gatehouse policy sign "+other+" --key FILE makes it")
		harness.Contains(t, refuses(t, nobody, "verify", other, "--key", ours.public, "--signature", file+".sig"), "is not signed by any")

		folder := filepath.Join(harness.Root(t), "policies", "required-labels")
		signed := gatehouse(t, folder, "policy", "manifest", "--key", ours.public, "--signature", file+".sig")
		module, _, _ := strings.Cut(signed, "\n---\n")
		s.OK(module, "apply", "-f", "-")
		ready(t, s, "policymodule", "required-labels")

		unsigned := gatehouse(t, folder, "policy", "manifest", "--key", ours.public)
		module, _, _ = strings.Cut(unsigned, "\n---\n")
		s.OK(strings.Replace(module, "name: required-labels", "name: unsigned", 1), "apply", "-f", "-")
		message(t, s, "unsigned", "the component is not signed by any of spec.signature.publicKeys; gatehouse policy sign makes signatures")
	})

	t.Run("of an artifact", func(t *testing.T) {
		s := s.In(t)
		push := func(tag, file string) string {
			out := must(t, nobody, "push", o.host+"/policies/labels:"+tag, file, "--ca", o.ca)
			at := strings.Index(out, o.host+"/policies/labels:"+tag+"@sha256:")
			return strings.Fields(out[at:])[0]
		}
		good, tampered := push("good", file), push("tampered", other)
		demand := "  signature: {publicKeys: [" + quoted(ours.public) + "]}"
		s.OK(moduleFrom(t, "good", good, o.ca, demand), "apply", "-f", "-")
		message(t, s, "good", "is not signed by any of spec.signature.publicKeys: no signature lies beside it; gatehouse policy sign makes signatures")
		must(t, nobody, "sign", good, "--key", theirs.private, "--ca", o.ca)
		harness.Contains(t, refuses(t, nobody, "verify", good, "--key", ours.public, "--ca", o.ca), "the one that lies beside it is not over it by these keys")
		must(t, nobody, "sign", good, "--key", ours.private, "--ca", o.ca)
		harness.Contains(t, must(t, nobody, "verify", good, "--key", ours.public, "--ca", o.ca), "is signed")
		harness.Contains(t, must(t, nobody, "inspect", good, "--ca", o.ca), "signatures   2")
		ready(t, s, "policymodule", "good")

		// Somebody who can write to the registry puts the good signatures beside another artifact.
		copySignatures(t, o, good, tampered)
		harness.Contains(t, refuses(t, nobody, "verify", tampered, "--key", ours.public, "--ca", o.ca), "2 lie beside it, none of them over it")
		s.OK(moduleFrom(t, "tampered", tampered, o.ca, demand), "apply", "-f", "-")
		message(t, s, "tampered", "is not signed by any of spec.signature.publicKeys: 2 lie beside it, none of them over it by these keys")
	})
}

// copySignatures tags the signatures of one artifact as those of another.
func copySignatures(t *testing.T, o *oci, from, to string) {
	t.Helper()
	place := func(reference string) string {
		_, digest, _ := strings.Cut(reference, "@")
		return o.URL + "/v2/policies/labels/manifests/" + strings.Replace(digest, ":", "-", 1) + ".sig"
	}
	answer, err := o.Client().Get(place(from))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	request, err := http.NewRequest(http.MethodPut, place(to), answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", answer.Header.Get("Content-Type"))
	written, err := o.Client().Do(request)
	if err != nil || written.StatusCode != http.StatusCreated {
		t.Fatalf("the signatures were not copied: %v %v", written, err)
	}
	written.Body.Close()
}
