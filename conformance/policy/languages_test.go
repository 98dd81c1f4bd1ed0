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

// run runs a template's cases in its language's own test runner.
func run(t *testing.T, folder string, runner []string) (string, error) {
	t.Helper()
	command := exec.Command(runner[0], runner[1:]...)
	command.Dir = folder
	command.Env = append(os.Environ(), "GATEHOUSE="+harness.Gatehouse(t))
	out, err := command.CombinedOutput()
	return strings.ReplaceAll(string(out), "_", " "), err
}

// passes fails unless the cases pass, this one among them.
func passes(t *testing.T, folder string, runner []string, name string) {
	t.Helper()
	out, err := run(t, folder, runner)
	if err != nil {
		t.Fatalf("%s: %v\n%s", runner, err, out)
	}
	harness.Contains(t, out, name, "settings are compared with their schema by gatehouse policy test")
}

// natively runs the cases of a template in its language's own test runner: they pass, and one that expects something else does
// not.
func natively(t *testing.T, folder string, runner []string) {
	t.Helper()
	passes(t, folder, runner, "no tag means latest")
	file := filepath.Join(folder, "cases", "images.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(string(text), "{allowed: true}", "{allowed: false}", 1)
	if err := os.WriteFile(file, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, folder, runner)
	if err == nil {
		t.Errorf("%s passes although a case expects something else:\n%s", runner, out)
	}
	harness.Contains(t, out, "a version is fine")
}

// TestMutators follows the guide with a policy that changes. CPython is not put into a component once more for it: that a mutator
// in Python becomes one the example of every ability shows. Rust's is TestWalkThrough's.
func TestMutators(t *testing.T) {
	s := harness.Start(t)
	guide := steps(t, "sdk/README.md", "## A policy that changes")
	for _, language := range languages {
		t.Run(language.name, func(t *testing.T) {
			harness.Needs(t, language.tool, language.remedy)
			if language.name == "python" {
				folder := t.TempDir()
				gatehouse(t, folder, "policy", "new", "team-labels", "--lang", "python", "--world", "mutator")
				passes(t, filepath.Join(folder, "team-labels"), language.runner, "a label that is there stays")
				return
			}
			folder := t.TempDir()
			follow(t, s.In(t), folder, in(language.name, guide))
			passes(t, filepath.Join(folder, "team-labels"), language.runner, "a label that is there stays")
		})
	}
	t.Run("cel", func(t *testing.T) {
		folder := t.TempDir()
		gatehouse(t, folder, "policy", "new", "team-labels", "--lang", "cel", "--world", "mutator")
		harness.Contains(t, gatehouse(t, filepath.Join(folder, "team-labels"), "policy", "test"), "4 of 4 cases passed")
	})
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
			if checked := gatehouse(t, filepath.Join(folder, "no-latest"), "policy", "check"); strings.Contains(checked, "it reads uid or time") {
				t.Errorf("a template is called for each request:\n%s", checked)
			}
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
