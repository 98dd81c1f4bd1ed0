// The languages that policies are written in: each SDK's own tests, each template built from the package registries alone,
// one policy in all of them, judged by the same cases, and one that asks for everything that can be granted.
package policy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

// languages, each with the tool without which nothing can be built and how to get it.
var languages = []struct {
	name, tool, remedy string
	// runner is the language's own, and part of what it says when all is well.
	runner []string
}{
	{"go", "go", "install Go 1.24 or newer: https://go.dev/dl", []string{"go", "test", "-count=1", "-v", "./..."}},
	{"js", "npm", "apt-get install nodejs npm", []string{"npm", "test"}},
	{"python", "python3", "apt-get install python3 python3-venv", []string{"python3", "-m", "unittest", "discover", "-v", "test"}},
}

// natively runs the cases of a template in its language's own test runner: they pass, and one that expects something else does
// not.
func natively(t *testing.T, folder string, runner []string) {
	t.Helper()
	run := func() (string, error) {
		command := exec.Command(runner[0], runner[1:]...)
		command.Dir = folder
		command.Env = append(os.Environ(), "GATEHOUSE="+harness.Gatehouse(t))
		out, err := command.CombinedOutput()
		return string(out), err
	}
	out, err := run()
	if err != nil {
		t.Fatalf("%s: %v\n%s", runner, err, out)
	}
	harness.Contains(t, strings.ReplaceAll(out, "_", " "), "no tag means latest", "settings are compared with their schema by gatehouse policy test")
	file := filepath.Join(folder, "cases", "images.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(string(text), "{allowed: true}", "{allowed: false}", 1)
	if err := os.WriteFile(file, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err = run(); err == nil {
		t.Errorf("%s passes although a case expects something else:\n%s", runner, out)
	}
	harness.Contains(t, strings.ReplaceAll(out, "_", " "), "a version is fine")
}

func TestLanguages(t *testing.T) {
	examples := filepath.Join(harness.Root(t), "examples")
	cases := filepath.Join(harness.Root(t), "policies/required-labels/cases")
	for _, language := range languages {
		t.Run(language.name, func(t *testing.T) {
			harness.Needs(t, language.tool, language.remedy)
			folder := t.TempDir()
			gatehouse(t, folder, "policy", "new", "no-latest", "--lang", language.name)
			template := gatehouse(t, filepath.Join(folder, "no-latest"), "policy", "test")
			harness.Contains(t, template, "no-latest (validator)", "5 of 5 cases passed")
			natively(t, filepath.Join(folder, "no-latest"), language.runner)
			same := gatehouse(t, examples, "policy", "test", "required-labels/"+language.name, "--cases", cases)
			harness.Contains(t, same, "required-labels (validator)", "10 of 10 cases passed")
			asked := gatehouse(t, examples, "policy", "test", "abilities/"+language.name, "--cases", "abilities/cases")
			harness.Contains(t, asked, "abilities (mutator)", "3 of 3 cases passed")
		})
	}
}

// TestSDKs runs what the SDKs test of themselves outside of a component.
func TestSDKs(t *testing.T) {
	harness.Needs(t, "node", "apt-get install nodejs")
	harness.Needs(t, "python3", "apt-get install python3")
	for folder, words := range map[string][]string{
		"go":     {"go", "test", "./..."},
		"js":     {"node", "--test", "test/"},
		"python": {"python3", "-m", "unittest", "discover", "test"},
	} {
		command := exec.Command(words[0], words[1:]...)
		command.Dir = filepath.Join(harness.Root(t), "sdk", folder)
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", folder, err, out)
		}
	}
}
