package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAnswersAreCurrent asks again and compares with the committed answers.
func TestAnswersAreCurrent(t *testing.T) {
	const gateway = "../../gateway"
	for _, file := range files {
		want, err := answer(gateway, file)
		if err != nil {
			t.Fatal(file.path, err)
		}
		got, err := os.ReadFile(filepath.Join(gateway, file.path))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s: upstream answers differently; run `go run ./customresource` in conformance/ and look at the difference", file.path)
		}
	}
}
