package main

import (
	"os"
	"testing"
)

const folder = "../../gateway/catalog/tests/cases"

// TestAnswersAreCurrent asks again and compares with the committed answers.
func TestAnswersAreCurrent(t *testing.T) {
	want, err := answer(folder)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(folder + "/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("upstream answers differently; run `go run ./cases` in conformance/ and look at the difference")
	}
}
