// Command merge plays the tests that packages of upstream's have of their own merging and prints what their functions were
// asked and answered, one JSON object a line. The modules themselves are not touched: in a copy that lives as long as the
// run functions are renamed, and recorders with their names are put beside them.
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

//go:embed emit.go.txt
var emitter string

//go:embed types.go.txt
var types string

//go:embed merge.go.txt
var merge string

//go:embed typed.go.txt
var typed string

//go:embed strategicpatch.go.txt
var strategicPatch string

//go:embed managedfields.go.txt
var managedFields string

const (
	structuredMerge = "sigs.k8s.io/structured-merge-diff/v6"
	apimachinery    = "k8s.io/apimachinery"
	kubernetes      = "k8s.io/kubernetes"
	// copied is the module that the copies belong to.
	copied = "recorded"
)

// recording is a package whose functions are recorded.
type recording struct {
	// name is by which it is asked for.
	name string
	// module and root are where the folder lies that is copied; the package is it or the folder below it.
	module, root, below string
	// renamed are, by file of the package, the beginnings of functions that get another name.
	renamed map[string]map[string]string
	// recorders are the files that are put beside it.
	recorders []string
	// tests are those that ask for something, when not all do.
	tests string
}

var recordings = []recording{
	{"merge", structuredMerge, "", "merge", map[string]map[string]string{
		"update.go": {
			"func (s *Updater) Update(": "func (s *Updater) recordedUpdate(",
			"func (s *Updater) Apply(":  "func (s *Updater) recordedApply(",
			// Upstream's order is random; ours is not.
			"for version, managed := range managedAtVersion {": "for _, version := range slices.Sorted(maps.Keys(managedAtVersion)) {\nmanaged := managedAtVersion[version]",
			"import (": "import (\n\"maps\"\n\"slices\"",
		},
	}, []string{types, merge}, ""},
	{"typed", structuredMerge, "", "typed", map[string]map[string]string{
		"typed.go": {
			"func (tv TypedValue) Compare(":    "func (tv TypedValue) recordedCompare(",
			"func (tv TypedValue) Merge(":      "func (tv TypedValue) recordedMerge(",
			"func (tv TypedValue) ToFieldSet(": "func (tv TypedValue) recordedToFieldSet(",
			"func (tv TypedValue) RemoveItems": "func (tv TypedValue) recordedRemoveItems",
			"func (tv TypedValue) Validate(":   "func (tv TypedValue) recordedValidate(",
		},
		"reconcile_schema.go": {"func ReconcileFieldSetWithSchema(": "func recordedReconcile("},
	}, []string{types, typed}, ""},
	{"strategicpatch", apimachinery, "pkg/util/strategicpatch", "", map[string]map[string]string{
		"patch.go": {"func StrategicMergePatchUsingLookupPatchMeta(": "func recordedPatch("},
	}, []string{strategicPatch}, ""},
	{"managedfields", apimachinery, "pkg/util/managedfields", "internal", map[string]map[string]string{
		"capmanagers.go": {"func (f *capManagersManager) capUpdateManagers(": "func (f *capManagersManager) recordedCap("},
		// The document that this reads lies in another module.
		"fieldmanager_test.go": {`strings.Repeat(".."+string(filepath.Separator), 8)`: `strings.TrimSpace(os.Getenv("GATEHOUSE_KUBERNETES"))`},
	}, []string{managedFields}, "TestCap"},
}

func main() {
	for _, of := range recordings {
		if !slices.Contains(os.Args[1:], of.name) {
			continue
		}
		if err := of.record(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// record prints what the package's tests ask and are answered.
func (of recording) record() error {
	found, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", of.module, kubernetes).Output()
	if err != nil {
		return fmt.Errorf("find %s: %w", of.module, err)
	}
	folders := strings.Fields(string(found))
	dir, err := os.MkdirTemp("", "merge")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(filepath.Join(dir, of.name), os.DirFS(filepath.Join(folders[0], of.root))); err != nil {
		return err
	}
	if err := of.instrument(filepath.Join(dir, of.name)); err != nil {
		return err
	}
	if err := moduleFiles(dir); err != nil {
		return err
	}
	out := filepath.Join(dir, "out.jsonl")
	test := exec.Command("go", "test", "-count=1", "-vet=off", "-mod=mod", "-run", of.tests, "./"+path.Join(of.name, of.below))
	test.Dir = dir
	test.Env = append(os.Environ(), "GATEHOUSE_RECORD="+out, "GATEHOUSE_KUBERNETES="+folders[1])
	var said bytes.Buffer
	test.Stdout, test.Stderr = &said, &said
	if err := test.Run(); err != nil {
		return fmt.Errorf("%s's tests: %w\n%s", of.name, err, said.String())
	}
	lines, err := os.ReadFile(out)
	if err != nil {
		return err
	}
	// Types are numbered anew in each package.
	_, err = fmt.Printf("{\"package\":%q}\n%s", of.name, lines)
	return err
}

// moduleFiles makes a folder a module that requires what this one requires, so that nothing is built again.
func moduleFiles(dir string) error {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		return err
	}
	// The copy of a whole module is a part of this one.
	nested, err := filepath.Glob(filepath.Join(dir, "*", "go.mod"))
	if err != nil {
		return err
	}
	for _, file := range nested {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	text = regexp.MustCompile(`(?m)^module .*$`).ReplaceAll(text, []byte("module "+copied))
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), text, 0o600); err != nil {
		return err
	}
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600)
}

// instrument lets the copied files import each other, renames the functions and puts the recorders beside them.
func (of recording) instrument(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	below, err := filepath.Glob(filepath.Join(dir, "*", "*.go"))
	if err != nil {
		return err
	}
	deeper, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.go"))
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, of.below)
	for _, file := range slices.Concat(files, below, deeper) {
		if err := of.rewrite(file, of.renamed[strings.TrimPrefix(file, folder+"/")]); err != nil {
			return err
		}
	}
	for number, code := range append([]string{emitter}, of.recorders...) {
		code = "package " + filepath.Base(folder) + "\n" + of.inCopy(code)
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("record%d.go", number)), []byte(code), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (of recording) rewrite(file string, renamed map[string]string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	code := of.inCopy(string(text))
	for name, other := range renamed {
		if !strings.Contains(code, name) {
			return fmt.Errorf("%s has no %q", filepath.Base(file), name)
		}
		code = strings.ReplaceAll(code, name, other)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(code), 0o600)
}

// inCopy lets code import the copy of what it imports below the folder.
func (of recording) inCopy(code string) string {
	return strings.ReplaceAll(code, `"`+path.Join(of.module, of.root), `"`+path.Join(copied, of.name))
}
