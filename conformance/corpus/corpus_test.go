package corpus

import (
	"flag"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse.dev/conformance/harness"
	"gatehouse.dev/conformance/peer"
)

var (
	update = flag.Bool("update", false, "write conformance/gaps/corpus.txt as it is now")
	keep   = flag.String("keep", "", "write Gatehouse's answers into this folder, for a diff with corpus/answers")
	family = flag.String("family", "", "ask this family alone, and list what differs")
	show   = flag.String("show", "", "print both answers of a step, as \"family/scenario number\" or \"family/scenario\"")
)

// requestsMin is how many requests the corpus had once; it only grows.
const requestsMin = 1500

// TestAnswersAreUpstreams asks Gatehouse everything and compares with what the real kube-apiserver answered.
func TestAnswersAreUpstreams(t *testing.T) {
	scenarios, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if *family != "" {
		scenarios = slices.DeleteFunc(scenarios, func(s Scenario) bool { return s.Family != *family })
	}
	recorded, err := Read("answers")
	if err != nil {
		t.Fatal(err)
	}
	scenarios, answers := ask(t, scenarios)
	if *keep != "" {
		if err := Write(*keep, scenarios, answers); err != nil {
			t.Fatal(err)
		}
	}
	requests, differences := 0, map[string]bool{}
	for i, scenario := range scenarios {
		want := recorded[scenario.Family+"/"+scenario.Name]
		if len(want) != len(scenario.Steps) {
			t.Fatalf("%s/%s has %d steps and %d recorded answers; run `cargo x record`", scenario.Family, scenario.Name, len(scenario.Steps), len(want))
		}
		if strings.HasPrefix(scenario.Family, "rules-") && strings.HasSuffix(scenario.Name, "-changed") && want[0].Code != http.StatusCreated {
			t.Errorf("%s/%s: the object itself is refused, so that its changes say nothing", scenario.Family, scenario.Name)
		}
		for number, got := range answers[i] {
			requests++
			if what := Compare(got, want[number]); len(what) > 0 {
				differences[name(scenario, number+1, what)] = true
			}
			print(t, scenario, number, got, want[number])
		}
	}
	if *family != "" {
		t.Logf("%d answers differ: %s", len(differences), strings.Join(slices.Sorted(maps.Keys(differences)), "\n"))
		return
	}
	t.Logf("%d requests in %d scenarios; %d answers differ", requests, len(scenarios), len(differences))
	if requests < requestsMin {
		t.Errorf("the corpus holds %d requests, %d once", requests, requestsMin)
	}
	judge(t, differences)
}

// ask starts the servers that scenarios need, and gives their answers with the scenarios in the same order.
func ask(t *testing.T, scenarios []Scenario) (asked []Scenario, answers [][]Answer) {
	flags, err := Flags(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range Groups(scenarios) {
		server, err := Connect(harness.Start(t, slices.Concat(peer.Alike, flags, group.Flags)...).Config)
		if err != nil {
			t.Fatal(err)
		}
		some, err := RunAll(t.Context(), server, group.Scenarios)
		if err != nil {
			t.Error(err)
		}
		asked, answers = append(asked, group.Scenarios...), append(answers, some...)
	}
	return asked, answers
}

// judge compares with the list of known differences, in both directions.
func judge(t *testing.T, differences map[string]bool) {
	file := filepath.Join(harness.Root(t), "conformance", "gaps", "corpus.txt")
	gaps, err := ReadGaps(file)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := gaps.Update(file, differences); err != nil {
			t.Fatal(err)
		}
		return
	}
	known := gaps.Known()
	for line := range differences {
		if !known[line] {
			t.Errorf("not as upstream: %s", line)
		}
	}
	for line := range known {
		if !differences[line] {
			t.Errorf("listed in gaps/corpus.txt, but not so any more: %s", line)
		}
	}
	if t.Failed() {
		t.Log("`go test ./corpus -show \"family/scenario number\"` prints both answers, `-update` rewrites the list")
	}
}
