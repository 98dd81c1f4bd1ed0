// Package clients lets programs in other languages use a cluster, each by its language's own client library: create,
// inform, patch in every way, apply, scale, delete. The programs stand beside this file and know nothing of Go.
package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

// TestPython runs the program with the package `kubernetes`.
func TestPython(t *testing.T) {
	harness.Needs(t, "python3", "apt-get install python3 python3-venv")
	environment := build(t, "python")
	python := filepath.Join(environment, "bin", "python")
	if _, err := os.Stat(python); err != nil {
		do(t, environment, "python3", "-m", "venv", environment)
	}
	do(t, environment, python, "-m", "pip", "install", "--quiet", "--requirement", source(t, "python", "requirements.txt"))
	use(t, environment, python, source(t, "python", "client.py"))
}

// TestJavaScript runs the program with the package `@kubernetes/client-node`.
func TestJavaScript(t *testing.T) {
	harness.Needs(t, "node", "apt-get install nodejs")
	harness.Needs(t, "npm", "apt-get install npm")
	folder := build(t, "javascript")
	for _, file := range []string{"package.json", "package-lock.json", "client.js"} {
		text, err := os.ReadFile(source(t, "javascript", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, file), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	do(t, folder, "npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
	use(t, folder, "node", filepath.Join(folder, "client.js"))
}

// TestRust runs the program with the crate `kube`, which has a workspace and a lock of its own.
func TestRust(t *testing.T) {
	harness.Needs(t, "cargo", "install Rust by rustup")
	folder := build(t, "rust")
	do(t, folder, "cargo", "build", "--locked", "--quiet", "--manifest-path", source(t, "rust", "Cargo.toml"), "--target-dir", folder)
	use(t, folder, filepath.Join(folder, "debug", "client"))
}

func source(t *testing.T, parts ...string) string {
	return filepath.Join(append([]string{harness.Root(t), "conformance", "clients"}, parts...)...)
}

// build is a folder that stays between runs, for what a client needs.
func build(t *testing.T, language string) string {
	t.Helper()
	folder := filepath.Join(harness.Root(t), ".build", "clients", language)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

func do(t *testing.T, folder, program string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, args...)
	command.Dir = folder
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, output)
	}
	return string(output)
}

// use runs a client against a server of its own.
func use(t *testing.T, folder, program string, args ...string) {
	t.Helper()
	s := harness.Start(t)
	output := do(t, folder, program, append(args, s.Kubeconfig)...)
	harness.Contains(t, output, "all is well")
}
