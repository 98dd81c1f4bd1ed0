// Command customresource asks upstream what it says of custom resources and of their definitions, and writes the answers
// beside the questions: gateway/schema/tests/structural (objects against schemas) and gateway/catalog/tests/definitions.
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
	"sort"
)

// rounds is how often each question is asked: what comes in another order each time is told as a set.
const rounds = 8

// file is a file of questions and what answers one of its lines.
type file struct {
	path string
	ask  func(folder string, line []byte) (any, error)
}

var files = []file{
	{"schema/tests/structural/cases.jsonl", askObject},
	{"schema/tests/structural/rules.jsonl", askObject},
	{"catalog/tests/definitions/cases.jsonl", askDefinition},
	{"catalog/tests/definitions/rules.jsonl", askDefinition},
}

func main() {
	gateway := flag.String("gateway", "../gateway", "folder of the gateway")
	flag.Parse()
	for _, file := range files {
		answered, err := answer(*gateway, file)
		if err == nil {
			err = os.WriteFile(filepath.Join(*gateway, file.path), answered, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "customresource:", file.path+":", err)
			os.Exit(1)
		}
	}
}

// answer yields a file with upstream's answers of today.
func answer(gateway string, file file) ([]byte, error) {
	path := filepath.Join(gateway, file.path)
	lines, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	scanner := bufio.NewScanner(bytes.NewReader(lines))
	scanner.Buffer(nil, 1<<20)
	for number := 1; scanner.Scan(); number++ {
		answered, err := file.ask(filepath.Dir(path), scanner.Bytes())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if err := encoder.Encode(answered); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), scanner.Err()
}

// settle compares what several rounds said: the order counts only where it was always the same, today and before.
func settle(said [][]string, before bool) (texts []string, any bool) {
	any = before
	for _, other := range said[1:] {
		if fmt.Sprint(other) != fmt.Sprint(said[0]) {
			any = true
		}
	}
	if any {
		sort.Strings(said[0])
	}
	return said[0], any
}
