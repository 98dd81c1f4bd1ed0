// Command merge plays structured-merge-diff's own tests and prints what its functions were asked and answered, one JSON
// object a line. The module itself is not touched: in a copy that lives as long as the run functions are renamed, and
// recorders with their names are put beside them.
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "sigs.k8s.io/structured-merge-diff/v6"

//go:embed record.go.txt
var common string

//go:embed merge.go.txt
var mergeRecorder string

//go:embed typed.go.txt
var typedRecorder string

// recording is a file of the module whose functions are recorded.
type recording struct {
	pkg, file string
	// renamed are the beginnings of functions that get another name.
	renamed map[string]string
	code    string
}

var recordings = []recording{
	{"merge", "update.go", map[string]string{
		"func (s *Updater) Update(": "func (s *Updater) recordedUpdate(",
		"func (s *Updater) Apply(":  "func (s *Updater) recordedApply(",
		// Upstream's order is random; ours is not.
		"for version, managed := range managedAtVersion {": "for _, version := range slices.Sorted(maps.Keys(managedAtVersion)) {\nmanaged := managedAtVersion[version]",
		"import (": "import (\n\"maps\"\n\"slices\"",
	}, mergeRecorder},
	{"typed", "typed.go", map[string]string{
		"func (tv TypedValue) Compare(":    "func (tv TypedValue) recordedCompare(",
		"func (tv TypedValue) Merge(":      "func (tv TypedValue) recordedMerge(",
		"func (tv TypedValue) ToFieldSet(": "func (tv TypedValue) recordedToFieldSet(",
		"func (tv TypedValue) RemoveItems": "func (tv TypedValue) recordedRemoveItems",
		"func (tv TypedValue) Validate(":   "func (tv TypedValue) recordedValidate(",
	}, typedRecorder},
	{"typed", "reconcile_schema.go", map[string]string{
		"func ReconcileFieldSetWithSchema(": "func recordedReconcile(",
	}, ""},
}

func main() {
	for _, pkg := range []string{"merge", "typed"} {
		if err := record(pkg); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func record(pkg string) error {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return fmt.Errorf("find %s: %w", module, err)
	}
	dir, err := os.MkdirTemp("", "merge")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	copied := filepath.Join(dir, "module")
	if err := os.CopyFS(copied, os.DirFS(strings.TrimSpace(string(root)))); err != nil {
		return err
	}
	if err := instrument(filepath.Join(copied, pkg), pkg); err != nil {
		return err
	}
	modfile, err := replaced(dir, copied)
	if err != nil {
		return err
	}
	out := filepath.Join(dir, "out.jsonl")
	test := exec.Command("go", "test", "-count=1", "-vet=off", "-modfile", modfile, module+"/"+pkg)
	test.Env = append(os.Environ(), "GATEHOUSE_RECORD="+out)
	var said bytes.Buffer
	test.Stdout, test.Stderr = &said, &said
	if err := test.Run(); err != nil {
		return fmt.Errorf("%s's tests: %w\n%s", pkg, err, said.String())
	}
	lines, err := os.ReadFile(out)
	if err != nil {
		return err
	}
	// Types are numbered anew in each package.
	_, err = fmt.Printf("{\"package\":%q}\n%s", pkg, lines)
	return err
}

// replaced writes a module file that takes the module from a folder.
func replaced(dir, from string) (string, error) {
	path := filepath.Join(dir, "go.mod")
	text, err := os.ReadFile("go.mod")
	if err != nil {
		return "", err
	}
	text = fmt.Appendf(text, "\nreplace %s => %s\n", module, from)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return "", err
	}
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600)
}

// instrument renames the functions in a package's folder and puts the recorder beside them.
func instrument(dir, pkg string) error {
	imports := ""
	if pkg == "merge" {
		imports = "\"slices\"\n\"sigs.k8s.io/structured-merge-diff/v6/typed\""
	}
	code := "package " + pkg + "\n" + strings.Replace(common, "IMPORTS", imports, 1)
	for _, recorded := range recordings {
		if recorded.pkg != pkg {
			continue
		}
		path := filepath.Join(dir, recorded.file)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		copied := string(text)
		for name, other := range recorded.renamed {
			if !strings.Contains(copied, name) {
				return fmt.Errorf("%s has no %q", recorded.file, name)
			}
			copied = strings.ReplaceAll(copied, name, other)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(copied), 0o600); err != nil {
			return err
		}
		code += recorded.code
	}
	return os.WriteFile(filepath.Join(dir, "record.go"), []byte(code), 0o600)
}
