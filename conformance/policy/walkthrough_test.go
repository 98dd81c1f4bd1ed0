// The documents, followed to the letter from an empty folder.
package policy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

// step is one command of a document, and what it says there.
type step struct {
	command string
	says    []string
}

// steps are what the console blocks of a section hold; a block without a command goes on with what the last one says.
func steps(t *testing.T, document, section string) []step {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(t), document))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n"+section+"\n")
	if !found {
		t.Fatalf("%s has no section %q", document, section)
	}
	level, _, _ := strings.Cut(section, " ")
	var steps []step
	inside := false
	for line := range strings.SplitSeq(rest, "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case !inside && strings.HasPrefix(line, level+" "):
			return steps
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case inside && isCommand:
			steps = append(steps, step{command: command})
		case inside && strings.TrimSpace(line) != "" && len(steps) > 0:
			last := &steps[len(steps)-1]
			last.says = append(last.says, strings.TrimSpace(line))
		}
	}
	return steps
}

// in is a guide that is written for Go, in another language.
func in(language string, guide []step) []step {
	own := slices.Clone(guide)
	for n := range own {
		own[n].command = strings.ReplaceAll(own[n].command, "--lang go", "--lang "+language)
	}
	return own
}

// follow does a document's steps in a folder, with the program and kubectl on the path. A step fails where one of its lines says
// so, and nowhere else.
func follow(t *testing.T, s *harness.Server, folder string, steps []step) {
	t.Helper()
	if len(steps) == 0 {
		t.Fatal("there is nothing to follow")
	}
	where := filepath.Join(t.TempDir(), "where")
	for _, step := range steps {
		command := exec.Command("bash", "-c", "set -o pipefail; "+step.command+"; code=$?; pwd > "+where+"; exit $code")
		command.Dir = folder
		command.Env = append(os.Environ(), "KUBECONFIG="+s.Kubeconfig,
			"KUBECACHEDIR="+filepath.Join(s.DataDir, "kubecache"),
			"PATH="+filepath.Dir(harness.Gatehouse(t))+":"+filepath.Dir(harness.Kubectl(t))+":"+os.Getenv("PATH"))
		out, err := command.CombinedOutput()
		fails := slices.ContainsFunc(step.says, func(line string) bool { return strings.HasPrefix(line, "Error") || strings.HasPrefix(line, "The ") })
		if (err != nil) != fails {
			t.Fatalf("$ %s\n%s%v", step.command, out, err)
		}
		rest := string(out)
		for _, line := range step.says {
			_, after, found := strings.Cut(rest, line)
			if !found {
				t.Fatalf("$ %s\nshould say %q; it says\n%s", step.command, line, out)
			}
			rest = after
		}
		if text, err := os.ReadFile(where); err == nil {
			folder = strings.TrimSpace(string(text))
		}
	}
}

func TestWalkThrough(t *testing.T) {
	s, folder := harness.Start(t), t.TempDir()
	follow(t, s, folder, steps(t, "README.md", "## A first policy in five minutes"))
	harness.Contains(t, s.OK("", "get", "policymodules"), "no-latest", "validator", "true")
	// With what is compiled of the packages already.
	t.Setenv("CARGO_TARGET_DIR", filepath.Join(folder, "no-latest/target"))
	follow(t, s, t.TempDir(), in("rust", steps(t, "sdk/README.md", "## A policy that changes")))
}

// TestWalkThroughOfLanguages follows the guide for authors in each language.
func TestWalkThroughOfLanguages(t *testing.T) {
	s := harness.Start(t)
	guide := steps(t, "sdk/README.md", "## From an empty folder")
	for _, language := range []string{"go", "js", "python", "cel"} {
		t.Run(language, func(t *testing.T) {
			follow(t, s.In(t), t.TempDir(), in(language, guide))
		})
	}
}

// TestBindingsOfTheGuide lets a server look at the objects that the guide for authors shows.
func TestBindingsOfTheGuide(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(harness.Root(t), "sdk/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Bindings\n")
	_, rest, begins := strings.Cut(section, "```yaml\n")
	objects, _, ends := strings.Cut(rest, "```\n")
	if !found || !begins || !ends {
		t.Fatal("sdk/README.md shows no bindings")
	}
	s := harness.Start(t)
	harness.Contains(t, s.OK(objects, "create", "--dry-run=server", "--validate=strict", "-f", "-"),
		"clusterpolicybinding.policy.gatehouse.dev/no-latest created", "policybinding.policy.gatehouse.dev/no-latest created",
		"policyexception.policy.gatehouse.dev/legacy created")
}

// TestDocuments looks for commands and options that documents name and the program does not have.
func TestDocuments(t *testing.T) {
	documents := []string{"README.md", "CONTRIBUTING.md", "sdk/README.md", "wit/README.md", "policies/README.md"}
	examples, err := filepath.Glob(filepath.Join(harness.Root(t), "examples/*/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, example := range examples {
		documents = append(documents, strings.TrimPrefix(example, harness.Root(t)))
	}
	helps := map[string]string{}
	named := regexp.MustCompile("gatehouse policy ([a-z]+)((?: [^`|#\n]*)?)")
	for _, document := range documents {
		text, err := os.ReadFile(filepath.Join(harness.Root(t), document))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range named.FindAllStringSubmatch(string(text), -1) {
			command := found[1]
			if _, known := helps[command]; !known {
				helps[command] = gatehouse(t, harness.Root(t), "policy", command, "--help")
			}
			for _, option := range regexp.MustCompile(`--[a-z]+`).FindAllString(found[2], -1) {
				if !strings.Contains(helps[command], option) && option != "--help" {
					t.Errorf("%s: gatehouse policy %s has no %s", document, command, option)
				}
			}
		}
	}
}
