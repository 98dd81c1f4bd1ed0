// What the commands make of policies that are wrong: each is told of, and nothing passes because nothing was looked at.
package policy

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
)

// wrong is a mutator that counts its own calls, or writes what it does not declare.
const wrong = `package main

import (
	"strconv"

	"gatehouse.dev/policy"
	"gatehouse.dev/policy/mutator"
)

type Settings struct {
	Change string ` + "`json:\"change\"`" + `
}

type Object struct {
	Metadata struct {
		Labels map[string]string ` + "`json:\"labels\"`" + `
	} ` + "`json:\"metadata\"`" + `
}

func init() {
	mutator.Serve(policy.Mutator[Settings, Object]{
		About:  policy.About{Name: "wrong", Version: "0.1.0", Reads: []string{"metadata.labels"}, Writes: []string{"metadata.labels"}},
		Mutate: mutate,
	})
}

func mutate(settings *Settings, review *policy.Review[Object], patch *policy.Patch) error {
	switch settings.Change {
	case "count":
		n, _ := strconv.Atoi(review.Object.Metadata.Labels["count"])
		patch.Set(strconv.Itoa(n+1), "metadata", "labels", "count")
	case "data":
		patch.Set("x", "data", "x")
	}
	return nil
}

func main() {}
`

const wrongCases = `
cases:
  - name: it counts
    settings: {change: count}
    object: &object {apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {count: "0"}}, data: {a: b}}
    expect: {object: {apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {count: "1"}}, data: {a: b}}}
  - name: it writes data
    settings: {change: data}
    object: *object
    expect: {unchanged: true}
  - name: it leaves "everything" & all
    settings: {change: nothing}
    object: *object
    expect: {unchanged: true}
`

func TestWrongPolicies(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "wrong")
	gatehouse(t, filepath.Dir(folder), "policy", "new", "wrong", "--lang", "go")
	cases := filepath.Join(folder, "cases", "images.yaml")
	for file, text := range map[string]string{filepath.Join(folder, "policy.go"): wrong, cases: wrongCases} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// fails gives what a command writes to standard output and to standard error.
	fails := func(args ...string) (string, string) {
		t.Helper()
		command := exec.Command(harness.Gatehouse(t), append([]string{"policy"}, args...)...)
		command.Dir = folder
		var said strings.Builder
		command.Stderr = &said
		out, err := command.Output()
		if err == nil {
			t.Fatalf("gatehouse policy %s succeeded and should not have:\n%s", strings.Join(args, " "), out)
		}
		return string(out), said.String()
	}
	const again, outside = "asked again it changes its own work", "it changes data.a, which the module does not declare that it writes"

	out, said := fails("test")
	harness.Contains(t, out, "FAILED  it counts (images.yaml)", again, "FAILED  it writes data", outside, `ok      it leaves "everything" & all`, "1 of 3 cases passed")
	harness.Contains(t, said, "Error: 2 of 3 cases failed")

	var told struct {
		Passed, Failed int
		Cases          []struct{ Name, Failure string }
	}
	out, _ = fails("test", "--output", "json")
	if err := json.Unmarshal([]byte(out), &told); err != nil || told.Passed != 1 || told.Failed != 2 || !strings.HasPrefix(told.Cases[0].Failure, again) {
		t.Errorf("the report in JSON (%v): %+v", err, told)
	}

	var suites struct {
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string `xml:"name,attr"`
				Failure *struct {
					Message string `xml:"message,attr"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	out, _ = fails("test", "--output", "junit")
	if err := xml.Unmarshal([]byte(out), &suites); err != nil {
		t.Fatalf("the report for JUnit: %v\n%s", err, out)
	}
	if suite := suites.Suites[0]; suites.Failures != 2 || suite.Name != "wrong" || suite.Cases[1].Failure == nil ||
		suite.Cases[1].Failure.Message != "its answer cannot be used: "+outside || suite.Cases[2].Failure != nil || suite.Cases[2].Name != `it leaves "everything" & all` {
		t.Errorf("the report for JUnit: %+v", suites)
	}

	out, _ = fails("check")
	harness.Contains(t, out, "FAILED", "binding.yaml", "warning  it reads uid or time of a request, so that it is called for each")

	if err := os.WriteFile(cases, []byte(strings.Replace(wrongCases, "unchanged: true", "unchnged: true", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, said = fails("test")
	harness.Contains(t, said, `images.yaml: it writes data: expect has no field "unchnged"; there are allowed, `)

	if err := os.Remove(cases); err != nil {
		t.Fatal(err)
	}
	_, said = fails("test")
	harness.Contains(t, said, "there is no case; write one into a file NAME.yaml there")
	_, said = fails("test", "--cases", "nowhere")
	harness.Contains(t, said, "nowhere: No such file or directory")
}

// A component has settings only where a binding lies beside it.
func TestComponentAlone(t *testing.T) {
	component := component(t, "required-labels")
	out, err := exec.Command(harness.Gatehouse(t), "policy", "run", component, "--object", component).CombinedOutput()
	if err == nil {
		t.Errorf("a policy without the settings that it must have judged")
	}
	harness.Contains(t, string(out), "spec.settings.labels: Required value; no binding.yaml lies beside it: say --settings FILE")
}
