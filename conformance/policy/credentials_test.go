// What registries are shown besides names and passwords: identity tokens, and what credential helpers keep.
package policy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"gatehouse.dev/conformance/harness"
)

const identity = "good for+many registries"

// byIdentity gives a token for an identity token alone, as OAuth2 has it.
func byIdentity(server *oci, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/token" && r.Header.Get("Authorization") == "Bearer for-an-hour":
			next.ServeHTTP(w, r)
		case r.URL.Path != "/token":
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(
				`Bearer realm="%s/token",service="registry",scope="repository:policies/labels:pull,push"`, server.URL))
			http.Error(w, "no token", http.StatusUnauthorized)
		case r.Method == http.MethodPost && r.FormValue("grant_type") == "refresh_token" && r.FormValue("refresh_token") == identity &&
			r.FormValue("service") == "registry" && r.FormValue("scope") == "repository:policies/labels:pull,push":
			fmt.Fprint(w, `{"access_token": "for-an-hour"}`)
		default:
			http.Error(w, "no", http.StatusForbidden)
		}
	})
}

// knowing writes a file of credentials, and beside it the helper that says this of every registry.
func knowing(t *testing.T, config map[string]any, says string) string {
	t.Helper()
	folder := t.TempDir()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	helper := "#!/bin/sh\n[ \"$1\" = get ] || exit 2\ncat > " + filepath.Join(folder, "asked") + "\n" + says + "\n"
	for name, text := range map[string]string{"config.json": string(text), "docker-credential-test": helper} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestCredentials(t *testing.T) {
	file := component(t, "required-labels")
	byName := `echo '{"ServerURL":"","Username":"` + name + `","Secret":"` + password + `"}'`
	byTokenName := `echo '{"ServerURL":"","Username":"<token>","Secret":"` + identity + `"}'`
	for kind, of := range map[string]struct {
		before guard
		config func(host string) map[string]any
		says   string
	}{
		"an identity token in the file": {byIdentity, func(host string) map[string]any {
			return map[string]any{"auths": map[string]any{host: map[string]string{"identitytoken": identity}}}
		}, "exit 1"},
		"a registry's helper": {byPassword, func(host string) map[string]any {
			return map[string]any{"credHelpers": map[string]string{host: "test"}, "credsStore": "nobody-has-this"}
		}, byName},
		"the helper for all":        {byToken, func(string) map[string]any { return map[string]any{"credsStore": "test"} }, byName},
		"a helper's identity token": {byIdentity, func(string) map[string]any { return map[string]any{"credsStore": "test"} }, byTokenName},
		"a helper that knows nothing": {byPassword, func(host string) map[string]any {
			return map[string]any{"credsStore": "test", "auths": map[string]any{host: map[string]string{"username": name, "password": password}}}
		}, "echo 'credentials not found in native keychain'; exit 1"},
	} {
		t.Run(kind, func(t *testing.T) {
			o := start(t, of.before)
			credentials, reference := knowing(t, of.config(o.host), of.says), o.host+"/policies/labels:1.0.0"
			harness.Contains(t, must(t, credentials, "push", reference, file, "--ca", o.ca), reference+"@sha256:")
			harness.Contains(t, must(t, credentials, "inspect", reference, "--ca", o.ca), "policy       required-labels")
			if asked, err := os.ReadFile(filepath.Join(credentials, "asked")); err == nil && string(asked) != o.host {
				t.Errorf("the helper was asked for %q", asked)
			}
		})
	}

	o := start(t, byPassword)
	broken := knowing(t, map[string]any{"credsStore": "test"}, "echo 'the keychain is locked'; exit 1")
	harness.Contains(t, refuses(t, broken, "inspect", o.host+"/policies/labels:1.0.0", "--ca", o.ca), "docker-credential-test: the keychain is locked")
	missing := knowing(t, map[string]any{"credsStore": "nobody-has-this"}, "")
	harness.Contains(t, refuses(t, missing, "inspect", o.host+"/policies/labels:1.0.0", "--ca", o.ca), "docker-credential-nobody-has-this: ")
}
