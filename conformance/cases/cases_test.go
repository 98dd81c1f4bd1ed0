package main

import (
	"os"
	"testing"
)

// TestAnswersAreCurrent asks again and compares with the committed answers.
func TestAnswersAreCurrent(t *testing.T) {
	files, err := questions("../../gateway/catalog/tests/cases")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		want, err := answer(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s: upstream answers differently; run `go run ./cases` in conformance/ and look at the difference", file)
		}
	}
}
