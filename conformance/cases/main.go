// Command cases asks upstream's strategies what they say of each case in gateway/catalog/tests/cases, and writes the
// answers beside the questions: errors word for word, warnings, and what defaults and preparation make of the object.
// It takes no sentence and no code: the questions are ours, the answers are what a client of kube-apiserver would read.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// Case is one line: a base object, what is changed about it, and what upstream says.
type Case struct {
	Do   string          `json:"do"`
	Base string          `json:"base"`
	Old  json.RawMessage `json:"old,omitempty"`
	New  json.RawMessage `json:"new"`
	// Errors and warnings as upstream words them, the errors in its order.
	Errors   []string `json:"errors,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// Made is a merge patch from the new object to what would be stored; only where there are no errors.
	Made json.RawMessage `json:"made,omitempty"`
}

func main() {
	folder := flag.String("folder", "../gateway/catalog/tests/cases", "folder of the cases")
	flag.Parse()
	if err := run(*folder); err != nil {
		fmt.Fprintln(os.Stderr, "cases:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	answered, err := answer(folder)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "cases.jsonl"), answered, 0o644)
}

// answer yields the file of cases with upstream's answers of today.
func answer(folder string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(folder, "bases.json"))
	if err != nil {
		return nil, err
	}
	bases := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &bases); err != nil {
		return nil, err
	}
	lines, err := os.ReadFile(filepath.Join(folder, "cases.jsonl"))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	scanner := bufio.NewScanner(bytes.NewReader(lines))
	scanner.Buffer(nil, 1<<20)
	for number := 1; scanner.Scan(); number++ {
		var asked Case
		if err := json.Unmarshal(scanner.Bytes(), &asked); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if err := ask(bases, &asked); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if err := encoder.Encode(asked); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), scanner.Err()
}
