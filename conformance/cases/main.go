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
	"strings"
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
	files, err := questions(folder)
	if err != nil {
		return err
	}
	for _, file := range files {
		answered, err := answer(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := os.WriteFile(file, answered, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// questions are the files of cases, each with its bases beside it: cases-x.jsonl and bases-x.json.
func questions(folder string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(folder, "cases*.jsonl"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no cases in %s", folder)
	}
	return files, err
}

func basesOf(file string) (map[string]json.RawMessage, error) {
	name := strings.TrimSuffix(strings.Replace(filepath.Base(file), "cases", "bases", 1), "l")
	text, err := os.ReadFile(filepath.Join(filepath.Dir(file), name))
	if err != nil {
		return nil, err
	}
	bases := map[string]json.RawMessage{}
	return bases, json.Unmarshal(text, &bases)
}

// answer yields a file of cases with upstream's answers of today.
func answer(file string) ([]byte, error) {
	bases, err := basesOf(file)
	if err != nil {
		return nil, err
	}
	lines, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	scanner := bufio.NewScanner(bytes.NewReader(lines))
	scanner.Buffer(nil, 1<<21)
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
