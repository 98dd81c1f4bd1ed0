package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"sort"
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
		if !reflect.DeepEqual(unordered(t, got), unordered(t, want)) {
			t.Errorf("%s: upstream answers differently; run `go run ./customresource` in conformance/ and look at the difference", file.path)
		}
	}
}

// unordered reads a file's lines without what hangs on the order of Go's maps: a line's texts are sorted, and whether their
// order counts is left out, because no number of rounds shows every order that there is.
func unordered(t *testing.T, file []byte) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for text := range bytes.Lines(file) {
		line := map[string]any{}
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatal(err)
		}
		delete(line, "any")
		for _, name := range []string{"errors", "warnings"} {
			if texts, ok := line[name].([]any); ok {
				sort.Slice(texts, func(i, j int) bool { return texts[i].(string) < texts[j].(string) })
			}
		}
		lines = append(lines, line)
	}
	return lines
}
