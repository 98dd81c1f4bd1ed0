package main

import (
	"os"
	"testing"
)

const folder = "../../gateway/cel/tests/answers"

// TestAnswersAreCurrent asks again and compares with the committed answers.
func TestAnswersAreCurrent(t *testing.T) {
	want, err := answer(folder)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(folder + "/answers.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("upstream answers differently; run `go run ./cel` in conformance/ and look at the difference")
	}
}
