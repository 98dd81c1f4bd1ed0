package main

import (
	"strings"
	"testing"
)

func TestOnlyWhatFailsHereAloneIsAnError(t *testing.T) {
	read := func(text string) []result { return readResults(strings.NewReader(text), func(result) {}) }
	names, there := []string{"here", "there"}, read("0 run_a 1\n1 run_b 20\nno result\n0 run_c 3\n")
	if len(there) != 3 || there[1] != (result{part: "run_b", code: 1, seconds: 20}) {
		t.Fatalf("read as %v", there)
	}
	if err := report(names, [][]result{read("0 run_a 1\n1 run_b 2\n0 run_c 3\n"), there}); err != nil {
		t.Errorf("what fails everywhere: %v", err)
	}
	if err := report(names, [][]result{read("1 run_a 1\n0 run_b 2\n0 run_c 3\n"), there}); err == nil {
		t.Error("nobody minds that run_a fails here alone")
	}
}
